"""What a repair trains on: corrections, their siblings and contrasts, confirmations, and what must not break."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Sequence
from functools import lru_cache
from itertools import zip_longest
from typing import Any

from data.examples import Selection
from data.lessons import load_lessons
from data.seed import seed_rows
from data.tasks import Example, Task
from models import siblings as variants
from models.contrasts import GENERIC
from models.dressing import dress
from models.lessons import lesson_pairs
from models.naming import name_persons
from models.recipe import Recipe
from models.siblings import Variant

REPEAT = 4
"""How often a taught example stands in the rows where it has no siblings to stand beside it."""
MOST_VARIANTS = 30
"""More siblings, or contrasts, of one correction add little."""
NAMED = 0.3
"""How often the persons of a sibling, and of the contrast beside it, go by name where they may."""
LIKEST = 0.5
"""How often the contrast beside a sibling is the likest one."""
RELATED = 0.35
"""How often a sibling gives way to a relative: made of it by a rule that knows its label to be the same."""
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
        made = min(recipe.variants // _cost(task), 2 * MOST_VARIANTS * n_taught)
        return retention + n_taught + made + (recipe.lessons // _cost(task) if load_lessons(task) else 0)
    return retention + n_taught * REPEAT


def _cost(task: Task) -> int:
    """How often a row is read, about: once a choice where there are choices."""
    return 3 if task.head == "multiple_choice" else 1


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
        rows += [_row(variant.example, variant.label) for variant in in_turn(groups, STOPPING_ROWS // 2)]
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
    """Each taught example and its siblings, each of a correction's beside a contrast of its own.

    Such two have a `pair` number in common, by which training keeps them in one batch: what they share (words,
    length, company) cancels out of its gradient, and what tells them apart remains. No word speaks for a label, be
    it the correction's own or a sibling's. A handful of confirmations weighs about as much as the corrections (three
    times its number at most), since they alone tell of the neighbours that no rule knows.
    """
    cost = sum(len(task.text_pairs(row["example"])) for row in selection.rows)
    count = min(MOST_VARIANTS, recipe.variants // max(2 * cost, 1))
    groups = [(row, _pairs(task, row, recipe, count)) for row in selection.rows]
    kept = sum(len(pairs) for row, pairs in groups if row["kind"] != "correction")
    taught = sum(len(pairs) for row, pairs in groups if row["kind"] == "correction")
    lift = min(MOST_LIFT, max(1.0, taught / kept)) if kept else 1.0
    rows: list[Row] = []
    for row, pairs in groups:
        weight = 1.0 if row["kind"] == "correction" else lift
        for pair in pairs:
            number = {"pair": len(rows)} if len(pair) > 1 else {}
            rows += [_trusted({**one, "weight": weight, **number}, row) for one in pair]
    for pair in _lessons(task, selection, recipe):
        number = len(rows)
        rows += [{**_row(one["example"], one["label"]), "weight": 1.0, "pair": number} for one in pair]
    return rows


def _lessons(task: Task, selection: Selection, recipe: Recipe) -> list[list[Row]]:
    """Pairs of the project's lessons, by how many of the corrections no rule can turn round."""
    corrections = [row for row in selection.rows if row["kind"] == "correction"]
    bare = sum(not _has_own_contrast(task, row) for row in corrections)
    count = recipe.lessons * bare // (2 * _cost(task) * max(len(corrections), 1))
    return lesson_pairs(task, corrections, count, recipe.seed)


def _has_own_contrast(task: Task, row: Row) -> bool:
    """Whether a rule that reads what the example is about gives a contrast of it."""
    found = variants.contrasts_of(task, row["example"], row["label"], random.Random(0))
    return any(v.rule not in GENERIC and not (task.labels and v.label == row["label"]) for v in found)


def _pairs(task: Task, row: Row, recipe: Recipe, count: int) -> list[list[Row]]:
    """An example and its siblings, those of a correction each with a contrast, where a rule gives one."""
    example, label = row["example"], row["label"]
    rng = random.Random(f"{recipe.seed} {task.content_hash(example)}")
    corrects = row["kind"] == "correction"
    wanted = count - 1 if corrects else count  # the correction has a contrast too
    same = variants.siblings(task, example, label, count=wanted, seed=recipe.seed)
    same = [v for v in same if v.rule != variants.REORDERED]  # each choice is scored alone: nothing new
    taught = [(example, label)] * (1 if same or not wanted else REPEAT) + [(v.example, v.label) for v in same]
    pairs = []
    for place, (one, its_label) in enumerate(taught):
        if place and rng.random() < NAMED:
            one = name_persons(task, one, rng) or one
        pair = [_row(one, its_label)]
        if count and corrects:
            if place and (others := _contrasts(task, pair[0], rng, same=True)) and rng.random() < RELATED:
                pair = [rng.choice(others)]
            others = _contrasts(task, pair[0], rng, same=False)
            pair += others[:1] if rng.random() < LIKEST else rng.sample(others, min(1, len(others)))
        company = rng.random()  # the two stand in the same
        pairs.append([_dressed(task, one, recipe, random.Random(company)) for one in pair] if place else pair)
    return pairs


def _contrasts(task: Task, row: Row, rng: random.Random, same: bool) -> list[Row]:
    """What a rule makes of the row with its own label, or with others; of choices, which have no labels, all."""
    example = {field.name: row[field.name] for field in task.fields}
    found = variants.contrasts_of(task, example, row["label"], rng)
    return [_row(v.example, v.label) for v in found if same == (bool(task.labels) and v.label == row["label"])]


def _dressed(task: Task, row: Row, recipe: Recipe, rng: random.Random) -> Row:
    """The row, at the recipe's share of times in other company."""
    if task.head == "token_classification" or rng.random() >= recipe.dressed:
        return row
    example = {field.name: row[field.name] for field in task.fields}
    found = dress(task, example, rng)
    return {**row, **found[0]} if found else row


def _trusted(row: Row, source: Row) -> Row:
    """The training row, weighed as far as people vouch for the stored example that it was made of."""
    trust = source.get("weight", 1.0)
    return row if trust == 1.0 else {**row, "weight": trust * row.get("weight", 1.0)}


def _row(example: Example, label: int) -> Row:
    return {**example, "label": label}
