"""What versions made of the behavioural suites: stored, listed, and their failing rows taken over as corrections."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from sqlite_utils import Database

from data.examples import Answer, flag_example
from data.roles import sign
from data.settling import settle_verdicts
from data.steps import begin_step
from data.store import now, writing
from data.tasks import Task
from data.versions import lineage


def save_result(db: Database, task: Task, version_id: str, result: dict[str, Any]) -> None:
    """Keeps what `models.suites.run_suite` found, in place of an older result of the same version and suite."""
    kept = {name: result[name] for name in ("suite", "category", "rows", "failed", "low", "high")}
    with writing(db):
        db["suite_results"].upsert(
            {
                **kept,
                "version_id": version_id,
                "task": task.name,
                "failures": json.dumps(result["failures"], ensure_ascii=False),
                "created_at": now(),
            },
            pk=("version_id", "suite"),
        )


def suite_results(db: Database, task: str | None = None) -> list[dict[str, Any]]:
    """Every stored result without its failing rows, oldest version first; `rate` is the share that failed."""
    return list(
        db.query(
            "SELECT r.version_id, r.suite, r.task, r.category, r.rows, r.failed, r.low, r.high, "
            "CAST(r.failed AS REAL) / r.rows AS rate FROM suite_results r JOIN versions v ON v.id = r.version_id "
            "WHERE :task IS NULL OR r.task = :task ORDER BY v.created_at, v.rowid, r.suite",
            {"task": task},
        )
    )


def failing_rows(db: Database, version_id: str, suite: str) -> list[dict[str, Any]]:
    """The rows of a suite that the version failed: `example`, `label` (None where the suite compares two examples,
    then with `second`), `template`, `answer` and `probabilities`."""
    found = db.execute(
        "SELECT failures FROM suite_results WHERE version_id = ? AND suite = ?", [version_id, suite]
    ).fetchone()
    return json.loads(found[0]) if found else []


def taught_hashes(db: Database, version_id: str) -> set[str]:
    """Content hashes of the examples that the version, or one that it descends from, was trained on."""
    query = "SELECT content_hash FROM examples WHERE id IN (SELECT value FROM json_each(?))"
    return {row[0] for v in lineage(db, version_id) for row in db.execute(query, [v["example_ids"]])}


def flag_failures(
    db: Database, task: Task, version_id: str, rows: Iterable[dict[str, Any]], annotator: str
) -> list[int]:
    """Stores failing rows as corrections, all or none; returns the verdicts' ids.

    Rows that compare two examples have no right label and are left out, as are those that the annotator took over
    from a suite before.
    """
    annotator = sign(annotator)
    known = {
        row[0]
        for row in db.execute(
            "SELECT e.content_hash FROM verdicts v JOIN examples e ON e.id = v.example_id "
            "WHERE v.archived_at IS NULL AND v.origin LIKE 'suite %' AND v.annotator = ?",
            [annotator],
        )
    }
    ids = []
    with writing(db):
        step_id = begin_step(db, "flag", annotator)
        for row in rows:
            if row["label"] is None or task.content_hash(row["example"]) in known:
                continue
            ids.append(
                flag_example(
                    db,
                    task,
                    row["example"],
                    row["label"],
                    annotator=annotator,
                    answer=Answer(row["answer"], row["probabilities"], version_id),
                    category=row["category"],
                    origin=f"suite {row['suite']}",
                    step_id=step_id,
                )
            )
        settle_verdicts(db, ids)
    return ids
