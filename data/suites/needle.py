"""A needle in a long text: one sentence that decides, at a chosen depth among sentences beside the matter."""

from __future__ import annotations

import random
from itertools import product
from typing import Any

from data.tasks import Task

DEPTHS = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Where the sentence stands: 0 is the beginning, 1 the end."""
LENGTHS = (100, 300, 1000, 2500, 5000)
"""Words of the text."""

THINGS = ("gate", "bench", "counter", "ladder", "window", "shelf", "table", "wall", "roof", "stairs", "lamp", "clock")
PLACES = ("yard", "station", "library", "office", "kitchen", "chapel", "market", "workshop", "harbour", "hall")
STATES = ("grey", "square", "made of wood", "to the left of the door", "as old as the house", "next to the pump")
FACTS = (
    "The {thing} in the {place} is {state}.",
    "In the {place} there is a {thing}, which is {state}.",
    "As for the {place}, its {thing} is {state}.",
    "Whoever enters the {place} sees that the {thing} is {state}.",
)
NAMES = ("Ines", "Tomas", "Bruna", "Oskar", "Leila", "Anton", "Marta", "Henrik")
NEEDLES: dict[str, tuple[tuple[str, dict[str, Any]], ...]] = {
    "nli": (
        ("{name} sold the old boat to a stranger.", {"hypothesis": "{name} sold a boat.", "label": 0}),
        ("{name} sold the old boat to a stranger.", {"hypothesis": "{name} never sold anything.", "label": 2}),
        ("{name} has been a nurse for ten years.", {"hypothesis": "{name} is a nurse.", "label": 0}),
        ("{name} has been a nurse for ten years.", {"hypothesis": "{name} has never been a nurse.", "label": 2}),
        ("{name} played the trumpet all night.", {"hypothesis": "{name} made music.", "label": 0}),
        ("{name} played the trumpet all night.", {"hypothesis": "{name} was asleep all night.", "label": 2}),
    ),
    "sentiment": (
        ("It is the most wonderful place of all, says {name}.", {"label": 2}),
        ("It is a horrible, filthy and useless place, says {name}.", {"label": 0}),
        ("I loved every minute of it, and so did {name}.", {"label": 2}),
        ("I hated every minute of it, and so did {name}.", {"label": 0}),
    ),
    "commonsense": (
        (
            "{name} keeps the key in a blue jar.",
            {
                "question": "Where does {name} keep the key?",
                "choices": ("in a blue jar", "under the mat"),
                "label": 0,
            },
        ),
        (
            "{name} keeps the key under the mat.",
            {
                "question": "Where does {name} keep the key?",
                "choices": ("in a blue jar", "under the mat"),
                "label": 1,
            },
        ),
    ),
    "labels": (
        ("{name} scored the winning goal of the match.", {"choices": ("sports", "cooking", "medicine"), "label": 0}),
        ("{name} fried the onions for the soup.", {"choices": ("sports", "cooking", "medicine"), "label": 1}),
    ),
}
"""For each task sentences that decide, with what is asked."""


def has_needles(task: Task) -> bool:
    return task.name in NEEDLES


def needle_rows(task: Task, depth: float, words: int, rows: int, seed: int = 0) -> list[dict[str, Any]]:
    """Rows (`example`, `label`, `category`) whose deciding sentence stands at that depth of a text of so many words.

    The same seed gives the same needles at every depth and length. Raises ValueError on a task without needles.
    """
    if not has_needles(task):
        raise ValueError(f"Task {task.name!r} has no needles: add some to data/suites/needle.py.")
    drawn = list(product(NEEDLES[task.name], NAMES))
    random.Random(f"{seed} {task.name}").shuffle(drawn)
    found = []
    for number, ((sentence, asked), name) in enumerate(drawn[:rows]):
        text = _hide(_fill(sentence, name=name), depth, words, random.Random(f"{seed} {number}"))
        fields = {
            key: _fill(value, name=name) if isinstance(value, str) else list(value)
            for key, value in asked.items()
            if key != "label"
        }
        example = task.parse_example({task.split_field: text, **fields})
        found.append({"example": example, "label": asked["label"], "category": "long context"})
    return found


def _hide(needle: str, depth: float, words: int, rng: random.Random) -> str:
    facts = [
        _fill(pattern, thing=thing, place=place, state=state)
        for pattern, thing, place, state in product(FACTS, THINGS, PLACES, STATES)
    ]
    rng.shuffle(facts)
    kept, count = [], len(needle.split())
    while count < words:
        fact = facts[len(kept) % len(facts)]
        kept.append(fact)
        count += len(fact.split())
    kept.insert(round(depth * len(kept)), needle)
    return " ".join(kept)


def _fill(text: str, **words: str) -> str:
    for slot, word in words.items():
        text = text.replace(f"{{{slot}}}", word)
    return text
