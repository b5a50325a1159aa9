"""Read-only questions to the store, for the tables and dashboards."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from sqlite_utils import Database

from data.tasks import Task, clean_text
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
    search: str = ""
    archived: bool = False


IDS = re.compile(r"ids:((?:[\s,]*\d{1,15})+)[\s,]*", re.IGNORECASE)
"""A search for verdicts by their ids, such as "ids: 3, 7"."""

_FROM = "FROM verdicts v JOIN examples e ON e.id = v.example_id"


def find_verdicts(db: Database, filters: Filters, *, limit: int = 50, offset: int = 0) -> list[dict[str, Any]]:
    """Matching verdicts, newest first, each with its example's task, fields and split."""
    where, values = _where(db, filters)
    rows = db.query(
        f"SELECT v.*, e.task, e.fields, e.split {_FROM} {where} ORDER BY v.id DESC LIMIT :limit OFFSET :offset",
        {**values, "limit": limit, "offset": offset},
    )
    return [{**row, "example": json.loads(row["fields"])} for row in rows]


def count_verdicts(db: Database, filters: Filters) -> int:
    where, values = _where(db, filters)
    return db.execute(f"SELECT count(*) {_FROM} {where}", values).fetchone()[0]


def facets(db: Database, task: str | None = None) -> dict[str, list[str]]:
    """The values that occur, for the filters' menus: categories, labels, annotators, versions."""
    where, values = _where(db, Filters(task=task))
    columns = {
        "categories": "category",
        "labels": "expected_label",
        "annotators": "annotator",
        "versions": "version_id",
    }
    return {
        name: [r[0] for r in db.execute(f"SELECT DISTINCT v.{column} {_FROM} {where} ORDER BY 1", values) if r[0]]
        for name, column in columns.items()
    }


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


def _where(db: Database, filters: Filters) -> tuple[str, dict[str, Any]]:
    clauses = [f"v.archived_at IS {'NOT ' if filters.archived else ''}NULL"]
    values: dict[str, Any] = {}
    for name, column in (
        ("task", "e.task"),
        ("kind", "v.kind"),
        ("category", "v.category"),
        ("label", "v.expected_label"),
        ("annotator", "v.annotator"),
        ("version", "v.version_id"),
    ):
        value = getattr(filters, name)
        if value:
            clauses.append(f"{column} = :{name}")
            values[name] = value
    search = clean_text(filters.search)
    if listed := IDS.fullmatch(search):
        clauses.append("v.id IN (SELECT value FROM json_each(:ids))")
        values["ids"] = json.dumps([int(number) for number in re.findall(r"\d+", listed[1])])
    elif search:
        clauses.append("e.id IN (SELECT rowid FROM examples_fts WHERE examples_fts MATCH :search)")
        values["search"] = db.quote_fts(search) or '""'  # a lone quote finds nothing
    return "WHERE " + " AND ".join(clauses), values
