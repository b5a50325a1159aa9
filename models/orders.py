"""What comes before or is more than something else, said the other way round: where one order is right, its converse
is wrong, and where one is wrong, its converse is right."""

from __future__ import annotations

from collections.abc import Iterator

from models import clauses
from models.wording import Wording, is_class, word_set

ENTAILMENT, NEUTRAL, CONTRADICTION = range(3)
CONVERSE = {ENTAILMENT: CONTRADICTION, CONTRADICTION: ENTAILMENT}
TIMES = ("before", "after")
OTHER = {"before": "after", "after": "before"}
LEVEL = word_set("same equal equally as while when simultaneously both tie tied together")
"""A premise with these may put the two on a level, and then neither order is right."""


def orders(premise: str, hypothesis: str, label: int) -> Iterator[tuple[str, str, int, str]]:
    """The premise with the hypothesis' order turned round, and told from the other side."""
    words = Wording.of(hypothesis)
    if label not in CONVERSE or not clauses.is_single(words) or LEVEL & set(Wording.of(premise).low):
        return
    if (turned := _things_exchanged(words)) is not None:
        yield premise, str(turned), CONVERSE[label], "order turned round"
    place = _time_word(words)
    if place is not None:
        yield premise, str(_events_exchanged(words, place)), CONVERSE[label], "order turned round"
        other = words.replaced({place: OTHER[words.low[place]]})
        yield premise, str(other), CONVERSE[label], "before for after"
        yield premise, str(_events_exchanged(other, place)), label, "order told from the other side"


def _time_word(words: Wording) -> int | None:
    """Where "before" or "after" stands between two events that are told as clauses."""
    places = [i for i, low in enumerate(words.low) if low in TIMES]
    if len(places) != 1:
        return None
    first, second = clauses.noun_phrase(words, 0), clauses.noun_phrase(words, places[0] + 1)
    if first is None or second is None or first >= places[0] or second >= len(words):
        return None
    return None if is_class(words.low[second], "preposition", "connective") else places[0]


def _events_exchanged(words: Wording, place: int) -> Wording:
    """ "Leo left before Olga sang." as "Olga sang before Leo left."."""
    first, second = words.words[:place], words.words[place + 1 :]
    low = clauses.lowered_words(first)
    parts = (second[0][:1].upper() + second[0][1:], *second[1:], words.words[place], *low)
    gaps = ("", *words.gaps[place + 2 : len(words)], " ", " ", *words.gaps[1:place], words.gaps[-1])
    return Wording(parts, gaps)


def _things_exchanged(words: Wording) -> Wording | None:
    """ "The lake is deeper than the pond." as "The pond is deeper than the lake."."""
    first = clauses.noun_phrase(words, 0)
    if first is None or words.low.count("than") != 1:
        return None
    than = words.low.index("than")
    if than <= first or clauses.noun_phrase(words, than + 1) != len(words):
        return None
    second = words.words[than + 1 :]
    parts = (second[0][:1].upper() + second[0][1:], *second[1:], *words.words[first : than + 1])
    parts += clauses.lowered_words(words.words[:first])
    gaps = ("", *words.gaps[than + 2 : len(words)], *words.gaps[first : than + 1], " ", *words.gaps[1:first])
    return Wording(parts, (*gaps, words.gaps[-1]))
