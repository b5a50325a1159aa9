"""What guidance alone makes of the behavioural suites, version by version: stored and listed."""

from __future__ import annotations

from typing import Any

from sqlite_utils import Database

from data.store import now, writing
from data.tasks import Task

KEPT = ("suite", "category", "kind", "rows", "failed", "failed_guided", "low", "high")


def save_guided(db: Database, task: Task, version_id: str, result: dict[str, Any]) -> None:
    """Keeps what `models.suites.run_guided` found, in place of an older result of that version, suite and kind."""
    kept = {name: result[name] for name in KEPT}
    with writing(db):
        db["guided_results"].upsert(
            {**kept, "version_id": version_id, "task": task.name, "created_at": now()},
            pk=("version_id", "suite", "kind"),
        )


def guided_results(db: Database, task: str, version_id: str, kind: str) -> list[dict[str, Any]]:
    """The version's stored results with that kind of guidance, most failed without it first."""
    return list(
        db.query(
            "SELECT suite, category, kind, rows, failed, failed_guided, low, high FROM guided_results "
            "WHERE task = ? AND version_id = ? AND kind = ? ORDER BY CAST(failed AS REAL) / rows DESC, suite",
            [task, version_id, kind],
        )
    )
