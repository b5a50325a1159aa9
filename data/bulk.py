"""One act on many verdicts: what it would change, then the change, as one step that can be undone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from sqlite_utils import Database

from data.examples import change_of
from data.finding import CAP, matching_ids, verdicts_of
from data.queries import Filters
from data.roles import require
from data.steps import change_verdicts
from data.store import now, writing
from data.tasks import clean_text

ACTS = ("relabel", "recategorise", "assign", "archive")


def preview(db: Database, filters: Filters, act: str, value: str = "") -> dict[str, Any]:
    """What an act would do to the verdicts that match: `matching`, the `ids`, `changes` (how many from what to what)
    and `refused` (why some cannot, with how many).

    Raises ValueError where more than 10,000 match.
    """
    ids = matching_ids(db, filters)
    if len(ids) > CAP:
        raise ValueError(f"More than {CAP:,} match; filter further.")
    changes: Counter[tuple[str, str]] = Counter()
    refused: Counter[str] = Counter()
    kept = []
    for row in verdicts_of(db, ids):
        try:
            after = _change(row, act, value)
        except ValueError as error:
            refused[str(error)] += 1
            continue
        kept.append(row["id"])
        column = {"relabel": "expected_label", "recategorise": "category", "assign": "assigned_to"}.get(
            act, "archived_at"
        )
        if row[column] != after.get(column, row[column]):
            changes[(row[column] or "", after[column] or "") if act != "archive" else ("in use", "archived")] += 1
    return {"matching": len(ids), "ids": kept, "changes": dict(changes), "refused": dict(refused)}


def relabel(db: Database, ids: Sequence[int], label: str, *, by: str) -> int | None:
    """Gives verdicts another expected label; returns the step. Raises ValueError where one cannot have it."""
    return apply(db, ids, "relabel", label, by=by)


def recategorise(db: Database, ids: Sequence[int], category: str, *, by: str) -> int | None:
    """Puts verdicts into another category; returns the step."""
    return apply(db, ids, "recategorise", category, by=by)


def assign(db: Database, ids: Sequence[int], annotator: str, *, by: str) -> int | None:
    """Says who takes the second look at these flags, nobody in particular where it is empty; returns the step."""
    return apply(db, ids, "assign", annotator, by=by)


def apply(db: Database, ids: Sequence[int], act: str, value: str, *, by: str) -> int | None:
    """Does one of `ACTS` to verdicts, all or none; returns the step, None where nothing changes.

    Raises ValueError, and NotAllowed where the person is no reviewer.
    """
    if act == "assign":
        require("change any")
    with writing(db):
        changes = {row["id"]: _change(row, act, value) for row in verdicts_of(db, ids)}
        return change_verdicts(db, act, changes, by=by)


def _change(row: dict[str, Any], act: str, value: str) -> dict[str, Any]:
    if act == "relabel":
        return change_of(row, expected=value)
    if act == "recategorise":
        return change_of(row, category=value)
    if act == "assign":
        return {"assigned_to": clean_text(value) or None}
    if act == "archive":
        return {"archived_at": now()}
    raise ValueError(f"Expected as act one of {', '.join(ACTS)}; found {act!r}.")
