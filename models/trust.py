"""What people do not all vouch for, in a run: a lone correction weighs less, a disputed one has soft labels."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from data.examples import Selection
from data.tasks import Task


def settled(selection: Selection) -> Selection:
    """The selection without what people dispute."""
    return dataclasses.replace(selection, rows=[row for row in selection.rows if "soft" not in row])


def with_trust(task: Task, selection: Selection, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Training rows of the settled examples, those of a lone correction at its weight, and one for each disputed
    example with the share of people for each label. Variants of a lone correction keep theirs."""
    weights = {
        task.content_hash(row["example"]): row["weight"] for row in selection.rows if row.get("weight", 1.0) != 1.0
    }
    found = []
    for row in rows:
        trust = weights.get(task.content_hash(row))
        found.append(row if trust is None else {**row, "weight": trust * row.get("weight", 1.0)})
    return found + [
        {**row["example"], "label": row["label"], "soft": row["soft"], "weight": row["weight"]}
        for row in selection.rows
        if "soft" in row
    ]
