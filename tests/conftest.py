"""What the tests stand on: a workspace of their own, and models small enough to train in a blink."""

from __future__ import annotations

import os

os.environ.setdefault("GOMP_SPINCOUNT", "2000")  # before torch, as in app.py: trainings run beside the tests
if "PYTEST_XDIST_WORKER_COUNT" in os.environ:  # the cores are shared among the processes that test side by side
    share = (os.cpu_count() or 1) // int(os.environ["PYTEST_XDIST_WORKER_COUNT"])
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, share)))

import json
import re
import shutil
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from sqlite_utils import Database

from components.context import Lab
from data.seed import KINDS, seed_rows
from data.store import open_store
from data.tasks import TASKS
from data.tasks.spans import SpanTask
from data.versions import promote_version
from models.folders import CARD, write_json
from models.recipe import Recipe
from settings import Settings

MAX_TOKENS = 96
STARTED = ("nli", "sentiment", "commonsense", "ner")
"""The tasks that come with a starter and suites of their own; own labels are answered by entailment."""

hypothesis.settings.register_profile("blindspot", deadline=None)  # no test asserts a time
hypothesis.settings.load_profile("blindspot")

BY_LABEL = [name for name, task in TASKS.items() if not isinstance(task, SpanTask)]
"""The tasks that are answered by one of several labels or choices, with a score for each."""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(workspace=tmp_path / "workspace", device="cpu", annotator="ann")


@pytest.fixture
def store(settings: Settings) -> Iterator[Database]:
    db = open_store(settings.store)
    yield db
    db.close()


@pytest.fixture(scope="session")
def tiny_checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """For each task a folder with a random BERT of two layers and its own small vocabulary."""
    folder = tmp_path_factory.mktemp("tiny")
    return {name: build_tiny(folder / name, name) for name in TASKS}


@pytest.fixture(scope="session")
def tiny_checkpoint(tiny_checkpoints: dict[str, Path]) -> Path:
    """The one for inference: labels entailment, neutral, contradiction."""
    return tiny_checkpoints["nli"]


@pytest.fixture(scope="session")
def tiny_lm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a causal language model over bytes, trained from scratch on the seed examples."""
    from benchmarks.tiny_lm import train_tiny

    return train_tiny(tmp_path_factory.mktemp("lm"))


@pytest.fixture(scope="session")
def tiny_workspace(tiny_checkpoints: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace, not to be written to, in which the tiny checkpoints answer for their tasks."""
    from models.registry import register_pretrained

    settings = Settings(workspace=tmp_path_factory.mktemp("tiny-workspace"))
    db = open_store(settings.store)
    for task, folder in tiny_checkpoints.items():
        promote_version(db, register_pretrained(settings, db, task, str(folder)), by="test")
    db.close()
    return settings.workspace


@pytest.fixture
def tiny_settings(tiny_workspace: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of a fresh workspace whose live versions are the tiny checkpoints; it has no starters."""
    monkeypatch.setattr("models.registry.STARTERS", settings.workspace / "no-starters")
    shutil.copytree(tiny_workspace, settings.workspace)
    return settings


@pytest.fixture
def tiny_store(tiny_settings: Settings) -> Iterator[Database]:
    db = open_store(tiny_settings.store)
    yield db
    db.close()


@pytest.fixture
def add_model(tiny_settings: Settings, tiny_store: Database, tmp_path: Path) -> Callable[[int], str]:
    """Registers another tiny model of nli; returns its version's id."""
    from models.registry import register_pretrained

    return lambda seed: register_pretrained(
        tiny_settings, tiny_store, "nli", str(build_tiny(tmp_path / f"other-{seed}", "nli", seed=seed))
    )


def connecting(settings: Settings) -> Callable[[], Database]:
    """Gives each thread its connection to the store."""
    threads = threading.local()

    def connect() -> Database:
        if not hasattr(threads, "db"):
            threads.db = open_store(settings.store)
        return threads.db

    return connect


def rows_of(name: str = "nli", count: int = 8, **more: Any) -> list[dict[str, Any]]:
    """Training rows as a job folder has them."""
    rows = seed_rows(TASKS[name], "retention")[:count]
    return [{**row["example"], "label": row["label"], **more} for row in rows]


@pytest.fixture
def job(tmp_path: Path, tiny_checkpoints: dict[str, Path]) -> Callable[..., Path]:
    """Writes a job folder and returns it."""

    def make(
        rows: list[Any], name: str = "nli", base: Path | None = None, folder: str = "job", **options: Any
    ) -> Path:
        path = tmp_path / folder
        (path / "parent").mkdir(parents=True)
        card = {"id": f"{name}-v0", "task": name, "base": str(base or tiny_checkpoints[name]), "temperature": 1.5}
        write_json(path / "parent" / CARD, card)
        recipe = Recipe(**{"rank": 8, "learning_rate": 5e-3, "epochs": 1, "data": "corrections", **options})
        write_json(
            path / "job.json",
            {
                "task": name,
                "version": f"{name}-v1",
                "parent": card["id"],
                "recipe": recipe.to_dict(),
                "example_ids": [7],
            },
        )
        lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
        (path / "train.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    return make


@pytest.fixture
def lab(tiny_settings: Settings) -> Iterator[Lab]:
    """What the tabs' handlers work with, its tiny live models answering."""
    lab = Lab(tiny_settings)
    lab.start_serving()
    lab.serving.refresh()  # waits until they are loaded
    yield lab
    lab.serving.stop()


@pytest.fixture
def lm_lab(settings: Settings, store: Database, tiny_lm: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """The tabs' handlers, with the tiny language model answering for sentiment."""
    from models.registry import register_pretrained

    monkeypatch.setattr("models.registry.STARTERS", settings.workspace / "no-starters")
    promote_version(store, register_pretrained(settings, store, "sentiment", str(tiny_lm)), by="test")
    lab = Lab(settings)
    lab.start_serving()
    lab.serving.refresh()  # waits until they are loaded
    yield lab
    lab.serving.stop()


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, bytes, str | None]]]:
    """The requests that a stand-in for the Hub was sent, as (path, body, token)."""
    asked = []

    class Hub(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            asked.append((self.path, body, self.headers.get("Authorization")))
            answer = {"errors": [], "warnings": []}
            if self.path == "/api/repos/create":
                answer = {"url": f"{address}/ann/mine", "id": "ann/mine", "name": "ann/mine"}
            elif "/preupload/" in self.path:
                files = [one["path"] for one in json.loads(body)["files"]]
                answer = {"files": [{"path": f, "uploadMode": "regular", "shouldIgnore": False} for f in files]}
            elif "/commit/" in self.path:
                answer = {"commitUrl": f"{address}/ann/mine/commit/1", "commitOid": "1", "success": True}
            said = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    address = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("HF_ENDPOINT", address)
    monkeypatch.setenv("HF_TOKEN", "hf_test")
    yield asked
    server.shutdown()
    server.server_close()


def build_tiny(
    folder: Path, task: str, labels: tuple[str, ...] | None = None, seed: int = 0, max_tokens: int = MAX_TOKENS
) -> Path:
    """Writes a random tiny BERT for the task; `labels` replaces the names (and order) of its outputs."""
    import torch
    from transformers import (
        BertConfig,
        BertForMultipleChoice,
        BertForSequenceClassification,
        BertForTokenClassification,
        BertTokenizerFast,
    )

    folder.mkdir(parents=True)
    (folder / "vocab.txt").write_text("\n".join(tiny_vocabulary()), encoding="utf-8")
    tokenizer = BertTokenizerFast(vocab=str(folder / "vocab.txt"), model_max_length=max_tokens)
    names = labels or TASKS[task].outputs or ("choice",)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=max_tokens,
        initializer_range=0.2,  # far enough from zero for the answers to differ
        id2label=dict(enumerate(names)),
        label2id={name: i for i, name in enumerate(names)},
    )
    torch.manual_seed(seed)
    kinds = {
        "sequence_classification": BertForSequenceClassification,
        "multiple_choice": BertForMultipleChoice,
        "token_classification": BertForTokenClassification,
    }
    kinds[TASKS[task].head](config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def tiny_vocabulary() -> list[str]:
    texts = (json.dumps(row["example"]) for task in TASKS.values() for kind in KINDS for row in seed_rows(task, kind))
    words = Counter(word for text in texts for word in re.findall(r"[a-z]+", text.lower()))
    letters = "abcdefghijklmnopqrstuvwxyz0123456789.,;:!?'\"-()"
    pieces = [*letters, *(f"##{letter}" for letter in letters)]
    frequent = [word for word, _ in words.most_common(1500) if word not in pieces]
    return ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *pieces, *frequent]


def nli(
    premise: str = "The actor paid the doctor.", hypothesis: str = "The doctor paid the actor."
) -> dict[str, str]:
    return {"premise": premise, "hypothesis": hypothesis}


def premises(split: str, count: int = 1) -> list[str]:
    """Premises whose examples fall into the split."""
    task = TASKS["nli"]
    candidates = (f"There are {i} boats in the harbour." for i in range(1000))
    return [p for p in candidates if task.split_of(nli(p)) == split][:count]
