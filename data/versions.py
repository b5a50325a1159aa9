"""Versions, their evaluations and promotions: rows only; the folders are the models' business."""

from __future__ import annotations

import json
from typing import Any

from sqlite_utils import Database

from data.roles import require, sign
from data.store import now, writing


class GateError(ValueError):
    """The version may not be promoted without a reason."""


def add_version(
    db: Database, card: dict[str, Any], folder: str, note: str = "", gate: list[str] | None = None
) -> None:
    """Records the version whose `version.json` is `card`; `folder` is relative to the workspace.

    `gate` lists what speaks against promoting it; None where nothing was measured.
    """
    with writing(db):
        db["versions"].insert(
            {
                "id": card["id"],
                "task": card["task"],
                "parent_id": card.get("parent"),
                "folder": folder,
                "base": str(card["base"]),
                "recipe": json.dumps(card.get("recipe")),
                "example_ids": json.dumps(card.get("example_ids", [])),
                "note": note,
                "gate": None if gate is None else json.dumps(gate),
                "created_at": now(),
            }
        )


def get_version(db: Database, version_id: str) -> dict[str, Any]:
    """The version's row. Raises ValueError that lists the known ones."""
    rows = list(db.query("SELECT * FROM versions WHERE id = ?", [version_id]))
    if not rows:
        known = [r["id"] for r in db.query("SELECT id FROM versions ORDER BY created_at DESC LIMIT 10")]
        raise ValueError(f"There is no version {version_id!r}. Known: {', '.join(known) or 'none'}.")
    return rows[0]


def lineage(db: Database, version_id: str) -> list[dict[str, Any]]:
    """The version's row and those it descends from, the oldest first. Raises ValueError where there is none."""
    rows = [get_version(db, version_id)]
    while rows[0]["parent_id"] is not None:
        rows.insert(0, get_version(db, rows[0]["parent_id"]))
    return rows


def list_versions(db: Database, task: str | None = None) -> list[dict[str, Any]]:
    """Newest first, with `live` and, by split, the newest evaluation's metrics."""
    metrics: dict[str, dict[str, Any]] = {}
    for row in db.query("SELECT version_id, split, metrics FROM evaluations ORDER BY id"):
        metrics.setdefault(row["version_id"], {})[row["split"]] = json.loads(row["metrics"])
    live = live_versions(db)
    rows = db.query(
        "SELECT * FROM versions WHERE (:task IS NULL OR task = :task) ORDER BY created_at DESC, rowid DESC",
        {"task": task},
    )
    return [{**r, "live": live.get(r["task"]) == r["id"], "metrics": metrics.get(r["id"], {})} for r in rows]


def live_versions(db: Database) -> dict[str, str]:
    """For each task the id of the version that answers."""
    return {
        r["task"]: r["version_id"]
        for r in db.query(
            "SELECT task, version_id FROM promotions WHERE id IN (SELECT max(id) FROM promotions GROUP BY task)"
        )
    }


def live_version(db: Database, task: str) -> str:
    """The id of the version that answers for `task`. Raises ValueError where none was promoted."""
    live = live_versions(db).get(task)
    if live is None:
        raise ValueError(f"No version of task {task!r} is promoted yet. Promote one in the Versions tab.")
    return live


def gate_of(db: Database, version_id: str) -> list[str]:
    """What speaks against promoting the version; empty where nothing does or nothing was measured."""
    return json.loads(get_version(db, version_id)["gate"] or "[]")


def promote_version(db: Database, version_id: str, *, by: str, reason: str = "", going_back: bool = False) -> str:
    """Makes the version the one that answers; returns the id of the one before (or its own).

    Raises GateError where the version's gate speaks against it and no reason is given; the promotion keeps what it
    overrode. `going_back` passes the gate: an undo or a roll back returns to what answered before.
    """
    require("promote")
    with writing(db):
        version = get_version(db, version_id)
        against = [] if going_back else gate_of(db, version_id)
        if against and not reason.strip():
            raise GateError(
                f"{version_id} is held back: {'; '.join(against)}. Retrain with more examples or another strength, "
                "or give a reason to promote it all the same."
            )
        before = live_versions(db).get(version["task"], version_id)
        db["promotions"].insert(
            {
                "task": version["task"],
                "version_id": version_id,
                "promoted_by": sign(by),
                "reason": reason.strip(),
                "overrode": "; ".join(against) or None,
                "created_at": now(),
            }
        )
    return before


def roll_back(db: Database, task: str, *, by: str) -> tuple[str, str]:
    """Promotes the version that was live before the live one first was; returns (old, new live id).

    Called again it goes one further back. Raises ValueError where nothing is further back.
    """
    require("promote")
    with writing(db):
        live = live_version(db, task)
        row = db.execute(
            "SELECT version_id FROM promotions WHERE task = :task AND id < "
            "(SELECT min(id) FROM promotions WHERE task = :task AND version_id = :live) ORDER BY id DESC LIMIT 1",
            {"task": task, "live": live},
        ).fetchone()
        if row is None:
            raise ValueError(f"{live} is the first version of task {task!r}; there is none to roll back to.")
        promote_version(db, row[0], by=by, reason=f"rollback of {live}", going_back=True)
    return live, row[0]


def add_evaluation(
    db: Database, version_id: str, split: str, rows: int, metrics: dict[str, Any], job_id: str | None = None
) -> None:
    with writing(db):
        db["evaluations"].insert(
            {
                "version_id": version_id,
                "job_id": job_id,
                "split": split,
                "rows": rows,
                "metrics": json.dumps(metrics),
                "created_at": now(),
            }
        )


def promotion_history(db: Database, task: str | None = None, limit: int = 50) -> list[dict[str, Any]]:
    """Newest first."""
    return list(
        db.query(
            "SELECT * FROM promotions WHERE (:task IS NULL OR task = :task) ORDER BY id DESC LIMIT :limit",
            {"task": task, "limit": limit},
        )
    )
