"""Persons by name: "The doctor paid the actor" as "Ada paid Bo", in both texts of an inference."""

from __future__ import annotations

import random

from data.lexicon import Entry, members
from data.tasks import Example, Task
from models import slots
from models.safety import GENDER, matched
from models.wording import Wording, word_set

SORTS = ("female", "male", "unisex")
NOT_BEFORE = word_set("'s of who whom that which")


def name_persons(task: Task, example: Example, rng: random.Random) -> Example | None:
    """An inference with a name for each person who is told by "the" and a noun; None where there is none.

    Only where structure alone decides: no word of one text is a matter of knowledge about the other.
    """
    if task.name != "nli":
        return None
    texts = [Wording.of(example[name]) for name in ("premise", "hypothesis")]
    if not matched(*texts) or any(low in GENDER for words in texts for low in words.low):
        return None
    found = [
        (entry.lemma, _may_be_named(words, i, entry))
        for words in texts
        for i in range(len(words))
        for entry in _persons(words, i)
    ]
    free = sorted({lemma for lemma, _ in found} - {lemma for lemma, fits in found if not fits})
    said = {word for words in texts for word in words.words}
    names = [name for name in members(rng.choice(SORTS)) if name not in said]
    if not free or len(names) < len(free):
        return None
    given = dict(zip(free, rng.sample(names, len(free)), strict=True))
    premise, hypothesis = (str(_named(words, given)) for words in texts)
    return {"premise": premise, "hypothesis": hypothesis}


def _persons(words: Wording, i: int) -> list[Entry]:
    return [e for e in slots.noun_entries(words, i) if e.word_class in slots.PERSONS - slots.NAMES]


def _may_be_named(words: Wording, i: int, entry: Entry) -> bool:
    """Whether the noun is one person's, with "the" alone before it and nothing that belongs to it after it."""
    after = words.after(i)
    joined = after in NOT_BEFORE or bool(slots.noun_entries(words, i + 1) and after)
    return entry.form == "singular" and words.before(i) == "the" and not joined


def _named(words: Wording, given: dict[str, str]) -> Wording:
    for i in reversed(range(1, len(words))):
        name = next((given[e.lemma] for e in _persons(words, i) if e.lemma in given), None)
        if name is not None:
            parts = (*words.words[: i - 1], name, *words.words[i + 1 :])
            words = Wording(parts, words.gaps[:i] + words.gaps[i + 1 :])
    return words
