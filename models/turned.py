"""A question turned round, so that another of its choices answers it: with its NOT in or out, or from the other end
of its scale.

A question that asks which choice is so has one that is and others that are not. Of the right choice and a wrong one
beside it, the wrong one answers the question turned round.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from data.lexicon import entries, scales
from data.tasks import Example
from models.wording import Wording, is_class, word_set

ASKS = word_set("which what who whom")
BE = word_set("is are was were")
DO = word_set("does do did")
HELPS = BE | DO | word_set("can could may might must should will would has have had")
CLAUSES = word_set("if when unless because since although though while before after that until so where why how")
PRONOUNS = word_set("he she it they we you i")
PLAIN_OF = {"can't": "can", "cannot": "can", "won't": "will", "shan't": "shall"}
ANYTHING = word_set("anything everything all any")
BETWEEN = word_set("above below all both others other rest odd neither none either exception")
"""Words of a question or choice that looks at the other choices."""
LATEST = 9
"""A word further on stands in a clause of its own."""


def turned(example: Example, label: int, rng: random.Random) -> Iterator[tuple[Example, int, str]]:
    """The right choice and one wrong beside the question turned round, which the wrong one answers."""
    choices = example["choices"]
    if BETWEEN & set(Wording.of(" . ".join([example["question"], *choices])).low):
        return
    wrong = rng.choice([i for i in range(len(choices)) if i != label])
    kept = sorted((label, wrong))
    two = {**example, "choices": [choices[i] for i in kept]}
    question = Wording.of(example["question"])
    for text in (without_not(question), with_not(question)):
        if text is not None:
            yield {**two, "question": str(text)}, kept.index(wrong), "question turned round"
    if (text := other_end(question)) is not None and (len(choices) == 2 or not example["context"]):
        yield {**two, "question": str(text)}, kept.index(wrong), "other end of the scale"
    if (text := only_for_all_but(Wording.of(example["context"]))) is not None:
        yield {**two, "context": str(text)}, kept.index(wrong), "only for all but"


def without_not(question: Wording) -> Wording | None:
    """ "Which of these is not hot?" as "Which of these is hot?"; None where it has no such NOT or several."""
    nots = [i for i, low in enumerate(question.low) if is_class(low, "negation")]
    if len(nots) != 1 or not _in_main_clause(question, nots[0]):
        return None
    i, low = nots[0], question.low[nots[0]]
    if low in PLAIN_OF or low.endswith("n't"):
        return question.replaced({i: PLAIN_OF.get(low, low[:-3])})
    return question.without(i, i + 1) if low in ("not", "never") and i + 1 < len(question) else None


def with_not(question: Wording) -> Wording | None:
    """ "What can he draw?" as "What can he not draw?"; None where the place of a NOT is not plain."""
    if any(is_class(low, "negation") for low in question.low):
        return None
    i = next((i for i, low in enumerate(question.low) if low in HELPS), 0)
    if not _in_main_clause(question, i) or i + 2 > len(question):
        return None
    after = question.after(i)
    if after in PRONOUNS or any(e.kind == "name" for e in entries(question.words[i + 1])):
        i += 1
    elif not after or question.low[i] in DO or (question.low[0] == "what" and not _is_verb(after)):
        return None
    words, gaps = question.words, question.gaps
    return Wording((*words[: i + 1], "not", *words[i + 1 :]), (*gaps[: i + 1], " ", *gaps[i + 1 :]))


def other_end(question: Wording) -> Wording | None:
    """ "Who came first?" as "Who came last?"; None without just one word that compares."""
    if not asks(question) or any(is_class(low, "negation") for low in question.low):
        return None
    found = [i for i, low in enumerate(question.low) if low in scales()]
    if len(found) != 1 or {"than", "and"} & set(question.low):
        return None
    return question.replaced({found[0]: scales()[question.low[found[0]]]})


def only_for_all_but(context: Wording) -> Wording | None:
    """ "She eats anything except meat" as "She eats nothing except meat"; None where it says no such thing."""
    places = [i for i, low in enumerate(context.low) if low in ("except", "but")]
    if len(places) != 1 or context.before(places[0]) not in ANYTHING - {"all", "any"}:
        return None
    if any(is_class(low, "negation") for low in context.low):
        return None
    return context.replaced({places[0] - 1: "nothing"})


def _is_verb(word: str) -> bool:
    return any(entry.form == "base" for entry in entries(word))


def asks(question: Wording) -> bool:
    """Whether it asks which of its choices is so."""
    return question.low[:1] != () and question.low[0] in ASKS


def _in_main_clause(question: Wording, index: int) -> bool:
    """Whether the word belongs to what the question asks of its choices."""
    return (
        asks(question)
        and 0 < index <= LATEST
        and not any(question.breaks(i) for i in range(1, index + 1))
        and not CLAUSES & set(question.low[1:index])
        and "_" not in str(question)
    )
