"""Every change of a verdict, kept: who, when, what it was before and after. Nothing is deleted, all can be undone.

A step is what a person did at once: one flag, one edit, a bulk act over thousands, an import. Its events are the
verdicts that it made (`before` is NULL) or changed (the columns that differ).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sqlite_utils import Database

from data.roles import acting, require_change, sign
from data.settling import settle_examples
from data.store import now, writing

CHANGEABLE = ("expected_label", "kind", "category", "note", "annotator", "archived_at", "assigned_to")
UNDO = "undo"


def begin_step(db: Database, act: str, who: str, undoes: int | None = None) -> int:
    """A step that the events of the same transaction belong to; returns its id."""
    return db.conn.execute(
        "INSERT INTO steps (act, who, created_at, undoes) VALUES (?, ?, ?, ?)", [act, who, now(), undoes]
    ).lastrowid


def record_new(db: Database, step_id: int, verdict_id: int, row: Mapping[str, Any]) -> None:
    """The event that a verdict was made."""
    after = _dump({name: row.get(name) for name in CHANGEABLE})
    db.conn.execute("INSERT INTO events (step_id, verdict_id, after) VALUES (?, ?, ?)", [step_id, verdict_id, after])


def change_verdicts(
    db: Database,
    act: str,
    changes: Mapping[int, Mapping[str, Any]],
    *,
    by: str | None = None,
    undoes: int | None = None,
) -> int | None:
    """Changes verdicts, each to the columns given for its id, as one step; returns it, None where nothing differs.

    Unknown ids are passed over. Signed by the account that acts, else by `by`, else by the verdicts' only annotator.
    Raises NotAllowed where they are other people's and the role does not cover that, and StoreError.
    """
    with writing(db):
        rows = _rows(db, list(changes))
        differing = {}
        for verdict_id, row in rows.items():
            after = {name: value for name, value in changes[verdict_id].items() if row[name] != value}
            if after:
                differing[verdict_id] = after
        if not differing:
            return None
        owners = {rows[verdict_id]["annotator"] for verdict_id in differing}
        require_change(owners)
        who = acting().name or sign(by or (owners.pop() if len(owners) == 1 else None))
        step_id = begin_step(db, act, who, undoes)
        _record(
            db,
            [
                (step_id, verdict_id, _dump({name: rows[verdict_id][name] for name in after}), _dump(after))
                for verdict_id, after in differing.items()
            ],
        )
        _write(db, differing)
        settle_examples(db, {rows[verdict_id]["example_id"] for verdict_id in differing})
    return step_id


def undo_step(db: Database, step_id: int, *, by: str | None = None) -> dict[str, Any]:
    """Puts back what a step changed, and archives what it made, as a step of its own that can be undone again.

    Verdicts that were changed since stay as they are. Returns `step` (None where nothing was left to undo), `undone`
    and `left` (how many were changed since). Raises ValueError where there is no such step or it is undone already.
    """
    with writing(db):
        step = get_step(db, step_id)
        if step["undone_by"] is not None:
            raise ValueError(f"Step {step_id} is undone already.")
        events = list(db.query("SELECT * FROM events WHERE step_id = ? ORDER BY id", [step_id]))
        rows = _rows(db, [event["verdict_id"] for event in events])
        changes: dict[int, dict[str, Any]] = {}
        for event in events:
            row, after = rows[event["verdict_id"]], json.loads(event["after"])
            before = json.loads(event["before"]) if event["before"] else {"archived_at": now()}
            if all(row[name] == after[name] for name in before):
                changes[event["verdict_id"]] = before
        made = change_verdicts(db, UNDO, changes, by=by, undoes=step_id) if changes else None
        if made is not None:
            db.execute("UPDATE steps SET undone_by = ? WHERE id = ?", [made, step_id])
            if step["undoes"] is not None:  # an undo taken back: what it undid holds again
                db.execute("UPDATE steps SET undone_by = NULL WHERE id = ?", [step["undoes"]])
    return {"step": made, "undone": len(changes), "left": len(events) - len(changes)}


def undo_last(db: Database, *, by: str) -> dict[str, Any]:
    """Undoes the person's newest step that is not undone; returns what `undo_step` does, with the `act`.

    Raises ValueError where there is none.
    """
    with writing(db):
        found = db.execute(
            "SELECT id, act FROM steps WHERE who = ? AND undoes IS NULL AND undone_by IS NULL "
            "ORDER BY id DESC LIMIT 1",
            [sign(by)],
        ).fetchone()
        if found is None:
            raise ValueError(f"{sign(by)} has done nothing yet that could be undone.")
        return {"act": found[1], **undo_step(db, found[0], by=by)}


def get_step(db: Database, step_id: int) -> dict[str, Any]:
    """The step's row. Raises ValueError where there is none."""
    row = next(db.query("SELECT * FROM steps WHERE id = ?", [step_id]), None)
    if row is None:
        raise ValueError(f"There is no step {step_id}.")
    return row


def step_of(db: Database, verdict_id: int) -> int:
    """The step that made a verdict."""
    return db.execute("SELECT min(step_id) FROM events WHERE verdict_id = ?", [verdict_id]).fetchone()[0]


def recent_steps(db: Database, *, who: str | None = None, limit: int = 20) -> list[dict[str, Any]]:
    """The newest steps, of everybody or of one person, each with how many `verdicts` it touched."""
    return list(
        db.query(
            "SELECT s.*, (SELECT count(*) FROM events WHERE step_id = s.id) AS verdicts FROM steps s "
            "WHERE :who IS NULL OR who = :who ORDER BY id DESC LIMIT :limit",
            {"who": who, "limit": limit},
        )
    )


def history(db: Database, verdict_id: int) -> list[dict[str, Any]]:
    """What happened to a verdict, oldest first: `step_id`, `act`, `who`, `created_at`, `before` (None where it was
    made) and `after` as dicts."""
    rows = db.query(
        "SELECT e.step_id, s.act, s.who, s.created_at, e.before, e.after FROM events e "
        "JOIN steps s ON s.id = e.step_id WHERE e.verdict_id = ? ORDER BY e.id",
        [verdict_id],
    )
    return [
        {**row, "before": row["before"] and json.loads(row["before"]), "after": json.loads(row["after"])}
        for row in rows
    ]


def _rows(db: Database, verdict_ids: list[int]) -> dict[int, dict[str, Any]]:
    columns = ("id", "example_id", *CHANGEABLE)
    found = db.execute(
        f"SELECT {', '.join(columns)} FROM verdicts WHERE id IN (SELECT value FROM json_each(?))",
        [json.dumps(verdict_ids)],
    )
    return {values[0]: dict(zip(columns, values, strict=True)) for values in found}


def _write(db: Database, changes: Mapping[int, Mapping[str, Any]]) -> None:
    """Updates, grouped by the columns that change."""
    time = now()
    groups: dict[tuple[str, ...], list[tuple[Any, ...]]] = {}
    for verdict_id, after in changes.items():
        groups.setdefault(tuple(after), []).append((*after.values(), time, verdict_id))
    for names, values in groups.items():
        columns = ", ".join(f"{name} = ?" for name in names)
        db.conn.executemany(f"UPDATE verdicts SET {columns}, updated_at = ? WHERE id = ?", values)


def _record(db: Database, events: list[tuple[int, int, str | None, str]]) -> None:
    db.conn.executemany("INSERT INTO events (step_id, verdict_id, before, after) VALUES (?, ?, ?, ?)", events)


def _dump(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False)
