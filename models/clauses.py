"""Plain English sentences read in full: subject, modifiers, verb; and what can be made of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from data.lexicon import Entry, closed, entries, function_words, inflect
from models import slots
from models.wording import Wording, is_class, word_set

DEFINITE = word_set("the my your his her our their this that these those")
FINITE = ("third", "past", "both", "base")
BE_HAVE = word_set("is are was were am has had have")
AUXILIARIES = word_set("is are was were am can could will would should must may might")
DOWNWARD = ("negation", "quantifier", "modal")
HEDGES = word_set(
    "if or but unless whether when while because although though so than as "
    "probably possibly perhaps maybe hopefully supposedly allegedly almost nearly only just together between "
    "however either neither if like would like"
)
TIMES = frozenset({"before", "after", "until", "since"})
"""Prepositions, but conjunctions where a clause follows."""
TOGETHER = word_set("both share shared together each agreed fought argued twins same different similar")
RELATIVE = ("who", "which", "whose", "whom")
LOCATIVE = word_set("near behind beside by next with in at on under above opposite from")


@dataclass(frozen=True)
class Clause:
    """A sentence whose subject is words[0:subject_end], modifiers up to `verb`, then the rest.

    `heads` are the subject's (start, end) parts: two where "and" joins them.
    """

    words: Wording
    heads: tuple[tuple[int, int], ...]
    subject_end: int
    verb: int
    plural: bool


def read_clause(words: Wording) -> Clause | None:
    """The clause of a single plain statement about something definite; None where in doubt.

    Everything in it must be open to weakening: no negation, quantifier, condition, modal or report.
    """
    if not 2 <= len(words) <= 30 or words.gaps[-1].strip() not in ("", ".", "!"):
        return None
    if any(words.breaks(i) for i in range(1, len(words))):
        return None
    if is_hedged(words):
        return None
    if any(low in TIMES and any(_finite(words, k) for k in range(i, len(words))) for i, low in enumerate(words.low)):
        return None
    first = noun_phrase(words, 0)
    if first is None:
        return None
    heads, end = [(0, first)], first
    if end < len(words) and words.low[end] == "and":
        second = noun_phrase(words, end + 1)
        if second is None:
            return None
        heads.append((end + 1, second))
        end = second
    plural = len(heads) > 1 or _plural_head(words, end - 1)
    verb = _modifiers_end(words, end) if len(heads) == 1 else end
    if verb is None or not _finite(words, verb):
        return None
    return Clause(words, tuple(heads), end, verb, plural)


def is_hedged(words: Wording) -> bool:
    """Whether anything in the text is negated, quantified, conditional, modal or only reported."""
    hedged = any(low in HEDGES or low.endswith("n't") or is_class(low, *DOWNWARD) for low in words.low)
    return hedged or any(e.word_class == "claim" and e.kind == "verb" for w in words.words for e in entries(w))


def is_single(words: Wording) -> bool:
    """Whether it is one sentence without a comma, and nothing in it is negated."""
    negated = any(is_class(low, "negation") for low in words.low)
    return not negated and not any(words.breaks(i) for i in range(1, len(words)))


def lowered_words(words: tuple[str, ...]) -> tuple[str, ...]:
    """The words of a sentence's beginning as they stand further on: without the capital, unless a name has it."""
    return (words[0].lower(), *words[1:]) if words[0].lower() in (*DEFINITE, "a", "an") else words


def noun_phrase(words: Wording, start: int) -> int | None:
    """Where a definite noun phrase that starts there ends: a name, or "the (tall) actor"."""
    if start >= len(words):
        return None
    if any(e.kind == "name" and e.word_class != "surname" for e in entries(words.words[start])):
        return start + 1
    if is_class(words.low[start], "title") and start + 1 < len(words) and words.words[start + 1][:1].isupper():
        return start + 2
    if words.low[start] not in DEFINITE:
        return None
    i = start + 1
    while i < min(len(words), start + 4):
        readings = entries(words.words[i])
        if any(e.kind == "noun" for e in readings):
            following = entries(words.words[i + 1]) if i + 1 < len(words) else ()
            if any(e.kind == "noun" for e in following) and not any(e.kind == "verb" for e in following):
                return None
            return i + 1
        if not any(e.kind == "adjective" for e in readings):
            return None
        i += 1
    return None


def weaken(clause: Clause) -> Iterator[tuple[Wording, str]]:
    """Shorter sentences that follow from the clause."""
    words = clause.words
    if clause.verb > clause.subject_end:
        yield words.without(clause.subject_end, clause.verb), "subject's modifier dropped"
    if len(clause.heads) == 2 and not _collective(words):
        (_, end), (start, stop) = clause.heads
        for keep, cut in (((0, end), (end, stop)), ((start, stop), (0, start))):
            single = _agree(words.without(*cut), stop - (cut[1] - cut[0]), _plural_head(words, keep[1] - 1))
            if single is not None:
                yield single, "one of two dropped"
    yield from _object_parts(clause)
    for i in range(len(words)):
        if _droppable(words, i):
            yield words.without(i, i + 1), "modifier dropped"


def without_aside(words: Wording) -> Wording | None:
    """The sentence without a relative clause between commas, which says more of the subject; it follows."""
    breaks = [i for i in range(1, len(words)) if words.breaks(i)]
    if len(breaks) != 2 or any(words.gaps[i].strip() != "," for i in breaks) or words.low[breaks[0]] not in RELATIVE:
        return None
    start, end = breaks
    shorter = Wording(words.words[:start] + words.words[end:], (*words.gaps[:start], " ", *words.gaps[end + 1 :]))
    return shorter if noun_phrase(words, 0) == start and read_clause(shorter) else None


def relative_statements(words: Wording) -> Iterator[Wording]:
    """What a relative clause at the end says of its noun, as a sentence of its own; it follows."""
    if is_hedged(words) or any(words.breaks(i) for i in range(1, len(words))):
        return
    for i in range(2, len(words) - 1):
        start = next((s for s in range(i) if noun_phrase(words, s) == i), None)
        if words.low[i] != "who" or start is None or not past_verb(words, i + 1):
            continue
        end = _predicate_end(words, i + 1)
        if end is None or (end < len(words) and not is_class(words.low[end], "preposition")):
            continue
        if any(words.low[k] == "and" or _finite(words, k) for k in range(end, len(words))):
            continue
        first = words.words[start][:1].upper() + words.words[start][1:]
        said = (first, *words.words[start + 1 : i], *words.words[i + 1 :])
        alone = Wording(said, ("", *[" "] * (len(said) - 1), words.gaps[-1]))
        if read_clause(alone):
            yield alone


def _object_parts(clause: Clause) -> Iterator[tuple[Wording, str]]:
    words = clause.words
    for i in range(clause.verb + 2, len(words) - 1):
        if words.low[i] != "and" or noun_phrase(words, i + 1) != len(words) or _collective(words):
            continue
        start = next((s for s in range(clause.verb + 1, i) if noun_phrase(words, s) == i), None)
        if start is not None and start == clause.verb + 1 and "and" not in words.low[:i]:
            yield words.without(i, len(words)), "one of two dropped"
            yield words.without(start, i + 1), "one of two dropped"


def somebody_for(words: Wording) -> Wording | None:
    """The sentence with "Somebody" for the one person whom it begins with, whatever it says of them; it follows."""
    end = noun_phrase(words, 0)
    if end is None or end >= len(words) or words.breaks(end) or not _finite(words, end):
        return None
    if not any(
        e.word_class in slots.PERSONS and e.form in ("singular", "name") for e in entries(words.words[end - 1])
    ):
        return None
    return Wording(("Somebody", *words.words[end:]), (words.gaps[0], *words.gaps[end:]))


def negate(clause: Clause) -> Wording | None:
    """The clause denied: "was not", "did not pay"; None where its verb has no sure form."""
    words, verb = clause.words, clause.verb
    if len(clause.heads) != 1 or _two_verbs(words, verb):
        return None
    if words.low[verb] in AUXILIARIES:
        return _inserted(words, verb + 1, ("not",))
    readings = [e for e in entries(words.words[verb]) if e.kind == "verb" and e.form in FINITE]
    if not clause.plural:
        readings = [e for e in readings if e.form != "base"]
    if len({e.form for e in readings}) != 1 or words.low[verb] in BE_HAVE:
        return None
    entry = readings[0]
    base = inflect(entry.word_class, entry.lemma, "base")
    if any(inflect(e.word_class, e.lemma, "base") != base for e in readings) or base is None:
        return None
    do = {"third": "does", "base": "do"}.get(entry.form, "did")
    changed = list(words.words)
    changed[verb] = base
    return _inserted(Wording(tuple(changed), words.gaps), verb, (do, "not"))


def _two_verbs(words: Wording, verb: int) -> bool:
    """Whether "and" joins a second predicate, which a "not" before the first would not surely reach."""
    after = (k + 1 for k in range(verb + 1, len(words) - 1) if words.low[k] == "and")
    return any(not (is_class(words.low[k], "determiner", "possessive") or noun_phrase(words, k)) for k in after)


def _modifiers_end(words: Wording, start: int) -> int | None:
    """Past one phrase ("near the lawyers") or one relative clause ("who thanked the judge")."""
    i = start
    if i < len(words) and words.low[i] in LOCATIVE and not _finite(words, i):
        i += 2 if words.low[i : i + 2] == ("next", "to") else 1
        return noun_phrase(words, i)
    if i + 1 < len(words) and words.low[i] == "whose":  # "whose driver slept", "whose driver thanked the judge"
        return _predicate_end(words, i + 2) if any(e.kind == "noun" for e in entries(words.words[i + 1])) else None
    if i < len(words) and words.low[i] in ("who", "that"):
        i += 1
        subject = noun_phrase(words, i)
        if subject is not None:  # "that the judge thanked"
            return subject + 1 if subject < len(words) and _affect(words, subject) else None
        return _predicate_end(words, i)  # "who thanked the judge", "who slept"
    return start


def _predicate_end(words: Wording, verb: int) -> int | None:
    """Where what a relative clause says ends: past the verb, and past its object where it has one."""
    if _affect(words, verb):
        return noun_phrase(words, verb + 1)
    readings = entries(words.words[verb]) if verb < len(words) else ()
    return verb + 1 if any(e.word_class in ("act", "go") for e in readings) else None


def _finite(words: Wording, i: int) -> bool:
    if i >= len(words):
        return False
    if words.low[i] in AUXILIARIES or words.low[i] in ("has", "had", "have"):
        return True
    return any(e.kind == "verb" and e.form in FINITE for e in entries(words.words[i]))


def past_verb(words: Wording, i: int) -> bool:
    return words.low[i] in ("was", "were") or bool(slots.verb_forms_of(words.words[i]) & {"past", "both"})


def _affect(words: Wording, i: int) -> Entry | None:
    if i >= len(words):
        return None
    return next((e for e in entries(words.words[i]) if e.word_class in ("affect", "compete")), None)


def _plural_head(words: Wording, i: int) -> bool:
    return any(e.form == "plural" for e in entries(words.words[i]) if e.kind == "noun")


def _collective(words: Wording) -> bool:
    """Whether what two do together may not be true of one."""
    symmetric = any(e.word_class == "symmetric" for word in words.words for e in entries(word))
    return symmetric or not TOGETHER.isdisjoint(words.low)


def _agree(words: Wording, verb: int, plural: bool) -> Wording | None:
    """The sentence with its verb agreeing with a subject that may now be single."""
    low = words.low[verb]
    if plural or (slots.verb_forms_of(words.words[verb]) & {"past", "both"} and low != "were"):
        return words
    single = {"were": "was", "are": "is", "have": "has"}.get(low)
    if single is None:
        base = next((e for e in entries(words.words[verb]) if e.kind == "verb" and e.form == "base"), None)
        single = inflect(base.word_class, base.lemma, "third") if base else None
    return words.replaced({verb: single}) if single else None


def _droppable(words: Wording, i: int) -> bool:
    """Whether the word only narrows what follows: a plain adjective before its noun, or an adverb of manner."""
    if words.low[i] in function_words() or words.low[i] in closed()["arithmetic"]:
        return False
    readings = entries(words.words[i])
    if any(e.kind == "adverb" and e.word_class == "manner" for e in readings):
        return True
    narrowing = [e for e in readings if e.kind == "adjective" and e.form == "positive"]
    right = entries(words.words[i + 1]) if words.after(i) else ()
    plain = narrowing and narrowing[0].word_class.split("-")[0] in ("person", "thing", "colour", "origin")
    return bool(plain) and any(e.kind == "noun" for e in right) and not is_class(words.before(i), "adverb", "copula")


def _inserted(words: Wording, at: int, new: tuple[str, ...]) -> Wording:
    parts = words.words[:at] + new + words.words[at:]
    gaps = words.gaps[:at] + (" ",) * len(new) + words.gaps[at:]
    return Wording(parts, gaps)
