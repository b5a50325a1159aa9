"""A person's wish to retrain as a queued job: what it learns from, and how long it will take."""

from __future__ import annotations

from collections.abc import Collection

from sqlite_utils import Database

from data.examples import Selection, select_examples, wants_confirmed
from data.jobs import enqueue, get_job, list_jobs
from data.tasks import Task
from data.versions import live_version
from models import recipe as recipes
from models.recipe import Recipe
from models.repair import count_rows
from models.worker import ensure_worker
from settings import Settings

TYPICAL_ROWS_PER_S = {"nli": 60, "sentiment": 90, "commonsense": 20}
TYPICAL_START_S = 15
"""What a run takes beside its training: the libraries' import, the model and both versions' evaluation."""


def request_retrain(
    settings: Settings,
    db: Database,
    task: Task,
    preset: str,
    *,
    requested_by: str,
    recipe: Recipe | None = None,
    parent_id: str | None = None,
    without: Collection[int] = frozenset(),
) -> str:
    """Queues a run over all that was taught so far and sees to a worker; returns the job's id.

    The run starts from `parent_id`, else from the live version. `recipe` takes the place of the preset's own, and
    the examples whose ids are in `without` are left out. Raises ValueError where there is nothing to train on, and
    StoreError.
    """
    recipe = recipe or recipes.preset(preset, task)
    selection = select_examples(db, task, **kinds_of_rows(db, task, settings))
    selection.rows = [row for row in selection.rows if row["example_id"] not in without]
    if not selection.rows:
        raise ValueError(_why_nothing(db, task, selection))
    job_id = enqueue(
        db,
        task.name,
        parent_id=parent_id or live_version(db, task.name),
        preset=preset,
        recipe=recipe.to_dict(),
        example_ids=[row["example_id"] for row in selection.rows],
        requested_by=requested_by,
    )
    ensure_worker(settings)
    return job_id


def kinds_of_rows(db: Database, task: Task, settings: Settings) -> dict[str, bool]:
    """What `select_examples` is to take for training: confirmed rows, or all, disputed ones with soft labels."""
    confirmed = wants_confirmed(db, task, settings.train_on)
    return {"confirmed": confirmed, "disputed": not confirmed}


def estimate_seconds(db: Database, task: Task, recipe: Recipe, n_taught: int) -> tuple[float, str]:
    """How long a run over `n_taught` examples will take from click to report, and what says so.

    The second is a part of a sentence: "measured on job nli-3" or "typical for two CPU cores".
    """
    passes = recipe.row_passes(count_rows(task, n_taught, recipe))
    for job in list_jobs(db, task=task.name, states=("done",), limit=1):
        report = get_job(db, job["id"])["report"]
        training = report["training"]
        beside = max(0.0, report["seconds"] - training["seconds"])
        return beside + passes / max(training["rows_per_s"], 0.1), f"measured on job {job['id']}"
    return TYPICAL_START_S + passes / TYPICAL_ROWS_PER_S.get(task.name, 60), "typical for two CPU cores"


def _why_nothing(db: Database, task: Task, selection: Selection) -> str:
    held_out = len(select_examples(db, task, "held_out").rows)
    reasons = []
    if held_out:
        reasons.append(f"{held_out} held out to measure the repair")
    if selection.conflicts:
        reasons.append(f"{len(selection.conflicts)} on which annotators disagree")
    if selection.unconfirmed:
        reasons.append(f"{selection.unconfirmed} that wait for a second look in the Review tab")
    found = f"found only {' and '.join(reasons)}" if reasons else "found none"
    return f"Nothing to train on: expected flagged or confirmed {task.name} examples; {found}. Flag more."
