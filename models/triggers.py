"""Words that decide whether a clause is told as fact: "or", "if", "said that"; and the same text without doubt."""

from __future__ import annotations

from collections.abc import Iterator

from data.lexicon import Entry, entries, inflect
from models import slots
from models.clauses import noun_phrase, past_verb
from models.wording import Wording, is_class

AGAIN = {"or": "and", "either": "both"}
DONE = ("managed to", "went on to")
"""Implicatives (Karttunen 1971): what they govern was done."""
TRUE = ("It turned out that", "It is a fact that")
MOST_BETWEEN = 4
"""Words from a subject to the "to" of what it wanted, planned or was asked to do."""


def contains(words: Wording, part: Wording) -> bool:
    """Whether the part stands in the text word for word."""
    return part_start(words, part) is not None


def part_start(words: Wording, part: Wording) -> int | None:
    size = len(part)
    if not size:
        return None
    return next((i for i in range(len(words) - size + 1) if words.low[i : i + size] == part.low), None)


def and_for_or(words: Wording, part: Wording) -> Wording | None:
    """ "Either A or B came" as "both A and B came", where the part is "A came" or "B came"; else None."""
    if words.low.count("or") != 1 or any(is_class(low, "negation", "modal") for low in words.low):
        return None
    if {"if", "unless", "whether"} & set(words.low):
        return None
    i = words.low.index("or")
    after = noun_phrase(words, i + 1)
    start = 1 if words.low[0] == "either" else 0
    if noun_phrase(words, start) != i or after is None or after >= len(words) or not past_verb(words, after):
        return None
    rest = words.low[after:]
    if part.low not in (words.low[start:i] + rest, words.low[i + 1 : after] + rest):
        return None
    changes = {k: AGAIN[low] for k, low in enumerate(words.low) if low in AGAIN}
    if words.low[after] == "was":
        changes[after] = "were"
    return words.replaced(changes)


def because_for_if(words: Wording) -> Wording | None:
    """ "If A, B" as "Because A, B", where both are told as facts of the past."""
    if not words.low or words.low[0] not in ("if", "unless") or len(words) > 40:
        return None
    if any(is_class(low, "modal", "negation") for low in words.low[1:]) or "then" in words.low or "or" in words.low:
        return None
    if any(words.ends_sentence(i) for i in range(1, len(words))):
        return None
    told = [w for w in words.words[1:] if slots.verb_forms_of(w) or is_class(w, "auxiliary")]
    past = all(
        slots.verb_forms_of(w) & {"past", "both", "participle", "gerund"} or w in ("was", "were") for w in told
    )
    return words.replaced({0: "because"}) if told and past else None


def done_for_meant(words: Wording, part: Wording) -> Iterator[Wording]:
    """ "Anna wanted to leave" as "Anna managed to leave", where the part is "Anna left"; else nothing."""
    if words.low.count("to") != 1 or _is_open(words):
        return
    to, subject = words.low.index("to"), noun_phrase(words, 0)
    if subject is None or not 1 <= to - subject <= MOST_BETWEEN or part.low[:subject] != words.low[:subject]:
        return
    rest = words.low[to + 2 :]
    told = part.low[subject:]
    if len(told) != len(rest) + 1 or told[1:] != rest or not _is_past_of(part.words[subject], words.words[to + 1]):
        return
    for verb in DONE:
        parts = words.words[:subject] + tuple(verb.split()) + words.words[to + 1 :]
        gaps = words.gaps[:subject] + (" ",) * len(verb.split()) + words.gaps[to + 1 :]
        yield Wording(parts, gaps)


def true_for_open(words: Wording, part: Wording) -> Iterator[str]:
    """ "It is possible that A" as "It turned out that A", where the part is A; else nothing."""
    start = part_start(words, part)
    if start is None or start < 2 or words.low[start - 1] != "that" or start + len(part) != len(words):
        return
    clause = str(Wording(words.words[start:], ("", *words.gaps[start + 1 :])))
    for frame in TRUE:
        yield f"{frame} {clause}"


def _is_open(words: Wording) -> bool:
    """Whether more than what was meant is left open."""
    return any(low in ("if", "or", "unless", "and", "but") or is_class(low, "negation") for low in words.low)


def _is_past_of(past: str, base: str) -> bool:
    return any(
        e.kind == "verb" and e.form == "base" and inflect(e.word_class, e.lemma, "past") == past.lower()
        for e in entries(base.lower())
    )


def clause_verb(words: Wording, part: Wording) -> tuple[int, Entry] | None:
    """The verb that governs "that ..." with the part as its clause, where nothing else is in the way."""
    start = part_start(words, part)
    if start is None or start < 3 or words.low[start - 1] != "that" or start + len(part) != len(words):
        return None
    i = start - 2
    if any(is_class(low, "negation", "modal", "connective") for low in words.low[:i] if low != "that"):
        return None
    found = [
        e
        for e in entries(words.words[i])
        if e.word_class in ("claim", "know") and e.form in ("past", "both", "third")
    ]
    return (i, found[0]) if found and noun_phrase(words, 0) == i else None
