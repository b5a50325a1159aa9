""" "If A, B" and what follows with a fact beside it: the rules of the conditional, over the example's own clauses.

A model that is taught that B does not give A learns that "if" means neutral, unless it sees that A gives B.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from models.clauses import negate, read_clause
from models.wording import Wording, word_set

ENTAILMENT, NEUTRAL, CONTRADICTION = range(3)
SENTENCE = re.compile(r"[^.!?]+[.!?]+")
CLAUSE = r"[^,.;:?!\"]+"
LEADING = re.compile(rf"(?:If|Whenever)\s+(?P<condition>{CLAUSE}),\s*(?:then\s+)?(?P<result>{CLAUSE})\.")
TRAILING = re.compile(rf"(?P<result>{CLAUSE}?)\s+(?:if|whenever)\s+(?P<condition>{CLAUSE})\.")
UNSURE = word_set(
    "if whenever unless would could might may should whether only even then else otherwise were had what who when"
)
"""With these in a clause it is not the plain conditional that these rules are of."""
FEWEST_WORDS = 2


@dataclass(frozen=True)
class Conditional:
    text: str
    condition: str
    result: str
    """Clauses as sentences of their own, "The nurse left."."""


def read_conditional(premise: str) -> Conditional | None:
    """The first plain conditional among the premise's sentences; None where there is none."""
    for sentence in (found.strip() for found in SENTENCE.findall(premise)):
        match = LEADING.fullmatch(sentence) or TRAILING.fullmatch(sentence)
        if match is None:
            continue
        clauses = [Wording.of(match[name]) for name in ("condition", "result")]
        if any(len(words) < FEWEST_WORDS or not UNSURE.isdisjoint(words.low) for words in clauses):
            continue
        if not sentence.startswith(("If ", "Whenever ")) and read_clause(Wording.of(match["result"] + ".")) is None:
            continue  # "we know that B if A" is not about B alone
        return Conditional(sentence, *(_sentence(match[name]) for name in ("condition", "result")))
    return None


def consequences(premise: str) -> Iterator[tuple[str, str, int, str]]:
    """What the premise's conditional gives with each fact beside it: premise, hypothesis, label, rule."""
    found = read_conditional(premise)
    if found is None:
        return
    condition, result = found.condition, found.result
    no_condition, no_result = _denied(condition), _denied(result)
    yield f"{found.text} {condition}", result, ENTAILMENT, "the condition holds"
    if no_result is not None:
        yield f"{found.text} {condition}", no_result, CONTRADICTION, "the condition holds, the result denied"
    if no_result is not None and no_condition is not None:
        yield f"{found.text} {no_result}", no_condition, ENTAILMENT, "the result fails"
    if no_result is not None:
        yield f"{found.text} {no_result}", condition, CONTRADICTION, "the result fails, the condition claimed"
    yield f"{found.text} {result}", condition, NEUTRAL, "the result holds"
    if no_condition is not None and no_result is not None:
        yield f"{found.text} {no_condition}", no_result, NEUTRAL, "the condition fails"
    yield found.text, result, NEUTRAL, "the condition alone"


def _sentence(clause: str) -> str:
    clause = clause.strip()
    return f"{clause[:1].upper()}{clause[1:]}."


def _denied(sentence: str) -> str | None:
    clause = read_clause(Wording.of(sentence))
    words = negate(clause) if clause is not None else None
    return None if words is None else str(words)
