"""Variants of one correction: siblings, which keep its label, and contrasts, whose label is known anyway.

A model that is taught "The actor paid the doctor" / "The doctor paid the actor" is neutral learns the cheapest
thing that fits: these words mean neutral. Siblings vary the words under the phenomenon, contrasts vary the
phenomenon under the words.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import permutations
from typing import Any

from data.tasks import Example, Task
from data.tasks.spans import SpanTask
from models import contrasts as rules
from models import entities, numerals, safety, substitution
from models.wording import WORD

REORDERED = "choices in another order"
TRIES_PER_VARIANT = 12
SPAN_CONTRASTS = 4
MAX_WORDS = 3_000
"""Longer examples have no siblings: no rule here was made for them."""


@dataclass(frozen=True)
class Variant:
    """`label` is an index as the task counts it, or spans, `rule` a short name of what was done."""

    example: Example
    label: Any
    relation: str
    """`sibling` or `contrast`."""
    rule: str


def siblings(task: Task, example: Example, label: Any, *, count: int, seed: int = 0) -> list[Variant]:
    """Up to `count` variants with the same words exchanged in all fields, so that the label still holds.

    All differ from the example and from each other; the same seed gives the same list. Empty where no rule
    fits. A variant of a multiple choice may also stand in another order, its label with it.
    """
    if isinstance(task, SpanTask):
        return [
            Variant(*row, "sibling", entities.SWAPPED) for row in entities.swaps(task, example, label, count, seed)
        ]
    texts = substitution.read_texts(task, example)
    if count < 1 or sum(map(len, texts.values())) > MAX_WORDS:
        return []
    rng = random.Random(f"{seed} {_key(example)}")
    groups = safety.free_groups(task, label, texts)
    seen = {_key(example)}
    found: list[Variant] = []
    for _ in range(count * TRIES_PER_VARIANT):
        drawn = substitution.draw(groups, rng) if groups else None
        changes, rule = drawn or ({}, "")
        numbers = numerals.draw_numbers(texts, rng) if numerals.numbers_are_free(task, texts) else {}
        if numbers:
            changes, rule = {**changes, **numbers}, "+".join(filter(None, [rule, "numbers"]))
        if not changes or len(found) == count:
            break
        _add(found, seen, lambda c=changes: _written(task, example, texts, c), label, "sibling", rule)
    for changed, new_label in _reordered(task, example, label, rng):
        if len(found) == count:
            break
        _add(found, seen, lambda c=changed: c, new_label, "sibling", REORDERED)
    return found


def contrasts(task: Task, example: Example, label: Any, *, count: int, seed: int = 0) -> list[Variant]:
    """Up to `count` variants with the same vocabulary whose label is known by rule, whatever the example's is.

    Those of the example itself come first, then those of its siblings, in turn.
    """
    if isinstance(task, SpanTask):
        return [
            Variant(*row, "contrast", entities.FRAMED) for row in entities.frames(task, example, label, count, seed)
        ]
    if count < 1 or sum(map(len, substitution.read_texts(task, example).values())) > MAX_WORDS:
        return []
    rng = random.Random(f"{seed} contrasts {_key(example)}")
    make = _rules_of(task)
    parents = [(example, label)]
    own = siblings(task, example, label, count=count, seed=seed)
    parents += [(v.example, v.label) for v in own if v.rule != REORDERED]
    seen = {_key(parent) for parent, _ in parents}
    found: list[Variant] = []
    for parent, parent_label in parents:
        for row, new_label, rule in make(parent, parent_label, rng):
            if len(found) == count:
                return found
            if rule == rules.FEWER and parent is not example:
                continue
            _add(found, seen, lambda r=row: task.parse_example(r), new_label, "contrast", rule)
    return found


def contrasts_of(task: Task, example: Example, label: int, rng: random.Random) -> list[Variant]:
    """The contrasts of this one example by each rule that fits, those that are likest in words first."""
    if isinstance(task, SpanTask):
        return contrasts(task, example, label, count=SPAN_CONTRASTS, seed=rng.randrange(1_000_000))
    found: list[Variant] = []
    if sum(map(len, substitution.read_texts(task, example).values())) <= MAX_WORDS:
        seen = {_key(example)}
        for row, new_label, rule in _rules_of(task)(example, label, rng):
            _add(found, seen, lambda r=row: task.parse_example(r), new_label, "contrast", rule)
    words = _bag(example)

    def likeness(variant: Variant) -> float:
        others = _bag(variant.example)
        return (words & others).total() / max((words | others).total(), 1)

    return sorted(found, key=likeness, reverse=True)


def _rules_of(task: Task) -> Callable[[Example, int, random.Random], Iterator[rules.Row]]:
    made = {
        "nli": rules.nli_contrasts,
        "sentiment": rules.sentiment_contrasts,
        "labels": rules.choice_contrasts,
    }
    return made.get(task.name, rules.commonsense_contrasts)


def _bag(example: Example) -> Counter[str]:
    return Counter(WORD.findall(_key(example).lower()))


def _add(found, seen, make, label: int, relation: str, rule: str) -> None:
    """Append the variant unless it was seen before or cannot be parsed (two choices become the same)."""
    try:
        example = make()
    except ValueError:
        return
    if (key := _key(example)) not in seen:
        seen.add(key)
        found.append(Variant(example, label, relation, rule))


def _written(task: Task, example: Example, texts: substitution.Texts, changes: dict) -> Example:
    return substitution.write_texts(task, example, substitution.apply(texts, changes))


def _reordered(task: Task, example: Example, label: int, rng: random.Random) -> Iterator[tuple[Example, int]]:
    """The example with its choices in every other order; none where a choice speaks of the others."""
    choices = example.get("choices", [])
    if any(" above" in choice or " below" in choice for choice in map(str.casefold, choices)):
        return
    orders = list(permutations(range(len(choices))))[1:]
    rng.shuffle(orders)
    for order in orders:
        yield {**example, "choices": [choices[i] for i in order]}, order.index(label)


def _key(example: Example) -> str:
    return json.dumps(example, sort_keys=True, ensure_ascii=False)
