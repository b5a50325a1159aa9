"""Consistent substitution: which words of an example may be replaced, by what, and the example that this gives.

A word is free to go only if every one of its occurrences, in any inflection and any field, stands in a place
that `models.slots` accepts; then all of them change together. `models.safety` says which may.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from data.lexicon import Entry, clash, entries, function_words, idioms, inflect, members
from data.tasks import Example, Task
from models import frames, slots
from models.wording import Wording, is_class, stems

Place = tuple[str, int, int]
"""Field, index in the field's list of texts, index of the word."""

Texts = dict[tuple[str, int], Wording]

STANDS_IN = {"woman-role": "person", "man-role": "person", "adult": "person", "young-role": "youth"}
"""Class -> the class whose words stand in for its own, which would take other pronouns."""

LABELS = {
    "name": "names", "noun": "nouns", "verb": "verbs", "adjective": "adjectives", "adverb": "adverbs"
}  # fmt: skip
DAYS = {"weekday", "weekend-day", "month"}


@dataclass
class Group:
    """All occurrences of one word in one class."""

    word_class: str
    lemma: str
    kind: str
    places: dict[Place, Entry] = field(default_factory=dict)
    targets: list[str] = field(default_factory=list)
    """The lemmas that may stand in, none of them near a word of the example."""

    def fields(self) -> set[str]:
        return {name for name, _, _ in self.places}


def read_texts(task: Task, example: Example) -> Texts:
    """The wording of every text in the example."""
    texts = {}
    for spec in task.fields:
        value = example[spec.name]
        for position, text in enumerate([value] if isinstance(value, str) else value):
            texts[spec.name, position] = Wording.of(text)
    return texts


def write_texts(task: Task, example: Example, texts: Texts) -> Example:
    """The example with those texts, parsed. Raises ValueError as `parse_example` does."""
    row = {}
    for spec in task.fields:
        if spec.kind == "text":
            row[spec.name] = str(texts[spec.name, 0])
        else:
            row[spec.name] = [str(texts[spec.name, i]) for i in range(len(example[spec.name]))]
    return task.parse_example(row)


def fitting_groups(texts: Texts) -> list[Group]:
    """Every word that can be replaced at all of its places, as far as grammar goes."""
    blocked = _idiom_places(texts)
    groups: dict[tuple[str, str], Group] = {}
    spoilt: set[tuple[str, str]] = set()
    others: dict[str, set[str]] = {}
    for key, words in texts.items():
        for i in range(len(words)):
            if words.low[i] in function_words():
                continue
            place = (*key, i)
            readings = _readings(words, i)
            others.setdefault(words.low[i], set()).update(e.lemma.lower() for e in readings)
            for entry in dict.fromkeys((e.word_class, e.lemma) for e in readings):
                fits = [e for e in readings if (e.word_class, e.lemma) == entry and _fits(words, i, e)]
                if not fits or place in blocked:
                    spoilt.add(entry)
                    continue
                group = groups.setdefault(entry, Group(entry[0], entry[1], fits[0].kind))
                group.places[place] = fits[0]
    return [
        group
        for name, group in groups.items()
        if name not in spoilt and not any(_related(group.lemma, low) for low, lemmas in others.items()
                                          if group.lemma.lower() not in lemmas)
    ]  # fmt: skip


def draw(groups: list[Group], rng: random.Random) -> tuple[dict[Place, str], str] | None:
    """New words for some of the groups, at least one, and what was done ("names+verbs"); None if none can be."""
    taken: set[str] = set()
    changes: dict[Place, str] = {}
    done: set[str] = set()
    chosen = [g for g in groups if rng.random() < 0.85] or ([rng.choice(groups)] if groups else [])
    for group in chosen:
        options = rng.sample(group.targets, min(8, len(group.targets)))
        target = next((t for t in options if not any(clash(t, other) for other in taken)), None)
        if target is None:
            continue
        taken.add(target)
        stand_in = STANDS_IN.get(group.word_class, group.word_class)
        for place, entry in group.places.items():
            changes[place] = inflect(stand_in, target, entry.form) or target
        done.add(label_of(group))
    return (changes, "+".join(sorted(done))) if changes else None


def label_of(group: Group) -> str:
    if group.word_class in DAYS:
        return "days"
    return "colours" if group.word_class == "colour" else LABELS[group.kind]


def apply(texts: Texts, changes: dict[Place, str]) -> Texts:
    """The texts with those words replaced."""
    by_text: dict[tuple[str, int], dict[int, str]] = {}
    for (name, position, i), word in changes.items():
        by_text.setdefault((name, position), {})[i] = word
    return {key: words.replaced(by_text.get(key, {})) for key, words in texts.items()}


def _readings(words: Wording, i: int) -> list[Entry]:
    """The word's entries; after a title a word with a capital is a surname and nothing else."""
    word = words.words[i]
    if is_surname(words, i):
        return [Entry("name", "surname", word, "name")]
    return [e for e in entries(word) if e.word_class != "surname"]


def is_surname(words: Wording, i: int) -> bool:
    titled = i > 0 and words.words[i - 1][:1].isupper() and is_class(words.low[i - 1], "title") and words.before(i)
    return bool(titled) and words.words[i][:1].isupper() and not (entries(words.words[i]) and _first_name(words, i))


def _first_name(words: Wording, i: int) -> bool:
    return any(e.word_class in ("female", "male", "unisex") for e in entries(words.words[i]))


def _fits(words: Wording, i: int, entry: Entry) -> bool:
    if entry.kind == "name":
        return slots.name_fits(words, i) and words.words[i][:1].isupper()
    if entry.word_class in DAYS or entry.word_class == "city":
        return (
            is_class(words.before(i), "preposition", "determiner", "connective") and not words.after(i)[:1].isdigit()
        )
    if entry.kind == "noun":
        return slots.noun_fits(words, i, entry)
    if entry.kind == "verb":
        return frames.verb_fits(words, i, entry)
    return entry.kind == "adverb" or slots.adjective_fits(words, i, entry)


def _related(lemma: str, low: str) -> bool:
    """Whether another word looks derived from the lemma ("baker", "bakery"); too often rather than too rarely."""
    lemma = lemma.lower()
    stem = lemma
    for ending in ("ist", "ian", "man", "er", "or", "e", "y"):
        if lemma.endswith(ending) and len(lemma) - len(ending) >= 3:
            stem = lemma[: -len(ending)]
            break
    return len(stem) >= 3 and low != lemma and (low.startswith(stem) or (len(low) > 3 and lemma.startswith(low)))


def _idiom_places(texts: Texts) -> set[Place]:
    places: set[Place] = set()
    for (name, position), words in texts.items():
        ends, offset = [], 0
        for gap, word in zip(words.gaps, words.words, strict=False):
            start = offset + len(gap)
            offset = start + len(word)
            ends.append((start, offset))
        for found in idioms().finditer(str(words)):
            places |= {(name, position, i) for i, (s, e) in enumerate(ends) if s < found.end() and e > found.start()}
    return places


def targets_for(group: Group, texts: Texts) -> list[str]:
    """The lemmas that have all the forms needed and are near no word of the example."""
    stand_in = STANDS_IN.get(group.word_class, group.word_class)
    forms = {entry.form for entry in group.places.values()}
    lows = {low for words in texts.values() for low in words.low if low not in function_words()}
    taken = lows | {stem for words in texts.values() for word in words.words for stem in stems(word)}
    return [
        lemma for lemma in members(stand_in)
        if lemma.lower() not in taken
        and all(inflect(stand_in, lemma, form) for form in forms)
        and not any(_related(lemma, low) for low in lows)
        and not any(clash(lemma, stem) for stem in taken if stem != group.lemma)
    ]  # fmt: skip
