"""Where to look for failures next: what was tried, what it cost, and what nobody has looked at."""

from __future__ import annotations

from typing import Any

from sqlite_utils import Database

from data.store import now, writing
from data.tasks import Task

PAUSE_S = 300.0
"""A longer gap between two probes was a break, not work."""
ENOUGH = 10
"""With so many corrections a category has been looked at."""
HALF = 0.5


def log_probe(db: Database, task: Task, version_id: str, category: str, confidence: float) -> None:
    """Keeps that an input was tried, and how sure the answer was; the input itself is not kept."""
    with writing(db):
        db["probes"].insert(
            {
                "task": task.name,
                "version_id": version_id,
                "category": category if category in task.categories else "other",
                "confidence": round(confidence, 4),
                "created_at": now(),
            }
        )


def economics(db: Database, task: Task) -> list[dict[str, Any]]:
    """For each category that was tried or flagged: `tries`, `failures` (corrections in use), and `tries_each` and
    `seconds_each` per failure (None without one). Breaks of over five minutes do not count as time."""
    tried = {
        row["category"]: row
        for row in db.query(
            """
            SELECT category, count(*) AS tries, sum(CASE WHEN gap < :pause THEN gap ELSE 0 END) AS seconds
            FROM (SELECT category,
                         (julianday(created_at) - julianday(lag(created_at) OVER (ORDER BY id))) * 86400 AS gap
                  FROM probes WHERE task = :task)
            GROUP BY category
            """,
            {"task": task.name, "pause": PAUSE_S},
        )
    }
    failures = dict(
        db.execute(
            "SELECT v.category, count(DISTINCT v.example_id) FROM verdicts v JOIN examples e ON e.id = v.example_id "
            "WHERE e.task = ? AND v.kind = 'correction' AND v.archived_at IS NULL GROUP BY 1",
            [task.name],
        ).fetchall()
    )
    rows = []
    for category in task.categories:
        tries, found = tried.get(category, {"tries": 0, "seconds": 0.0}), failures.get(category, 0)
        if tries["tries"] or found:
            rows.append(
                {
                    "category": category,
                    "tries": tries["tries"],
                    "failures": found,
                    "tries_each": tries["tries"] / found if found and tries["tries"] else None,
                    "seconds_each": (tries["seconds"] or 0.0) / found if found and tries["tries"] else None,
                }
            )
    return sorted(rows, key=lambda row: (-row["failures"], -row["tries"]))


def suggestions(db: Database, task: Task, version_id: str) -> list[dict[str, Any]]:
    """What to try next, the most promising first: `where` is a category; `suite`, `share` (failed, in percent) and
    `corrections` say why, or are missing where nobody has tried it.

    Capabilities that the version fails by half or more and whose category has few corrections; then categories that
    nobody has tried or flagged.
    """
    known = {row["category"]: row for row in economics(db, task)}
    found: dict[str, dict[str, Any]] = {}
    for row in db.query(
        "SELECT suite, category, failed, rows FROM suite_results WHERE version_id = ? "
        "ORDER BY CAST(failed AS REAL) / rows DESC",
        [version_id],
    ):
        corrections = known.get(row["category"], {}).get("failures", 0)
        if row["failed"] >= HALF * row["rows"] and corrections < ENOUGH and row["category"] not in found:
            share = round(100 * row["failed"] / row["rows"])
            found[row["category"]] = {"suite": row["suite"], "share": share, "corrections": corrections}
    for category in task.categories:
        if category not in known and category not in found and category != "other":
            found[category] = {}
    return [{"where": where, **why} for where, why in found.items()]
