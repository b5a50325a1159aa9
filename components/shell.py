"""What the commands of `cli.py` share: the open store, files, waiting for a job, and what is printed.

Data goes to stdout, messages to stderr; heavy libraries are loaded when a command needs them.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer
from sqlite_utils import Database

from data import jobs, versions
from data.store import StoreError, open_store
from data.tasks import Task
from data.transfer import Parsed, parse_file
from models.encoder import EncoderError
from models.folders import CheckpointError
from settings import Settings, read_settings

POLL_S = 0.3
QUIET_S = 15.0
"""After so long without a sign of life a waiting command starts another worker."""


@contextmanager
def lab(workspace: Path | None, *, with_models: bool = True) -> Iterator[tuple[Settings, Database]]:
    """The settings and the open store, with the starters installed where a command needs models.

    A known error becomes one line on stderr and exit status 1.
    """
    db = None
    try:
        settings = read_settings(workspace=workspace)
        db = open_store(settings.store)
        if with_models:
            from models.registry import prepare_workspace

            prepare_workspace(settings, db)
        yield settings, db
    except (ValueError, OSError, StoreError, CheckpointError, EncoderError) as error:
        say(f"error: {error}")
        raise typer.Exit(1) from None
    finally:
        if db is not None:
            db.close()


def show(value: Any, as_json: bool, text: str) -> None:
    """Prints a command's data: as JSON for a script, as text for a person."""
    typer.echo(json.dumps(value, indent=2) if as_json else text)


def say(message: str) -> None:
    typer.echo(message, err=True)


def parse_rows(path: Path, task: Task, strict: bool, *, needs_label: bool = True) -> Parsed:
    """The file's good rows. Raises ValueError where none is left, or where `strict` and one is refused."""
    parsed = parse_file(path, task, needs_label=needs_label)
    if parsed.refused:
        say(parsed.summary())
        total = len(parsed.rows) + len(parsed.refused)
        if strict or not parsed.rows:
            raise ValueError(f"{path} was refused: {len(parsed.refused)} of {total} rows are malformed.")
        say(f"{len(parsed.refused)} of {total} rows were refused.")
    return parsed


def load_predictor(settings: Settings, db: Database, task: Task, version_id: str | None) -> Any:
    """The version, loaded; the live one where none is named."""
    from models.device import choose_device
    from models.predictor import Predictor
    from models.registry import version_folder

    row = versions.get_version(db, version_id or versions.live_version(db, task.name))
    if row["task"] != task.name:
        raise ValueError(f"Expected a version of task {task.name!r}; {row['id']} is one of {row['task']!r}.")
    return Predictor.load(version_folder(settings, row), choose_device(settings.device))


def wait_for(settings: Settings, db: Database, job_id: str) -> dict[str, Any]:
    """The job once it has ended; its progress goes to stderr."""
    from models.worker import ensure_worker

    said, sign, since = "", None, time.monotonic()
    while (job := jobs.get_job(db, job_id))["state"] in jobs.ACTIVE:
        message = f"{job_id}: {job['phase']} {progress_text(job)}".rstrip()
        if message != said:
            say(message)
            said = message
        if job["heartbeat_at"] != sign:
            sign, since = job["heartbeat_at"], time.monotonic()
        elif time.monotonic() - since > QUIET_S:  # it waits behind another job, or its worker died
            ensure_worker(settings)
            since = time.monotonic()
        time.sleep(POLL_S)
    return job


def progress_text(job: dict[str, Any]) -> str:
    if not job["progress"]:
        return ""
    last = job["progress"][-1]
    return f"step {last['step']} of {last['steps']}, loss {last['loss']:.3f}, {last['eta_s']:.0f} s left"


def read_json(path: Path | None) -> Any:
    """What the file holds; None without one. Raises ValueError and OSError."""
    if path is None:
        return None
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"Expected JSON in {path}; found {error}.") from None


def parse_label_map(text: str | None) -> dict[str, str] | None:
    if text is None:
        return None
    try:
        names = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"--label-map is not JSON: {error}.") from None
    if not isinstance(names, dict) or not all(isinstance(name, str) for name in names.values()):
        raise ValueError(f'Expected as --label-map an object such as {{"LABEL_0": "entailment"}}; found {text}.')
    return names
