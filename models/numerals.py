"""Numbers of an example exchanged for others in the same order, where nothing is reckoned with them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import pairwise

from data.lexicon import closed, number_words
from data.tasks import Task
from models.safety import matched
from models.substitution import Place, Texts
from models.wording import is_class

BANDS = ((2, 12), (13, 20), (21, 99), (100, 999))


def number_places(texts: Texts) -> Iterator[tuple[Place, int]]:
    """Whole numbers from 2 to 999 that stand alone, and their values."""
    for (name, position), words in texts.items():
        for i, low in enumerate(words.low):
            value = number_words().get(low) if not low.isdecimal() else int(low) if len(low) < 5 else None
            if value is not None:
                yield (name, position, i), value


def draw_numbers(texts: Texts, rng: random.Random) -> dict[Place, str]:
    """Other numbers in the same order and of the same size, where nothing is reckoned with them; else none."""
    found = list(number_places(texts))
    values = sorted({value for _, value in found})
    reckoned = any(low in closed()["arithmetic"] for words in texts.values() for low in words.low)
    digits = any(any(c.isdigit() for c in low) and not low.isdecimal() for w in texts.values() for low in w.low)
    if not 1 <= len(values) <= 2 or reckoned or digits or not all(2 <= v <= 999 for v in values):
        return {}
    if any(large % small == 0 for small, large in pairwise(values)) or not all(_alone(texts, p) for p, _ in found):
        return {}
    drawn = _ordered_values(values, any(not texts[p[0], p[1]].low[p[2]].isdecimal() for p, _ in found), rng)
    names = {value: word for word, value in number_words().items()}
    return {
        place: str(drawn[value]) if texts[place[0], place[1]].low[place[2]].isdecimal() else names[drawn[value]]
        for place, value in found if value in drawn
    }  # fmt: skip


def _alone(texts: Texts, place: Place) -> bool:
    words, i = texts[place[0], place[1]], place[2]
    left, right = words.gaps[i], words.gaps[i + 1]
    whole = (not left or left[-1] in ' ("“') and (not right or right[0] in ' ,.;:!?)"”')
    return (
        whole and words.after(i) not in ("", "a.m", "p.m", "am", "pm") and not is_class(words.after(i), "preposition")
    )


def _ordered_values(values: list[int], spelt: bool, rng: random.Random) -> dict[int, int]:
    drawn: dict[int, int] = {}
    for value in values:
        low, high = next(band for band in BANDS if band[0] <= value <= band[1])
        least = max([low, *(v + 1 for v in drawn.values())])
        options = [v for v in range(least, min(high, 99 if spelt else high) + 1) if v not in values]
        options = [v for v in options if not any(v % other == 0 for other in drawn.values())]
        if not options:
            return {}
        drawn[value] = rng.choice(options)
    return drawn


def numbers_are_free(task: Task, texts: Texts) -> bool:
    """Whether the size of a number carries no judgement: in inference whose label rests on structure alone."""
    return task.name == "nli" and matched(texts["premise", 0], texts["hypothesis", 0])
