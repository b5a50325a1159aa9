"""What people dispute, in a run: one row with soft labels. What one person alone says weighs less with all that is
made of it, see `models/repair.py`."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from data.examples import Selection


def settled(selection: Selection) -> Selection:
    """The selection without what people dispute."""
    return dataclasses.replace(selection, rows=[row for row in selection.rows if "soft" not in row])


def with_disputed(selection: Selection, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Training rows of the settled examples, and one for each disputed example with the share of people for each
    label."""
    return [*rows] + [
        {**row["example"], "label": row["label"], "soft": row["soft"], "weight": row["weight"]}
        for row in selection.rows
        if "soft" in row
    ]
