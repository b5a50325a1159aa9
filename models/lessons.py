"""Which of the project's lessons go with a person's corrections, and the rows they give (`data.lessons`).

Those of the corrections' category, and those that are built like them: the same words that carry a phenomenon in the
same places, whatever the other words are.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from itertools import islice
from typing import Any

from data.lessons import Lesson, load_lessons
from data.lexicon import entries, number_words
from data.suites.base import render_together
from data.tasks import Example, Task
from models.wording import Wording, is_class

MOST_LESSONS = 24
SAME_CATEGORY = 0.3
"""How much likeness a common category is worth."""
CLOSED = (
    "determiner",
    "possessive",
    "quantifier",
    "negation",
    "connective",
    "preposition",
    "pronoun",
    "auxiliary",
    "modal",
    "turn",
)
ARTICLES = ("a", "an", "the")
CONTENT = 0.3
"""What a part without such a word counts for."""
Shape = Counter[tuple[str, ...]]
Row = dict[str, Any]


def lesson_pairs(task: Task, corrections: Sequence[Row], count: int, seed: int) -> list[list[Row]]:
    """At most `count` pairs of rows (`example`, `label`), in turn from the lessons that go with the corrections best.

    The two of a pair have the same words and different labels. `corrections` have `example`, `label`, `category`.
    Empty for a task without lessons.
    """
    rng = random.Random(f"{seed} lessons")
    drawn = [lesson.pairs(rng) for lesson in fitting_lessons(task, corrections)] if count > 0 else []
    pairs: list[list[Row]] = []
    while drawn and len(pairs) < count:
        taken = [(one, list(islice(one, 1))) for one in drawn]
        pairs += [list(pair) for _, found in taken for pair in found]
        drawn = [one for one, found in taken if found]
    return pairs[:count]


def fitting_lessons(task: Task, corrections: Sequence[Row]) -> list[Lesson]:
    """The lessons that go with the corrections, the best first."""
    if not corrections or not load_lessons(task):
        return []
    rarity, shapes = _lesson_shapes(task)
    categories = Counter(row.get("category") for row in corrections)
    own = [(row["label"], _weighed(_shape(task, row["example"]), rarity)) for row in corrections]
    scored = []
    for lesson, texts in zip(load_lessons(task), shapes, strict=True):
        likest = [
            max(
                (_cosine(mine, other) for label, other in texts if not task.labels or label == its_label), default=0.0
            )
            for its_label, mine in own
        ]
        same = categories[lesson.category] / len(corrections)
        if any(likest):  # else the corrections are in another language
            scored.append((sum(likest) / len(likest) + SAME_CATEGORY * same, lesson))
    scored.sort(key=lambda one: one[0], reverse=True)
    return [lesson for _, lesson in scored[:MOST_LESSONS]]


def _shape(task: Task, example: Example) -> Shape:
    """What it is built of: words that carry a phenomenon, and kinds of the others, alone and beside their next."""
    found: Shape = Counter()
    for first, second in task.text_pairs(example)[:1]:
        for place, text in enumerate((first, second or "")):
            words = Wording.of(text)
            kinds = [_kind(word) for word in words.words if word.lower() not in ARTICLES]
            found.update((f"{place}", kind) for kind in kinds)
            found.update((f"{place}", a, b) for a, b in zip(["^", *kinds], [*kinds, "$"], strict=True))
    return found


@lru_cache(maxsize=50_000)
def _kind(word: str) -> str:
    low = word.lower()
    if is_class(low, *CLOSED):
        return low
    if low.isdecimal() or low in number_words():
        return "#number"
    readings = entries(word)
    return f"#{readings[0].kind.replace('name', 'noun')}" if readings else low


@lru_cache
def _lesson_shapes(task: Task) -> tuple[dict[tuple[str, ...], float], list[list[tuple[Any, dict]]]]:
    """How rare each part of a shape is among the lessons' texts, and for each lesson its texts' labels and shapes."""
    shapes = [
        [
            (row["label"], _shape(task, row["example"]))
            for template in lesson.suite.templates
            for row in render_together(lesson.suite, [template], 0)
        ]
        for lesson in load_lessons(task)
    ]
    among = Counter(part for texts in shapes for _, shape in texts for part in shape)
    total = sum(map(len, shapes))
    rarity = {part: _carries(part) * math.log((1 + total) / (1 + n)) for part, n in among.items()}
    return rarity, [[(label, _weighed(shape, rarity)) for label, shape in texts] for texts in shapes]


def _carries(part: tuple[str, ...]) -> float:
    return 1.0 if any(is_class(kind, *CLOSED) for kind in part[1:]) else CONTENT


def _weighed(shape: Shape, rarity: dict[tuple[str, ...], float]) -> dict[tuple[str, ...], float]:
    """The shape as a vector of length 1; parts that no lesson has do not count."""
    found = {part: min(n, 2) * rarity[part] for part, n in shape.items() if part in rarity}
    length = math.sqrt(sum(value * value for value in found.values()))
    return {part: value / length for part, value in found.items()} if length else {}


def _cosine(one: dict, other: dict) -> float:
    return sum(value * other[part] for part, value in one.items() if part in other)
