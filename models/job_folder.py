"""A job's folder: written before a run, read back for its report, and removed when it is old."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from data import jobs
from data.examples import Selection, select_examples
from data.tasks import Task, get_task
from models.child import JOB
from models.folders import WEIGHTS, read_card, write_rows
from models.recipe import Recipe
from models.repair import stopping_rows, training_rows
from models.trust import settled, with_disputed
from settings import Settings

MIN_FREE_BYTES = 300 * 2**20
KEPT_JOBS = 20
"""So many of the newest folders stay, however old they are."""


def prepare(settings: Settings, db: Database, job: dict[str, Any], folder: Path, parent_folder: Path) -> None:
    """Writes the job folder, which holds no job: all that `models.training` needs, here or on another machine."""
    from models.encoder import ENCODER, FILES, encoder_dir

    recipe = Recipe.from_dict(job["recipe"])
    settings.jobs.mkdir(parents=True, exist_ok=True)
    check_space(settings, parent_folder, recipe)
    task = get_task(job["task"])
    taught, held_out = selections(db, job)
    kept_out = {task.content_hash(row["example"]) for row in held_out.rows}
    rows = with_disputed(taught, training_rows(task, settled(taught), recipe, kept_out))
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copytree(parent_folder, folder / "parent", copy_function=_link)
    card = read_card(folder / "parent")
    if card["base"] == ENCODER:
        source = encoder_dir()
        (folder / "encoder").mkdir()
        for name in FILES:
            _link(source / name, folder / "encoder" / name)
    write_rows(folder / "train.jsonl", rows)
    stop_by = stopping_rows(task, settled(taught), recipe, kept_out | {task.content_hash(row) for row in rows})
    if stop_by:
        write_rows(folder / "twins.jsonl", stop_by)
    description = {
        "task": job["task"],
        "version": jobs.planned_version_id(job["id"]),
        "parent": job["parent_id"],
        "recipe": recipe.to_dict(),
        "example_ids": job["example_ids"],
    }
    (folder / JOB).write_text(json.dumps(description, indent=2) + "\n", encoding="utf-8")


def is_prepared(folder: Path) -> bool:
    """Whether the folder was written to its end and can still be read; `job.json` is written last."""
    try:
        json.loads((folder / JOB).read_text(encoding="utf-8"))
        read_card(folder / "parent")
        with (folder / "train.jsonl").open(encoding="utf-8") as lines:
            return all(isinstance(json.loads(line), dict) for line in lines)
    except (OSError, ValueError, RuntimeError):
        return False


def check_space(settings: Settings, parent: Path, recipe: Recipe) -> None:
    """Raises RuntimeError where the run's checkpoints and version would not fit on the disk."""
    weights = sum(path.stat().st_size for path in parent.glob("*.safetensors"))
    if recipe.method == "full" and not (parent / WEIGHTS).exists():
        weights = max(weights, 100 * 2**20)
    needed = max(MIN_FREE_BYTES, 8 * weights)  # two checkpoints with two moments each, the version, some room
    free = shutil.disk_usage(settings.jobs).free
    if free < needed:
        raise RuntimeError(
            f"Expected {needed >> 20} MiB of free disk in {settings.workspace}; found {free >> 20} MiB. "
            "Free some space and retrain."
        )


def selections(db: Database, job: dict[str, Any]) -> tuple[Selection, Selection]:
    """What the job may learn from, as it was frozen, and what is held out to measure with."""
    task = get_task(job["task"])
    taught = select_examples(db, task, "train", job["example_ids"], disputed=True)
    return taught, select_examples(db, task, "held_out")


def trained_hashes(folder: Path, task: Task) -> set[str]:
    """The content hashes of the rows that the job trains on or stops by."""
    found: set[str] = set()
    for name in ("train.jsonl", "twins.jsonl"):
        if (folder / name).exists():
            with (folder / name).open(encoding="utf-8") as lines:
                found |= {task.content_hash(task.parse_example(json.loads(line))) for line in lines}
    return found


def prune(settings: Settings, db: Database, now_s: float | None = None) -> list[str]:
    """Removes the folders of jobs that ended more than `settings.keep_jobs_days` ago, but for the newest twenty.

    Rows and versions stay. Returns the jobs whose folders went.
    """
    ended = [row["id"] for row in jobs.list_jobs(db, states=("done", "failed", "cancelled"), limit=1_000_000)]
    horizon = (time.time() if now_s is None else now_s) - settings.keep_jobs_days * 86400
    old = [
        job_id
        for job_id in [j for j in ended if (settings.jobs / j).is_dir()][KEPT_JOBS:]
        if (settings.jobs / job_id).stat().st_mtime < horizon
    ]
    for job_id in old:
        shutil.rmtree(settings.jobs / job_id, ignore_errors=True)
    return old


def _link(source: Any, target: Any) -> None:
    """A hard link where the file system allows one: a job folder then costs no disk."""
    try:
        os.link(os.path.realpath(source), target)
    except OSError:
        shutil.copy2(source, target)
