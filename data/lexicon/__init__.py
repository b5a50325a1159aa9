"""The project's own word lists: what class a word is of, its forms, and which words can stand in for it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from data.lexicon.forms import VERB_FORMS, adjective_forms, noun_forms, verb_forms

KINDS = {"names": "name", "nouns": "noun", "verbs": "verb", "adjectives": "adjective", "adverbs": "adverb"}
"""File -> kind of its words."""

PROPER = {"female", "male", "unisex", "surname", "city", "country", "weekday", "weekend-day", "month", "origin"}
"""Classes whose words are always written with a capital."""


@dataclass(frozen=True)
class Entry:
    """One reading of a word, such as "actors": kind noun, class person, lemma actor, form plural.

    Forms: name; singular, plural, mass, same; base, third, past, participle, both (past and participle alike),
    gerund; positive, comparative, superlative; plain (adverbs). Proper words keep their capital in `lemma`.
    """

    kind: str
    word_class: str
    lemma: str
    form: str


@lru_cache(maxsize=100_000)
def entries(word: str) -> tuple[Entry, ...]:
    """All readings of a word; none if the lexicon lacks it. Proper words need their capital."""
    found = _readings().get(word.lower(), ())
    return found if word[:1].isupper() else tuple(entry for entry in found if entry.word_class not in PROPER)


def find(word: str, kind: str | None = None) -> Entry | None:
    """The first reading of a word, of one kind where given; None if the lexicon lacks it."""
    return next((entry for entry in entries(word) if kind is None or entry.kind == kind), None)


@lru_cache(maxsize=256)
def members(word_class: str) -> tuple[str, ...]:
    """The lemmas of a class in the order of its file. Raises KeyError for an unknown class."""
    return tuple(_classes()[word_class])


def inflect(word_class: str, lemma: str, form: str) -> str | None:
    """That form of a word, or None where it has none ("bread" has no plural).

    `both` is given only for verbs whose past and participle are alike, so that neither reading goes wrong.
    """
    return _classes()[word_class][lemma].get(form)


@lru_cache(maxsize=1)
def closed() -> dict[str, frozenset[str]]:
    """Classes of function words, lower case: what carries the phenomenon and is never replaced."""
    return {name: frozenset(words) for name, words in _lines("closed.tsv")}


@lru_cache(maxsize=1)
def function_words() -> frozenset[str]:
    """The words that are never replaced: all closed classes but those that only mark a kind of company."""
    marks = ("title", "arithmetic", "turn", "cue")
    return frozenset().union(*(words for name, words in closed().items() if name not in marks))


@lru_cache(maxsize=1)
def idioms() -> re.Pattern[str]:
    """Matches phrases whose words mean something else together."""
    lines = (Path(__file__).parent / "idioms.txt").read_text(encoding="utf-8").splitlines()
    phrases = sorted((line for line in lines if line and not line.startswith("#")), key=len, reverse=True)
    return re.compile(r"\b(?:" + "|".join(map(re.escape, phrases)) + r")\b", re.IGNORECASE)


def clash(first: str, second: str) -> bool:
    """Whether two lemmas mean nearly the same, or one is a kind of the other."""
    return first == second or not _clash_lines(first).isdisjoint(_clash_lines(second))


@lru_cache(maxsize=10_000)
def _clash_lines(lemma: str) -> frozenset[int]:
    return _clashes().get(lemma.lower(), frozenset())


@lru_cache(maxsize=1)
def _clashes() -> dict[str, frozenset[int]]:
    found: dict[str, set[int]] = {}
    for number, (first, words) in enumerate(_lines("clashes.txt")):
        for word in [w.strip() for w in first.split(",")] + words:
            found.setdefault(word, set()).add(number)
    return {word: frozenset(numbers) for word, numbers in found.items()}


@lru_cache(maxsize=1)
def scales() -> dict[str, str]:
    """A word that compares -> the word for the other end of its scale: `first` -> `last`, `heavier` -> `lighter`."""
    found: dict[str, str] = {}
    for one, (other,) in _lines("scales.tsv"):
        ends = [adjective_forms(word) for word in (one, other)]
        for form in ends[0].keys() - ({"positive"} if len(ends[0]) > 1 else set()):
            found.setdefault(ends[0][form], ends[1][form])
            found.setdefault(ends[1][form], ends[0][form])
    return found


@lru_cache(maxsize=1)
def number_words() -> dict[str, int]:
    """`twelve` -> 12, `thirty-two` -> 32; up to ninety-nine."""
    simple = {words[0]: int(value) for value, words in _lines("numbers.tsv")}
    tens = {word: value for word, value in simple.items() if value >= 20}
    units = {word: value for word, value in simple.items() if 1 <= value <= 9}
    return simple | {f"{t}-{u}": tens[t] + units[u] for t in tens for u in units}


def _lines(name: str) -> Iterator[tuple[str, list[str]]]:
    for line in (Path(__file__).parent / name).read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            head, _, words = line.partition("\t")
            yield head, [word.strip() for word in words.split(",")]


@lru_cache(maxsize=1)
def _classes() -> dict[str, dict[str, dict[str, str]]]:
    """Class -> lemma -> form -> word."""
    makers = {
        "name": lambda word: {"name": word},
        "noun": noun_forms,
        "verb": verb_forms,
        "adjective": adjective_forms,
        "adverb": lambda word: {"plain": word},
    }
    classes: dict[str, dict[str, dict[str, str]]] = {}
    for file, kind in KINDS.items():
        for name, words in _lines(f"{file}.tsv"):
            classes[name] = {}
            for word in words:
                forms = makers[kind](word)
                classes[name][next(iter(forms.values()))] = forms
    return classes


@lru_cache(maxsize=1)
def _readings() -> dict[str, tuple[Entry, ...]]:
    kinds = {name: kind for file, kind in KINDS.items() for name, _ in _lines(f"{file}.tsv")}
    found: dict[str, list[Entry]] = {}
    for name, lemmas in _classes().items():
        for lemma, forms in lemmas.items():
            for form, word in forms.items():
                if "both" in forms and form in ("past", "participle"):
                    continue
                found.setdefault(word.lower(), []).append(Entry(kinds[name], name, lemma, form))
    return {word: tuple(readings) for word, readings in found.items()}


__all__ = [
    "PROPER",
    "VERB_FORMS",
    "Entry",
    "clash",
    "closed",
    "entries",
    "find",
    "function_words",
    "idioms",
    "inflect",
    "members",
    "number_words",
]


@lru_cache(maxsize=16)
def entity_names(label: str) -> tuple[str, ...]:
    """Names of a type of entity: places, organisations and others. Raises KeyError for one that has no list."""
    return tuple(dict(_lines("entities.tsv"))[label])
