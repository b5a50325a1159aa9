"""Who did what to whom: the plain facts that a text tells, and pairs that ask for them in one order and the other.

A model that is taught that "The doctor paid the actor" does not follow from "The actor paid the doctor" learns that
the words mean neutral, unless it sees the same premise with the roles put back.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from data.lexicon import Entry, entries, inflect
from models import clauses
from models.wording import Wording

ENTAILMENT, NEUTRAL, CONTRADICTION = range(3)
BE = ("was", "were")
MOST_WORDS = 40
Phrase = tuple[str, ...]


@dataclass(frozen=True)
class Fact:
    """`doer` and `done_to` are noun phrases, lower case unless names; `verb` is an entry of the lexicon."""

    doer: Phrase
    verb: Entry
    done_to: Phrase

    def swapped(self) -> Fact:
        return Fact(self.done_to, self.verb, self.doer)

    def same(self, other: Fact) -> bool:
        mine, theirs = ((f.doer, f.done_to, f.verb.lemma) for f in (self, other))
        return _low(mine) == _low(theirs)


def read_facts(words: Wording) -> list[Fact]:
    """The facts that the text tells outright, in the active, the passive, a cleft or a relative clause.

    Empty where a negation, condition, modal or report stands anywhere in it.
    """
    if len(words) > MOST_WORDS or clauses.is_hedged(words):
        return []
    found = [_active(words, i) or _passive(words, i) for i in range(1, len(words) - 1)]
    return [fact for fact in found if fact is not None]


def role_pairs(premise: str, hypothesis: str) -> Iterator[tuple[str, str, int, str]]:
    """The premise with what it says of somebody, and with the same the other way round."""
    told = read_facts(Wording.of(premise))
    put_back = _put_back(told, Wording.of(premise), Wording.of(hypothesis))
    if put_back is not None:
        yield premise, *put_back
    for fact in told:
        yield premise, _without_doer(fact), ENTAILMENT, "what was done"
        for voice, rule, swapped in (
            (_in_active, "who did it", "who did it, roles swapped"),
            (_in_passive, "who did it, in the passive", "who did it, in the passive, roles swapped"),
        ):
            yield premise, voice(fact), ENTAILMENT, rule
            if _one_way(told, fact):
                yield premise, voice(fact.swapped()), NEUTRAL, swapped


def _one_way(told: list[Fact], fact: Fact) -> bool:
    """Whether nothing is known of the other direction."""
    return fact.verb.word_class == "affect" and not any(fact.swapped().same(other) for other in told)


def _put_back(told: list[Fact], premise: Wording, hypothesis: Wording) -> tuple[str, int, str] | None:
    """The hypothesis with its roles exchanged, where the premise tells of the two and of all else in it."""
    asked = read_facts(hypothesis)
    if len(asked) != 1:
        return None
    fact = asked[0]
    swapped = _exchanged(hypothesis, fact)
    if swapped is None or not set(hypothesis.low) - {*BE, "by"} <= set(premise.low) | _forms(fact.verb):
        return None
    if any(fact.swapped().same(other) for other in told):
        return swapped, ENTAILMENT, "roles put back"
    if any(fact.same(other) for other in told) and _one_way(told, fact):
        return swapped, NEUTRAL, "roles swapped"
    return None


def _exchanged(words: Wording, fact: Fact) -> str | None:
    """The sentence with the fact's two noun phrases in each other's place."""
    places = _find(words, fact.doer), _find(words, fact.done_to)
    if None in places:
        return None
    parts, gaps, end = [], [], 0
    for (start, stop), phrase in zip(sorted(places), _other_order(places, fact), strict=True):
        parts += [*words.words[end:start], *_cased(phrase, words.ends_sentence(start))]
        gaps += [*words.gaps[end : start + 1], *[" "] * (len(phrase) - 1)]
        end = stop
    return str(Wording((*parts, *words.words[end:]), (*gaps, *words.gaps[end:])))


def _other_order(places: tuple, fact: Fact) -> tuple[Phrase, Phrase]:
    """The phrases as they stand after the exchange."""
    return (fact.done_to, fact.doer) if places[0] < places[1] else (fact.doer, fact.done_to)


def _find(words: Wording, phrase: Phrase) -> tuple[int, int] | None:
    low, size = tuple(w.lower() for w in phrase), len(phrase)
    places = [i for i in range(len(words) - size + 1) if words.low[i : i + size] == low]
    return (places[0], places[0] + size) if len(places) == 1 else None


def _cased(phrase: Phrase, starts: bool) -> Phrase:
    first = phrase[0][:1].upper() + phrase[0][1:] if starts else phrase[0]
    return (first, *phrase[1:])


def _active(words: Wording, i: int) -> Fact | None:
    verb = _verb(words, i, ("past", "both"))
    end = clauses.noun_phrase(words, i + 1)
    if verb is None or end is None or words.breaks(i) or words.breaks(i + 1) or _goes_on(words, end):
        return None
    subject = _phrase_before(words, i)
    if subject is None and words.low[i - 1] in ("who", "that"):
        subject = _phrase_before(words, i - 1, told=True)
    return Fact(_plain(words, *subject), verb, _plain(words, i + 1, end)) if subject else None


def _passive(words: Wording, i: int) -> Fact | None:
    verb = _verb(words, i, ("participle", "both"))
    if verb is None or words.low[i - 1] not in BE or i + 2 >= len(words) or words.low[i + 1] != "by":
        return None
    end = clauses.noun_phrase(words, i + 2)
    if end is None or _goes_on(words, end):
        return None
    subject = _phrase_before(words, i - 1)
    if subject is None and i > 1 and words.low[i - 2] in ("who", "that"):
        subject = _phrase_before(words, i - 2, told=True)
    return Fact(_plain(words, i + 2, end), verb, _plain(words, *subject)) if subject else None


def _phrase_before(words: Wording, end: int, told: bool = False) -> tuple[int, int] | None:
    """The noun phrase that ends there and begins a clause (`told`: or follows "it was")."""
    for start in range(max(0, end - 4), end):
        if clauses.noun_phrase(words, start) != end:
            continue
        opens = words.ends_sentence(start) or words.breaks(start)
        joined = start > 0 and words.low[start - 1] == "and" and (start == 1 or words.breaks(start - 1))
        cleft = told and start == 2 and words.low[:2] == ("it", "was")
        if opens or joined or cleft:
            return start, end
    return None


def _verb(words: Wording, i: int, forms: tuple[str, ...]) -> Entry | None:
    return next(
        (e for e in entries(words.words[i]) if e.word_class in ("affect", "compete") and e.form in forms), None
    )


def _goes_on(words: Wording, end: int) -> bool:
    """Whether the noun phrase may be only the beginning of a longer one ("the actor's friend")."""
    if end >= len(words) or words.breaks(end):
        return False
    following = entries(words.words[end])
    return words.low[end] in ("'s", "of") or (
        any(e.kind == "noun" for e in following) and not any(e.kind in ("verb", "adverb") for e in following)
    )


def _plain(words: Wording, start: int, end: int) -> Phrase:
    phrase = words.words[start:end]
    return (phrase[0].lower(), *phrase[1:]) if words.low[start] in clauses.DEFINITE else tuple(phrase)


def _in_active(fact: Fact) -> str:
    return _sentence(*fact.doer, inflect(fact.verb.word_class, fact.verb.lemma, "past"), *fact.done_to)


def _in_passive(fact: Fact) -> str:
    return f"{_without_doer(fact)[:-1]} by {' '.join(fact.doer)}."


def _without_doer(fact: Fact) -> str:
    be = "were" if any(e.form == "plural" for e in entries(fact.done_to[-1]) if e.kind == "noun") else "was"
    participle = inflect(fact.verb.word_class, fact.verb.lemma, "participle")
    return _sentence(*fact.done_to, be, participle)


def _sentence(*words: str) -> str:
    text = " ".join(words)
    return f"{text[:1].upper()}{text[1:]}."


def _forms(verb: Entry) -> set[str]:
    found = (inflect(verb.word_class, verb.lemma, form) for form in ("past", "participle"))
    return {form.lower() for form in found if form}


def _low(parts: tuple) -> tuple:
    return tuple(" ".join(p).lower() if isinstance(p, tuple) else p for p in parts)
