"""What a repair trains on: corrections, their siblings and contrasts, confirmations, and what must not break."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Sequence
from functools import lru_cache
from itertools import zip_longest
from typing import Any

from data.examples import Selection
from data.seed import seed_rows
from data.tasks import Task
from models import siblings as variants
from models.dressing import dress
from models.recipe import Recipe
from models.siblings import Variant

REPEAT = 4
"""How often a taught example stands in the rows where it has no siblings to stand beside it."""
MOST_VARIANTS = 20
"""More siblings, or contrasts, of one correction add little."""
HEAVIEST = 2.0
MOST_LIFT = 3.0
STOPPING_ROWS = 80
STOPPING_SEED = 1000
"""Apart from the seeds that training and report draw their variants with."""

Row = dict[str, Any]


def count_rows(task: Task, n_taught: int, recipe: Recipe) -> int:
    """About how many rows `training_rows` gives for that many examples; exact where there are no siblings."""
    if recipe.data == "corrections":
        return n_taught
    retention = min(recipe.retention_rows, len(retention_split(task)[0]))
    if recipe.data == "phenomenon":
        cost = 1 if task.labels else 3
        return retention + n_taught + min(recipe.variants // cost, 2 * MOST_VARIANTS * n_taught)
    return retention + n_taught * REPEAT


@lru_cache
def retention_split(task: Task) -> tuple[list[Row], list[Row]]:
    """The retention set in halves, by content: one to train on, one to measure with."""
    halves: tuple[list[Row], list[Row]] = ([], [])
    for row in seed_rows(task, "retention"):
        halves[int(task.content_hash(row["example"])[:8], 16) % 2].append(row)
    return halves


def training_rows(
    task: Task, selection: Selection, recipe: Recipe, kept_out: Collection[str] = frozenset()
) -> list[Row]:
    """Rows for `models.training`: the task's fields, `label`, `weight`, `distil`, in an order set by the seed.

    What they are is `Recipe.data`'s choice. A row of `selection` hands its own `weight` (how far people vouch for it)
    on to every row that is made of it. No variant whose content hash is among `kept_out` is made: a held-out
    example must not come in by a side door. Raises ValueError where there is nothing to learn from.
    """
    if not selection.rows:
        raise ValueError(
            "Nothing to train on: flag some wrong answers in the Probe tab first. Examples that are held out "
            "to measure the repair do not count."
        )
    taught = [_trusted({**row["example"], "label": row["label"]}, row) for row in selection.rows]
    if recipe.data == "corrections":
        return taught
    rows = taught * REPEAT
    if recipe.data == "phenomenon":
        own = {task.content_hash(row["example"]) for row in selection.rows}
        made = phenomenon_rows(task, selection, recipe)
        rows = [row for row in made if (key := task.content_hash(row)) in own or key not in kept_out]
    retention = retention_split(task)[0]
    rng = random.Random(recipe.seed)
    for row in rng.sample(retention, min(recipe.retention_rows, len(retention))):
        rows.append({**row["example"], "label": row["label"], "distil": recipe.data != "replay"})
    rng.shuffle(rows)
    return rows


def stopping_rows(task: Task, selection: Selection, recipe: Recipe, trained: Collection[str]) -> list[Row]:
    """Rows to stop by: as many siblings as contrasts of the corrections, none of those trained on.

    `trained` holds content hashes. Empty for a recipe that makes no siblings.
    """
    if recipe.data != "phenomenon" or not recipe.patience:
        return []
    corrections = [row for row in selection.rows if row["kind"] == "correction"]
    rows: list[Row] = []
    for make in (variants.siblings, variants.contrasts):
        groups = [unseen_variants(task, row, make, trained, recipe.seed + STOPPING_SEED) for row in corrections]
        rows += [_row(variant) for variant in in_turn(groups, STOPPING_ROWS // 2)]
    return rows


def unseen_variants(
    task: Task, row: Row, make: Callable[..., list[Variant]], known: Collection[str], seed: int
) -> list[Variant]:
    """Siblings or contrasts of a stored example that have none of the `known` content hashes.

    Those that only stand in another order are left out: each choice is scored alone.
    """
    made = make(task, row["example"], row["label"], count=MOST_VARIANTS, seed=seed)
    return [v for v in made if v.rule != variants.REORDERED and task.content_hash(v.example) not in known]


def in_turn(groups: Sequence[Sequence[Any]], count: int) -> list[Any]:
    """The first of each group, then the second of each, up to `count`."""
    return [one for turn in zip_longest(*groups) for one in turn if one is not None][:count]


def phenomenon_rows(task: Task, selection: Selection, recipe: Recipe) -> list[Row]:
    """Each taught example with its siblings and, where it is a correction, its contrasts.

    The weights make the correction's label and the others about equal in sum within its vocabulary, so that
    the words they share speak for none of them; and a handful of confirmations weighs about as much as the
    corrections (three times its number at most), since they alone tell of the neighbours that no rule knows.
    """
    cost = sum(len(task.text_pairs(row["example"])) for row in selection.rows)
    count = min(MOST_VARIANTS, recipe.variants // max(2 * cost, 1))
    groups = [(row, _group(task, row, recipe, count)) for row in selection.rows]
    kept = sum(len(same) for row, (same, _) in groups if row["kind"] != "correction")
    taught = sum(len(same) for row, (same, _) in groups if row["kind"] == "correction")
    lift = min(MOST_LIFT, max(1.0, taught / kept)) if kept else 1.0
    rows: list[Row] = []
    for row, (same, others) in groups:
        differing = sum(other["label"] != row["label"] for other in others)
        agreeing = len(same) + len(others) - differing
        balance = min(HEAVIEST, agreeing / differing) if differing and task.labels else 1.0
        own = 1.0 if row["kind"] == "correction" else lift
        rows += [
            _trusted({**r, "weight": own if r["label"] == row["label"] else balance}, row) for r in same + others
        ]
    return rows


def _group(task: Task, row: Row, recipe: Recipe, count: int) -> tuple[list[Row], list[Row]]:
    """An example with its siblings, and the contrasts of a correction, some of them in other company."""
    example, label = row["example"], row["label"]
    same = variants.siblings(task, example, label, count=count, seed=recipe.seed)
    same = [v for v in same if v.rule != variants.REORDERED]  # each choice is scored alone: nothing new
    taught = [{**example, "label": label}] * (1 if same or not count else REPEAT) + [_row(v) for v in same]
    others: list[Row] = []
    if row["kind"] == "correction":
        others = [_row(v) for v in variants.contrasts(task, example, label, count=count, seed=recipe.seed)]
    rng = random.Random(f"{recipe.seed} {task.content_hash(example)}")
    same = taught[:1] + [_dressed(task, row, recipe, rng) for row in taught[1:]]
    return same, [_dressed(task, row, recipe, rng) for row in others]


def _dressed(task: Task, row: Row, recipe: Recipe, rng: random.Random) -> Row:
    """The row, at the recipe's share of times in other company."""
    if rng.random() >= recipe.dressed:
        return row
    example = {field.name: row[field.name] for field in task.fields}
    found = dress(task, example, rng)
    return {**row, **found[0]} if found else row


def _trusted(row: Row, source: Row) -> Row:
    """The training row, weighed as far as people vouch for the stored example that it was made of."""
    trust = source.get("weight", 1.0)
    return row if trust == 1.0 else {**row, "weight": trust * row.get("weight", 1.0)}


def _row(variant: variants.Variant) -> Row:
    return {**variant.example, "label": variant.label}
