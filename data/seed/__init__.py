"""The project's own examples: a gallery of blind spots, a validation set and a retention set a task, and a
few hard cases in Chinese."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from data.tasks import Task

KINDS = ("gallery", "validation", "retention")
CHINESE = "chinese"
"""A gallery for models that read more than English: the starters do not."""


@lru_cache(maxsize=32)
def seed_rows(task: Task, kind: str) -> list[dict[str, Any]]:
    """Rows with `example`, `label` (index), `category`, and (galleries) `note`. Raises ValueError."""
    if kind not in (*KINDS, CHINESE):
        raise ValueError(f"Expected as kind one of {', '.join(KINDS)}; found {kind!r}.")
    rows = []
    with (Path(__file__).parent / f"{task.name}_{kind}.jsonl").open(encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            example = task.parse_example(row)
            rows.append(
                {
                    "example": example,
                    "label": task.parse_label(task.row_label(row), example),
                    "category": row["category"],
                    "note": row.get("note", ""),
                }
            )
    return rows
