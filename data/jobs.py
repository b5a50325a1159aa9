"""The queue of training jobs: a few statements on one table.

queued -> running -> done | failed
   |         |   +-> interrupted -> queued
   |         +-> cancelling -> cancelled
   +-> cancelled

A job that is `interrupted` was stopped with its machine or app and left a checkpoint; the next worker takes it up.
"""

from __future__ import annotations

import json
from typing import Any

from sqlite_utils import Database

from data.roles import require, sign
from data.store import now, writing
from data.versions import add_evaluation, add_version, get_version

ACTIVE = ("queued", "running", "cancelling", "interrupted")
MOST_PRIORITY = 9


def enqueue(
    db: Database,
    task: str,
    *,
    parent_id: str,
    preset: str,
    recipe: dict[str, Any],
    example_ids: list[int],
    requested_by: str,
    priority: int = 0,
) -> str:
    """Freezes what to train on and queues it; returns the job's id, such as `nli-3`."""
    require("train")
    with writing(db):
        get_version(db, parent_id)
        number = db.execute("SELECT count(*) FROM jobs WHERE task = ?", [task]).fetchone()[0] + 1
        job_id = f"{task}-{number}"
        db["jobs"].insert(
            {
                "id": job_id,
                "task": task,
                "state": "queued",
                "parent_id": parent_id,
                "preset": preset,
                "recipe": json.dumps(recipe),
                "example_ids": json.dumps(example_ids),
                "requested_by": sign(requested_by),
                "created_at": now(),
            }
        )
    return job_id


def planned_version_id(job_id: str) -> str:
    """The id of the version that a job makes: `nli-v3` for `nli-3`."""
    task, _, number = job_id.rpartition("-")
    return f"{task}-v{number}"


def claim(db: Database) -> dict[str, Any] | None:
    """The next queued job, now running; None where nothing waits.

    The highest priority goes first; then the task whose turn was longest ago, so that one task's long queue keeps no
    other waiting; then the oldest.
    """
    with writing(db):
        found = db.execute(
            "SELECT id FROM jobs AS waiting WHERE state = 'queued' ORDER BY priority DESC, "
            "(SELECT max(started_at) FROM jobs WHERE task = waiting.task) NULLS FIRST, created_at, rowid LIMIT 1"
        ).fetchone()
        if found is None:
            return None
        time = now()
        attempts = get_job(db, found[0])["attempts"] + 1
        changes = {"state": "running", "started_at": time, "heartbeat_at": time, "attempts": attempts}
        db["jobs"].update(found[0], changes)
    return get_job(db, found[0])


def set_priority(db: Database, job_id: str, priority: int) -> None:
    """Lets a waiting job go before (above 0) or after (below 0) others. Raises ValueError."""
    require("train")
    if not -MOST_PRIORITY <= priority <= MOST_PRIORITY:
        raise ValueError(f"Expected as priority -{MOST_PRIORITY} to {MOST_PRIORITY}; found {priority}.")
    with writing(db):
        state = get_job(db, job_id)["state"]
        if state not in ("queued", "interrupted"):
            raise ValueError(f"Expected a job that waits; {job_id} is {state}.")
        db["jobs"].update(job_id, {"priority": priority})


def heartbeat(db: Database, job_id: str, phase: str, progress: list[dict[str, Any]] | None = None) -> str:
    """Records that the job lives, and how far it is; returns its state, which may ask it to stop."""
    changes: dict[str, Any] = {"heartbeat_at": now(), "phase": phase}
    if progress is not None:
        changes["progress"] = json.dumps(progress)
    with writing(db):
        db["jobs"].update(job_id, changes)
        return db.execute("SELECT state FROM jobs WHERE id = ?", [job_id]).fetchone()[0]


def cancel(db: Database, job_id: str) -> str:
    """Asks a running job to stop, or takes a waiting one out; returns its new state."""
    require("train")
    with writing(db):
        state = get_job(db, job_id)["state"]
        if state in ("queued", "interrupted"):
            db["jobs"].update(job_id, {"state": "cancelled", "finished_at": now()})
        elif state == "running":
            db["jobs"].update(job_id, {"state": "cancelling"})
        return get_job(db, job_id)["state"]


def end(db: Database, job_id: str, state: str, error: str | None = None) -> None:
    """Marks a job `failed` (with its traceback or reason), `cancelled`, or for now `interrupted`."""
    with writing(db):
        db["jobs"].update(job_id, {"state": state, "error": error, "finished_at": now(), "phase": state})


def finish(
    db: Database,
    job_id: str,
    card: dict[str, Any],
    folder: str,
    evaluations: list[tuple[str, str, int, dict[str, Any]]],
    report: dict[str, Any],
) -> None:
    """Version, its evaluations (version id, split, rows, metrics) and the job's end, in one transaction."""
    with writing(db):
        add_version(db, card, folder, gate=report.get("gate"))
        for version_id, split, rows, metrics in evaluations:
            add_evaluation(db, version_id, split, rows, metrics, job_id)
        for split in ("taught", "held_out"):
            for row in report.get("splits", {}).get(split, {}).get("fixed", []):
                if row.get("example_id") is not None:
                    db.execute(  # sqlite-utils looks for a rowid after an ignored insert; this table has none
                        "insert or ignore into fixes (version_id, example_id) values (?, ?)",
                        [card["id"], row["example_id"]],
                    )
        db["jobs"].update(
            job_id,
            {
                "state": "done",
                "phase": "done",
                "version_id": card["id"],
                "report": json.dumps(report, ensure_ascii=False),
                "finished_at": now(),
            },
        )


def runs_alike(db: Database, job: dict[str, Any]) -> list[dict[str, Any]]:
    """The finished runs that differ from this one in the seed alone, itself among them, decoded."""

    def key(row: dict[str, Any]) -> tuple[Any, ...]:
        recipe = {name: value for name, value in row["recipe"].items() if name != "seed"}
        return row["parent_id"], sorted(row["example_ids"]), recipe

    rows = list_jobs(db, task=job["task"], states=("done",), limit=500)
    return [get_job(db, row["id"]) for row in rows if key(row) == key(job)]


def job_of_version(db: Database, version_id: str) -> str:
    """The id of the job that made the version. Raises ValueError where none did."""
    found = db.execute("SELECT id FROM jobs WHERE version_id = ?", [version_id]).fetchone()
    if found is None:
        raise ValueError(f"Expected a version that a retrain made; {version_id} was not.")
    return found[0]


def set_report(db: Database, job_id: str, report: dict[str, Any]) -> None:
    """Puts what was measured after the job's end into its report."""
    with writing(db):
        db["jobs"].update(job_id, {"report": json.dumps(report, ensure_ascii=False)})


def requeue_orphans(db: Database) -> list[str]:
    """For a worker that has just become the only one: jobs that another one left go back in the queue."""
    with writing(db):
        orphans = [r["id"] for r in db.query("SELECT id FROM jobs WHERE state IN ('running', 'interrupted')")]
        db.conn.execute(
            "UPDATE jobs SET state = 'queued', phase = 'waiting', finished_at = NULL "
            "WHERE state IN ('running', 'interrupted')"
        )
        db.conn.execute(
            "UPDATE jobs SET state = 'cancelled', phase = 'cancelled', finished_at = ? WHERE state = 'cancelling'",
            [now()],
        )
    return orphans


def count_by_state(db: Database) -> dict[str, int]:
    """How many jobs are in each state that any is in."""
    return {row["state"]: row["n"] for row in db.query("SELECT state, count(*) AS n FROM jobs GROUP BY state")}


def get_job(db: Database, job_id: str) -> dict[str, Any]:
    """The job with recipe, example_ids, progress and report decoded. Raises ValueError."""
    rows = list(db.query("SELECT * FROM jobs WHERE id = ?", [job_id]))
    if not rows:
        raise ValueError(f"There is no job {job_id!r}. `python cli.py jobs` lists them.")
    return _decode(rows[0])


def list_jobs(
    db: Database, *, task: str | None = None, states: tuple[str, ...] = (), limit: int = 50
) -> list[dict[str, Any]]:
    """Newest first, decoded; reports left out."""
    rows = db.query(
        "SELECT * FROM jobs WHERE (:task IS NULL OR task = :task) "
        "AND (:states = '[]' OR state IN (SELECT value FROM json_each(:states))) "
        "ORDER BY created_at DESC, rowid DESC LIMIT :limit",
        {"task": task, "states": json.dumps(states), "limit": limit},
    )
    return [_decode({**row, "report": None}) for row in rows]


def _decode(row: dict[str, Any]) -> dict[str, Any]:
    for name in ("recipe", "example_ids", "progress", "report"):
        row[name] = json.loads(row[name]) if row[name] else None
    return row
