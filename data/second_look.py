"""A second person's look at what somebody flagged, blind; and how far people agree.

Of the failures that people claimed for ANLI (Nie et al. 2020) 38 to 51 % were not confirmed by a second person: an
unverified store trains noise. Where a flag stands is kept beside its example, see `data/settling.py`.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from sqlite_utils import Database

from data.examples import Answer, flag_example
from data.roles import require, sign
from data.settling import OPEN, claim_of
from data.store import writing
from data.tasks import Task
from data.tasks.spans import SpanTask

ORIGIN = "second look"
FEWEST = 5
"""Fewer examples in common say nothing of agreement."""
MOST_COUNTED = 1000

_CURRENT = """
    SELECT v.example_id, v.annotator, v.expected_label
    FROM examples e JOIN verdicts v ON v.example_id = e.id
    WHERE e.task = :task AND e.state IS NOT NULL AND e.state != 'claimed' AND v.archived_at IS NULL
      AND v.id = (SELECT max(id) FROM verdicts w
                  WHERE w.example_id = v.example_id AND w.annotator = v.annotator AND w.archived_at IS NULL)
"""
"""The newest label of each annotator on each flag that two or more judged."""


def next_look(
    db: Database, task: Task, annotator: str, skipped: Collection[int] = frozenset()
) -> dict[str, Any] | None:
    """The flag that the annotator looks at next: `example_id`, `example`, and how many are `waiting` for them, at
    most 1,000; None where none is.

    Never their own, nor what is assigned to somebody else. What is assigned to them comes first, then those on which
    two differ, then the oldest.
    """
    name = sign(annotator)
    ranks: dict[int, list[str]] = {}
    for text in _queues(db, task):
        state, assigned, *voices = json.loads(text)
        if name not in voices and assigned in ("", name):
            ranks.setdefault(0 if assigned else 1 if state == OPEN else 2, []).append(text)
    where = "WHERE task = ? AND queue = ? AND id NOT IN (SELECT value FROM json_each(?))"
    ignored = json.dumps(list(skipped))
    for _, queues in sorted(ranks.items()):
        found = [
            db.execute(f"SELECT min(id) FROM examples {where}", [task.name, queue, ignored]).fetchone()[0]
            for queue in queues
        ]
        if ids := [example_id for example_id in found if example_id is not None]:
            example_id = min(ids)
            (fields,) = db.execute("SELECT fields FROM examples WHERE id = ?", [example_id]).fetchone()
            waiting = _count(db, task, [queue for queues in ranks.values() for queue in queues], ignored)
            return {"example_id": example_id, "example": json.loads(fields), "waiting": waiting}
    return None


def give_second_look(db: Database, task: Task, example_id: int, label: Any, *, annotator: str) -> int:
    """Stores what the annotator says of somebody else's flag; returns the verdict's id.

    Raises ValueError where it is their own, or nobody's.
    """
    require("flag")
    name = sign(annotator)
    with writing(db):
        voices = newest_verdicts(db, example_id)
        claim = claim_of(voices.values())
        if claim is None or claim["task"] != task.name:
            raise ValueError("That flag is gone; take the next one.")
        if name in voices:
            raise ValueError(f"Expected somebody else's look; {name} judged this example already.")
        answer = None
        if claim["predicted_label"] is not None and claim["probabilities"]:
            said = task.parse_label(claim["predicted_label"], claim["example"])
            answer = Answer(said, json.loads(claim["probabilities"]), claim["version_id"])
        return flag_example(
            db,
            task,
            claim["example"],
            label,
            annotator=name,
            answer=answer,
            category=claim["category"],
            origin=ORIGIN,
        )


def newest_verdicts(db: Database, example_id: int) -> dict[str, dict[str, Any]]:
    """Of each annotator the newest verdict in use on an example, with `example`."""
    rows = db.query(
        "SELECT v.*, e.fields FROM verdicts v JOIN examples e ON e.id = v.example_id "
        "WHERE e.id = ? AND v.archived_at IS NULL ORDER BY v.id",
        [example_id],
    )
    return {row["annotator"]: {**row, "example": json.loads(row.pop("fields"))} for row in rows}


def look_states(db: Database, task: Task) -> dict[str, int]:
    """How many flags are in each state."""
    return dict(
        db.execute(
            "SELECT state, count(*) FROM examples WHERE task = ? AND state IS NOT NULL GROUP BY 1", [task.name]
        ).fetchall()
    )


def agreement(db: Database, task: Task) -> dict[str, Any]:
    """How far people agree: `states` (see `look_states`), `pairs` and `fleiss`.

    A pair is two annotators with five or more flags in common: `first`, `second`, `rows`, `kappa` (Cohen 1960), and
    `confusion` (labels of the first by labels of the second) over `labels`. `fleiss` (Fleiss 1971) is over the flags
    that as many people judged as most were by; None under five of them. Spans agree where all of them do; they have
    no confusion and no `fleiss`.
    """
    import numpy as np
    from sklearn.metrics import cohen_kappa_score
    from statsmodels.stats.inter_rater import fleiss_kappa

    tables: dict[tuple[str, str], dict[tuple[str, str], int]] = {}
    for first, second, one, other, count in db.execute(
        f"WITH current AS MATERIALIZED ({_CURRENT}) "
        "SELECT a.annotator, b.annotator, a.expected_label, b.expected_label, count(*) FROM current a "
        "JOIN current b ON a.example_id = b.example_id AND a.annotator < b.annotator GROUP BY 1, 2, 3, 4",
        {"task": task.name},
    ):
        tables.setdefault((first, second), {})[one, other] = count
    pairs = []
    for (first, second), table in sorted(tables.items()):
        rows = sum(table.values())
        if rows < FEWEST:
            continue
        labels = list(task.labels) or sorted({label for cell in table for label in cell})
        if isinstance(task, SpanTask):
            labels = []
        ones, others = ([cell[side] for cell in table] for side in (0, 1))
        agreed = all(one == other for one, other in table)
        kappa = 1.0 if agreed else float(cohen_kappa_score(ones, others, sample_weight=list(table.values())))
        confusion = [[table.get((one, other), 0) for other in labels] for one in labels]
        pairs.append(
            {"first": first, "second": second, "rows": rows, "kappa": kappa, "labels": labels, "confusion": confusion}
        )
    if isinstance(task, SpanTask):
        return {"states": look_states(db, task), "pairs": pairs, "fleiss": None}
    votes: dict[int, list[tuple[tuple[int, ...], int]]] = {}
    names = list(task.labels) or [str(i) for i in range(5)]
    columns = ", ".join(f"sum(expected_label = '{name}') AS v{i}" for i, name in enumerate(names))
    for people, *counts, rows in db.execute(
        f"WITH current AS ({_CURRENT}), "
        f"votes AS (SELECT count(*) AS people, {columns} FROM current GROUP BY example_id) "
        f"SELECT *, count(*) FROM votes GROUP BY {', '.join(str(i + 1) for i in range(len(names) + 1))}",
        {"task": task.name},
    ):
        votes.setdefault(people, []).append((tuple(counts), rows))
    fleiss = None
    usual = max(votes.values(), key=lambda found: sum(rows for _, rows in found), default=[])
    if sum(rows for _, rows in usual) >= FEWEST:
        table = np.repeat(np.array([counts for counts, _ in usual]), [rows for _, rows in usual], axis=0)
        fleiss = float(fleiss_kappa(table)) if (table.sum(axis=0) > 0).sum() > 1 else 1.0
    return {"states": look_states(db, task), "pairs": pairs, "fleiss": fleiss}


def _queues(db: Database, task: Task) -> list[str]:
    """The different queues of a task that somebody's flags wait in, each found by one step in the index."""
    rows = db.execute(
        """
        WITH RECURSIVE queues (name) AS (
            SELECT min(queue) FROM examples WHERE task = :task AND queue IS NOT NULL
            UNION ALL
            SELECT (SELECT min(queue) FROM examples WHERE task = :task AND queue > name) FROM queues
            WHERE name IS NOT NULL
        )
        SELECT name FROM queues WHERE name IS NOT NULL
        """,
        {"task": task.name},
    )
    return [row[0] for row in rows]


def _count(db: Database, task: Task, queues: list[str], ignored: str) -> int:
    return db.execute(
        "SELECT count(*) FROM (SELECT 1 FROM examples WHERE task = ? AND queue IN (SELECT value FROM json_each(?)) "
        "AND id NOT IN (SELECT value FROM json_each(?)) LIMIT ?)",
        [task.name, json.dumps(queues, ensure_ascii=False), ignored, MOST_COUNTED],
    ).fetchone()[0]
