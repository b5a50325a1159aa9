"""Inoculation by fine-tuning (Liu et al. 2019): what a blind spot is made of, told from how it yields to examples.

Small runs on 5, 10, 20 and 50 corrections of one category, each from the live version. Where few examples repair it
and nothing else is lost, the data had a gap. Where nothing helps, the model cannot do it. Where it yields and general
accuracy falls, the corrections are at odds with the data.
"""

from __future__ import annotations

from typing import Any

from sqlite_utils import Database

from data.examples import select_examples
from data.jobs import enqueue, get_job, list_jobs
from data.tasks import Task
from data.versions import live_version
from models import recipe as recipes
from models.worker import ensure_worker
from settings import Settings

SIZES = (5, 10, 20, 50)
FEWEST = 3
RISE = 25.0
"""Points of accuracy on unseen siblings that count as yielding."""
PREFIX = "inoculation: "


def corrections_in(db: Database, task: Task, category: str) -> list[int]:
    """The ids of the category's corrections that may be trained on, oldest first."""
    rows = select_examples(db, task).rows
    return sorted(row["example_id"] for row in rows if row["category"] == category and row["kind"] == "correction")


def sizes_for(count: int) -> list[int]:
    """How many corrections each run takes: SIZES as far as they go, then all; empty where there are too few."""
    if count < FEWEST:
        return []
    return sorted({size for size in SIZES if size <= count} | {min(count, SIZES[-1])})


def request_inoculation(
    settings: Settings, db: Database, task: Task, category: str, *, requested_by: str
) -> list[str]:
    """Queues a quick run for each size and sees to a worker; returns the jobs' ids.

    Raises ValueError where the category has fewer than three corrections to train on.
    """
    ids = corrections_in(db, task, category)
    sizes = sizes_for(len(ids))
    if not sizes:
        raise ValueError(
            f"Too few to tell: expected at least {FEWEST} corrections of {category!r} to train on; found {len(ids)}."
        )
    parent = live_version(db, task.name)
    jobs = [
        enqueue(
            db,
            task.name,
            parent_id=parent,
            preset=f"{PREFIX}{category}",
            recipe=recipes.preset("quick", task).to_dict(),
            example_ids=ids[:size],
            requested_by=requested_by,
        )
        for size in sizes
    ]
    ensure_worker(settings)
    return jobs


def curve(db: Database, task: Task, category: str) -> list[dict[str, Any]]:
    """The newest finished run of each size from the newest parent: `k`, `before`, `after` (percent of unseen siblings
    right), `contrasts` and `retention` (points of change)."""
    points: dict[int, dict[str, Any]] = {}
    parent = None
    for listed in list_jobs(db, task=task.name, states=("done",), limit=500):
        if listed["preset"] != f"{PREFIX}{category}":
            continue
        parent = parent or listed["parent_id"]
        k = len(listed["example_ids"])
        if listed["parent_id"] != parent or k in points:
            continue
        splits = get_job(db, listed["id"])["report"]["splits"]
        siblings = splits["siblings"]
        points[k] = {
            "k": k,
            "rows": siblings["child"]["rows"],
            "before": 100 * siblings["parent"]["accuracy"],
            "after": 100 * siblings["child"]["accuracy"],
            "contrasts": splits["contrasts"]["change"]["points"],
            "retention": splits["retention"]["change"]["points"],
        }
    return [points[k] for k in sorted(points)]


def verdict(points: list[dict[str, Any]], budgets: dict[str, float]) -> str:
    """`few`, `gap`, `limit` or `odds`, of the curve's last point."""
    if not points or points[-1]["k"] < FEWEST or points[-1]["rows"] < 10:
        return "few"
    last = points[-1]
    if last["after"] - last["before"] < RISE:
        return "limit"
    lost = -last["retention"] > budgets["retention"] or -last["contrasts"] > budgets["contrasts"]
    return "odds" if lost else "gap"
