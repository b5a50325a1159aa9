"""Read-only questions to the store, for the tables and dashboards."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlite_utils import Database

from data.scripts import apart
from data.tasks import Task, clean_text, get_task
from data.tasks.base import MAX_CHOICES
from data.versions import get_version


@dataclass(frozen=True)
class Filters:
    """What a person looks for among the verdicts; what is None (or empty) does not restrict."""

    task: str | None = None
    kind: str | None = None
    category: str | None = None
    label: str | None = None
    annotator: str | None = None
    version: str | None = None
    predicted: str | None = None
    """The label that the model gave."""
    state: str | None = None
    """What second looks came to, see `data/settling.py`."""
    fixed_in: str | None = None
    """A version that answers right what its parent answered wrong."""
    assigned_to: str | None = None
    since: str | None = None
    """The first day, as YYYY-MM-DD."""
    until: str | None = None
    """The last day."""
    least: float | None = None
    """How sure the model was at least, from 0 to 1."""
    most: float | None = None
    search: str = ""
    archived: bool = False


IDS = re.compile(r"ids:((?:[\s,]*\d{1,15})+)[\s,]*", re.IGNORECASE)
"""A search for verdicts by their ids, such as "ids: 3, 7"."""

_FROM = "FROM verdicts v JOIN examples e ON e.id = v.example_id"


def find_verdicts(db: Database, filters: Filters, *, limit: int = 50, offset: int = 0) -> list[dict[str, Any]]:
    """Matching verdicts, newest first, each with its example's task, fields and split."""
    where, values = _where(db, filters)
    rows = db.query(
        f"SELECT v.*, e.fields, e.split, e.state {_FROM} {where} ORDER BY v.id DESC LIMIT :limit OFFSET :offset",
        {**values, "limit": limit, "offset": offset},
    )
    return [{**row, "example": json.loads(row["fields"])} for row in rows]


def count_verdicts(db: Database, filters: Filters) -> int:
    where, values = _where(db, filters)
    return db.execute(f"SELECT count(*) {_FROM} {where}", values).fetchone()[0]


def facets(db: Database, task: str) -> dict[str, list[str]]:
    """By filter the values that occur among a task's verdicts in use, for the menus."""
    known = list(get_task(task).labels) or [str(index) for index in range(MAX_CHOICES)]
    return {
        **{name: _values(db, task, column) for name, column in _INDEXED.items()},
        **{name: [v for v in known if _occurs(db, task, column, v)] for name, column in _LABELS.items()},
        "fixed_in": [
            row[0]
            for row in db.execute(
                "SELECT id FROM versions WHERE task = ? AND EXISTS (SELECT 1 FROM fixes WHERE version_id = id) "
                "ORDER BY created_at, rowid",
                [task],
            )
        ],
        "assigned_to": [
            row[0]
            for row in db.execute(
                "SELECT DISTINCT assigned_to FROM verdicts INDEXED BY verdicts_assigned "
                "WHERE assigned_to IS NOT NULL AND task = ? ORDER BY 1",
                [task],
            )
        ],
    }


_INDEXED = {"category": "category", "annotator": "annotator", "version": "version_id"}
_LABELS = {"label": "expected_label", "predicted": "predicted_label"}


def _values(db: Database, task: str, column: str) -> list[str]:
    """The different values of a column that leads an index, each found by one step in it."""
    rows = db.execute(
        f"""
        WITH RECURSIVE found (value) AS (
            SELECT min({column}) FROM verdicts WHERE task = :task AND archived_at IS NULL
            UNION ALL
            SELECT (
                SELECT min({column}) FROM verdicts WHERE task = :task AND archived_at IS NULL AND {column} > value
            ) FROM found WHERE value IS NOT NULL
        )
        SELECT value FROM found WHERE value IS NOT NULL
        """,
        {"task": task},
    )
    return [row[0] for row in rows]


def _occurs(db: Database, task: str, column: str, value: str) -> bool:
    return bool(
        db.execute(
            f"SELECT EXISTS (SELECT 1 FROM verdicts WHERE task = ? AND {column} = ? AND archived_at IS NULL)",
            [task, value],
        ).fetchone()[0]
    )


def disagreements(db: Database, example_ids: list[int]) -> list[dict[str, Any]]:
    """For each of the examples its `fields` and `labels`: who said what, newest verdict of each annotator."""
    rows: dict[int, dict[str, Any]] = {}
    for row in db.query(
        "SELECT e.id, e.fields, v.annotator, v.expected_label FROM verdicts v JOIN examples e ON e.id = v.example_id "
        "WHERE v.archived_at IS NULL AND e.id IN (SELECT value FROM json_each(?)) ORDER BY v.id",
        [json.dumps(example_ids)],
    ):
        found = rows.setdefault(row["id"], {"example": json.loads(row["fields"]), "labels": {}})
        found["labels"][row["annotator"]] = row["expected_label"]
    return list(rows.values())


def incoming(db: Database, task: Task, live_id: str) -> list[dict[str, Any]]:
    """What the live version was not trained on: by category, counts of `corrections`, `confirmations`
    and `held_out` (examples, not verdicts)."""
    seen = get_version(db, live_id)["example_ids"]
    return list(
        db.query(
            f"""
            SELECT category, sum(kind = 'correction' AND split = 'train') AS corrections,
                   sum(kind = 'confirmation' AND split = 'train') AS confirmations,
                   sum(split = 'held_out') AS held_out
            FROM (SELECT v.category, v.kind, e.split {_FROM}
                  WHERE v.archived_at IS NULL AND e.task = :task
                    AND v.id IN (SELECT max(id) FROM verdicts WHERE archived_at IS NULL GROUP BY example_id)
                    AND e.id NOT IN (SELECT value FROM json_each(:seen)))
            GROUP BY category ORDER BY corrections DESC, category
            """,
            {"task": task.name, "seen": seen},
        )
    )


def weekly_failures(db: Database, task: str) -> list[dict[str, Any]]:
    """Corrections in use by `week` (its Monday) and `category`: `count`, the oldest week first."""
    return list(
        db.query(
            f"""
            SELECT date(v.created_at, 'weekday 0', '-6 days') AS week, v.category, count(*) AS count {_FROM}
            WHERE v.archived_at IS NULL AND v.kind = 'correction' AND e.task = ? GROUP BY 1, 2 ORDER BY 1, 2
            """,
            [task],
        )
    )


def judged_confidences(db: Database, task: str) -> dict[str, list[float]]:
    """For corrections and confirmations in use how sure the model was of the answer that was judged."""
    found: dict[str, list[float]] = {}
    for kind, probabilities in db.execute(
        f"SELECT v.kind, v.probabilities {_FROM} "
        "WHERE v.archived_at IS NULL AND v.probabilities IS NOT NULL AND e.task = ?",
        [task],
    ):
        found.setdefault(kind, []).append(max(json.loads(probabilities)))
    return found


def store_counts(db: Database) -> dict[str, dict[str, int]]:
    """For each task the number of corrections and confirmations in use."""
    counts: dict[str, dict[str, int]] = {}
    for task, kind, count in db.execute(
        f"SELECT e.task, v.kind, count(*) {_FROM} WHERE v.archived_at IS NULL GROUP BY 1, 2"
    ):
        counts.setdefault(task, {"correction": 0, "confirmation": 0})[kind] = count
    return counts


def conditions(db: Database, filters: Filters) -> tuple[str, dict[str, Any], str | None]:
    """The filters as a condition on `verdicts v`, its values, and the words to look for as an FTS query (or None).

    Raises ValueError where a date or a number is none.
    """
    clauses = [f"v.archived_at IS {'NOT ' if filters.archived else ''}NULL"]
    values: dict[str, Any] = {}
    for name, clause in _CLAUSES.items():
        value = getattr(filters, name)
        if value not in (None, ""):
            # where another filter has an index of its own, that one is walked, not the one of confidence
            narrowed = name in ("least", "most") and any(getattr(filters, other) for other in _INDEXED)
            clauses.append(f"+{clause}" if narrowed else clause)
            values[name] = clean_text(value) if isinstance(value, str) else value
    for name in ("since", "until"):
        if name in values:
            values[name] = _day(values[name], later=name == "until")
    search, words = clean_text(filters.search), None
    if listed := IDS.fullmatch(search):
        clauses.append("v.id IN (SELECT value FROM json_each(:ids))")
        values["ids"] = json.dumps([int(number) for number in re.findall(r"\d+", listed[1])])
    elif search:
        words = apart(db.quote_fts(search)) or '""'  # a lone quote finds nothing
    return " AND ".join(clauses), values, words


_CLAUSES = {
    "task": "v.task = :task",
    "kind": "v.kind = :kind",
    "category": "v.category = :category",
    "label": "v.expected_label = :label",
    "predicted": "v.predicted_label = :predicted",
    "annotator": "v.annotator = :annotator",
    "version": "v.version_id = :version",
    "assigned_to": "v.assigned_to = :assigned_to",
    "least": "v.confidence >= :least",
    "most": "v.confidence <= :most",
    # rows are stored in the order of their time, so a day is a range of ids
    "since": "v.id >= (SELECT coalesce(min(id), 9e18) FROM verdicts WHERE created_at >= :since)",
    "until": "v.id <= (SELECT coalesce(max(id), 0) FROM verdicts WHERE created_at < :until)",
    "state": "EXISTS (SELECT 1 FROM examples e WHERE e.id = v.example_id AND e.state = :state)",
    "fixed_in": "v.example_id IN (SELECT example_id FROM fixes WHERE version_id = :fixed_in)",
}
"""What a filter asks of a verdict."""


def _day(text: str, *, later: bool) -> str:
    """A day as a time that rows compare with; the day after it where `later`."""
    try:
        day = date.fromisoformat(text.strip())
    except ValueError:
        raise ValueError(f"Expected as day YYYY-MM-DD, such as 2026-01-31; found {text!r}.") from None
    return (day + timedelta(days=1)).isoformat() if later else day.isoformat()


def _where(db: Database, filters: Filters) -> tuple[str, dict[str, Any]]:
    where, values, words = conditions(db, filters)
    if words is not None:
        where += " AND e.id IN (SELECT rowid FROM examples_fts WHERE examples_fts MATCH :search)"
        values["search"] = words
    return f"WHERE {where}", values
