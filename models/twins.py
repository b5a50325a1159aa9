"""Variants of a correction for a person to judge: one key each, so that eight labelled rows come of one."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

from data.tasks import Example, Task
from models.siblings import REORDERED, Variant, contrasts, siblings

EACH = 4
DRAWN = 24


def offer_twins(task: Task, example: Example, label: int, *, each: int = EACH, seed: int = 0) -> list[Variant]:
    """Up to `each` siblings and `each` contrasts of the correction, in turn, of as many rules as there are.

    Empty where no rule fits. Their labels are the rules' opinion; the person has the last word.
    """
    same = siblings(task, example, label, count=DRAWN, seed=seed)
    other = contrasts(task, example, label, count=DRAWN, seed=seed)
    chosen = zip_longest(
        _of_many_rules([variant for variant in same if variant.rule != REORDERED], each),
        _of_many_rules(other, each),
    )
    return [variant for pair in chosen for variant in pair if variant is not None]


def _of_many_rules(variants: Sequence[Variant], count: int) -> list[Variant]:
    """The first of each rule, then the second of each, until there are `count`."""
    by_rule: dict[str, list[Variant]] = {}
    for variant in variants:
        by_rule.setdefault(variant.rule, []).append(variant)
    turns = zip_longest(*by_rule.values())
    return [variant for turn in turns for variant in turn if variant is not None][:count]
