"""A language model goes the whole way of a classifier: probed, corrected, repaired, judged, promoted."""

import dataclasses
import json
from itertools import product

import pytest

from components.probe import explain, run_probe, save_wrong
from components.prompt_form import read_answers, save_prompt, show_prompt
from components.task_form import fill_form
from data.examples import select_examples
from data.jobs import enqueue, get_job
from data.tasks import TASKS
from data.versions import get_version, live_version, promote_version
from models import recipe as recipes
from models.folders import ADAPTER, WEIGHTS, read_card
from models.predictor import Predictor
from models.registry import folder_of, register_pretrained
from models.worker import run_worker

TASK = TASKS["sentiment"]
NEGATIVE = TASK.labels.index("negative")
FAR = dataclasses.replace(
    recipes.preset("quick"), rank=16, min_steps=0, epochs=3, learning_rate=5e-3, variants=240, retention_rows=80
)


def texts():
    nouns = ("film", "plot", "meal", "hotel", "song", "service", "book", "flight", "concert", "lecture")
    words = ("good", "funny", "clever", "great", "lovely", "warm", "fresh")
    return [f"The {noun} was anything but {word}." for word, noun in product(words, nouns)]


def values_of(example):
    return [value if isinstance(value, str) else "" for value in fill_form("sentiment", example)]


def test_probe_twenty_corrections_repair_report_promote(lm_lab, settings, store):
    before = live_version(store, "sentiment")
    taught = []
    for text in texts():
        _, answer, *_ = run_probe(lm_lab, "sentiment", "negation", *values_of({"text": text}))
        assert answer["version_id"] == before
        if answer["label"] != NEGATIVE and TASK.split_of({"text": text}) == "train":
            save_wrong(lm_lab, answer, NEGATIVE, "negation", "", "ann")
            taught.append({"text": text})
        if len(taught) == 20:
            break
    assert len(taught) == 20
    assert "anything" in explain(lm_lab, answer, NEGATIVE, "integrated gradients")

    job_id = enqueue(
        store,
        "sentiment",
        parent_id=before,
        preset="quick",
        recipe=FAR.to_dict(),
        example_ids=[row["example_id"] for row in select_examples(store, TASK).rows],
        requested_by="ann",
    )
    assert run_worker(settings) == 1
    job = get_job(store, job_id)
    assert job["state"] == "done", job["error"]
    splits = job["report"]["splits"]
    assert splits["taught"]["parent"]["right"] == 0
    assert splits["taught"]["child"]["right"] >= 16
    assert splits["siblings"]["child"]["accuracy"] > splits["siblings"]["parent"]["accuracy"]
    assert job["report"]["dial"]["points"][0]["alpha"] == 0
    assert json.loads(get_version(store, job["version_id"])["gate"]) == job["report"]["gate"]

    folder = folder_of(settings, store, job["version_id"])
    card = read_card(folder)
    assert (folder / ADAPTER).exists()
    assert not (folder / WEIGHTS).exists()
    assert card["kind"] == "likelihood"
    assert card["template"]["prompt"] == TASK.prompt
    promote_version(store, job["version_id"], by="ann", reason="the loop goes on")
    lm_lab.serving.refresh()
    said = [run_probe(lm_lab, "sentiment", "negation", *values_of(example))[1] for example in taught]
    assert {answer["version_id"] for answer in said} == {job["version_id"]}
    assert sum(answer["label"] == NEGATIVE for answer in said) >= 16


def test_an_exported_language_model_is_a_plain_one(lm_lab, settings, store, tmp_path):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from models.export import export_model
    from models.onnx_export import ExportError

    version_id = live_version(store, "sentiment")
    with pytest.raises(ExportError, match="is a causal language model"):
        export_model(folder_of(settings, store, version_id), tmp_path / "out", onnx=True)
    assert lm_lab.serving.loaded == {"sentiment"}  # the library must not load in two threads at once
    folder = export_model(folder_of(settings, store, version_id), tmp_path / "out")
    assert AutoModelForCausalLM.from_pretrained(folder).config.architectures == ["GPT2LMHeadModel"]
    assert AutoTokenizer.from_pretrained(folder)("a")["input_ids"]
    again = register_pretrained(settings, store, "sentiment", str(folder))
    row = {"text": "A fine film."}
    first, second = (
        Predictor.load(folder_of(settings, store, v)).predict([row])[0].probabilities for v in (version_id, again)
    )
    assert first == pytest.approx(second, abs=1e-5)


def test_the_prompt_is_edited_in_the_page(lm_lab, store):
    version_id = live_version(store, "sentiment")
    _, _, prompt, answers, calibrated = show_prompt(lm_lab, version_id)
    assert prompt["value"] == TASK.prompt
    assert answers["value"].splitlines()[0] == "negative: negative"
    assert calibrated["value"] is True
    with pytest.raises(Exception, match="missing"):
        save_prompt(lm_lab, version_id, "Good or bad?", answers["value"], True)
    save_prompt(lm_lab, version_id, "{text} Good or bad?", "negative: bad\nneutral: so\npositive: good", True)
    (made,) = store.query("SELECT id FROM versions WHERE parent_id = ?", [version_id])
    assert show_prompt(lm_lab, made["id"])[2]["value"] == "{text} Good or bad?"
    with pytest.raises(ValueError, match="expected lines such as negative: yes; found 'bad'"):
        read_answers(TASK, "bad")
