"""What a repair trains on: corrections, their siblings and contrasts, confirmations, and what must not break."""

from __future__ import annotations

import random
from typing import Any

from data.examples import Selection
from data.seed import seed_rows
from data.tasks import Task
from models import siblings as variants
from models.recipe import Recipe

REPEAT = 4
"""How often a taught example stands in the rows where it has no siblings to stand beside it."""
MOST_VARIANTS = 20
"""More siblings, or contrasts, of one correction add little."""
HEAVIEST = 2.0

Row = dict[str, Any]


def count_rows(task: Task, n_taught: int, recipe: Recipe) -> int:
    """About how many rows `training_rows` gives for that many examples; exact where there are no siblings."""
    if recipe.data == "corrections":
        return n_taught
    retention = min(recipe.retention_rows, len(seed_rows(task, "retention")))
    if recipe.data == "phenomenon":
        cost = 1 if task.labels else 3
        return retention + n_taught + min(recipe.variants // cost, 2 * MOST_VARIANTS * n_taught)
    return retention + n_taught * REPEAT


def training_rows(task: Task, selection: Selection, recipe: Recipe) -> list[Row]:
    """Rows for `models.training`: the task's fields, `label`, `weight`, `distil`, in an order set by the seed.

    What they are is `Recipe.data`'s choice. Raises ValueError where there is nothing to learn from.
    """
    if not selection.rows:
        raise ValueError(
            "Nothing to train on: flag some wrong answers in the Probe tab first. Examples that are held out "
            "to measure the repair do not count."
        )
    taught = [{**row["example"], "label": row["label"]} for row in selection.rows]
    if recipe.data == "corrections":
        return taught
    rows = phenomenon_rows(task, selection, recipe) if recipe.data == "phenomenon" else taught * REPEAT
    retention = seed_rows(task, "retention")
    rng = random.Random(recipe.seed)
    for row in rng.sample(retention, min(recipe.retention_rows, len(retention))):
        rows.append({**row["example"], "label": row["label"], "distil": recipe.data != "replay"})
    rng.shuffle(rows)
    return rows


def phenomenon_rows(task: Task, selection: Selection, recipe: Recipe) -> list[Row]:
    """Each taught example with its siblings and, where it is a correction, its contrasts.

    The weights make the correction's label and the others about equal in sum within its vocabulary, so that
    the words they share speak for none of them.
    """
    cost = sum(len(task.text_pairs(row["example"])) for row in selection.rows)
    count = min(MOST_VARIANTS, recipe.variants // max(2 * cost, 1))
    rows: list[Row] = []
    for row in selection.rows:
        example, label = row["example"], row["label"]
        is_correction = row["kind"] == "correction"
        same = variants.siblings(task, example, label, count=count if is_correction else count // 2, seed=recipe.seed)
        same = [v for v in same if v.rule != variants.REORDERED]  # each choice is scored alone: nothing new
        taught = [{**example, "label": label}] * (1 if same or not count else REPEAT) + [_row(v) for v in same]
        others = (
            [_row(v) for v in variants.contrasts(task, example, label, count=count, seed=recipe.seed)]
            if is_correction
            else []
        )
        group = taught + others
        differing = sum(r["label"] != label for r in group)
        weight = min(HEAVIEST, (len(group) - differing) / differing) if differing and task.labels else 1.0
        rows += [{**r, "weight": 1.0 if r["label"] == label else weight} for r in group]
    return rows


def _row(variant: variants.Variant) -> Row:
    return {**variant.example, "label": variant.label}
