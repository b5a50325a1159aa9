"""Small edits of a person's own input, and which of them change the answer (after MiCE and Polyjuice, by rules).

Each edit touches one thing: a word for its neighbour, a negation in or out, a number by one, a quantifier, a gender,
two nouns in each other's place, a slip of the finger, something added that is beside the point.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import torch

from data.lexicon import inflect, number_words
from data.tasks import Example, Task
from models.dressing import dress
from models.numerals import number_places
from models.polarity import BE, PLAIN
from models.predictor import Prediction, Predictor
from models.substitution import (
    STANDS_IN,
    Group,
    Place,
    Texts,
    apply,
    fitting_groups,
    label_of,
    read_texts,
    targets_for,
    write_texts,
)
from models.wording import Wording, is_class

NEAREST = 3
"""How many neighbours of a word are tried."""
SLIPS = 3
ADDED = 4
"""Tries to add something beside the point."""
OTHER = {
    "names": "other name",
    "nouns": "other noun",
    "verbs": "other verb",
    "adjectives": "other adjective",
    "adverbs": "other adverb",
    "days": "other day",
    "colours": "other colour",
}
"""By the name of a group of words the rule that puts another one in its place."""
THROUGHOUT = "throughout"
GENDER, SLIP, BESIDE = "other gender", "slip of the finger", "beside the point"
PLURAL_QUANTIFIERS = ("all", "most", "many", "some", "few", "no")
SINGULAR_QUANTIFIERS = ("every", "each", "no")
GENDERED = {"he": "she", "she": "he", "him": "her", "his": "her", "himself": "herself", "herself": "himself"}
MODALS = ("can", "could", "will", "would", "should", "must", "may", "might")
FINITE = (*sorted(BE - {"be", "been"}), *MODALS)
"""Behind these a `not` is all it takes."""
AUXILIARIES = (*FINITE, "be", "did", "does", "do", "has", "have", "had")


Nearest = Callable[[str, list[str]], list[str]]
"""Sorts words by their likeness to a word, the nearest first."""


@dataclass(frozen=True)
class Edit:
    example: Example
    rule: str
    changed: int
    """How many words are other than before."""


@dataclass(frozen=True)
class Counterfactual:
    edit: Edit
    prediction: Prediction
    flips: bool
    """Whether the answer is another one than before."""


def counterfactuals(
    predictor: Predictor, example: Example, before: Prediction, count: int = 8
) -> list[Counterfactual]:
    """The edits that flip the answer, the smallest first, then those that move it most; at most `count`.

    No rule has more than a third of the places while others have candidates.
    """
    edits = list(suggest_edits(predictor.task, example, neighbours(predictor)))
    predictions = predictor.predict([edit.example for edit in edits], batch_size=64)
    found = [
        Counterfactual(edit, prediction, prediction.label != before.label)
        for edit, prediction in zip(edits, predictions, strict=True)
    ]

    def order(one: Counterfactual) -> tuple[bool, int, float]:
        moved = abs(one.prediction.probabilities[before.label] - before.probabilities[before.label])
        return not one.flips, one.edit.changed if one.flips else 0, -moved

    ranked, chosen, used = sorted(found, key=order), [], {}
    for most in (max(1, count // 3), count):
        for one in ranked:
            if len(chosen) < count and one not in chosen and used.get(one.edit.rule, 0) < most:
                chosen.append(one)
                used[one.edit.rule] = used.get(one.edit.rule, 0) + 1
    return sorted(chosen, key=order)


def keeps_answer(rule: str) -> bool:
    """Whether the answer should stay as it was under the rule; of the others nobody knows but the person."""
    return rule in (GENDER, SLIP, BESIDE) or rule.endswith(THROUGHOUT)


def neighbours(predictor: Predictor) -> Nearest:
    """Sorts words by the cosine of their embeddings with a word's, the nearest first; pieces are averaged."""
    table = predictor.model.get_input_embeddings().weight.detach()
    tokenizer = predictor.checkpoint.tokenizer

    def vectors(words: list[str]) -> torch.Tensor:
        ids = tokenizer(words, add_special_tokens=False)["input_ids"]
        means = [table[torch.tensor(pieces or [0], device=table.device)].mean(0) for pieces in ids]
        return torch.nn.functional.normalize(torch.stack(means), dim=1)

    def nearest(word: str, others: list[str]) -> list[str]:
        if not others:
            return []
        with torch.no_grad():
            likeness = vectors(others) @ vectors([word])[0]
        return [others[i] for i in likeness.argsort(descending=True).tolist()]

    return nearest


def suggest_edits(task: Task, example: Example, nearest: Nearest = lambda _word, others: others) -> Iterator[Edit]:
    """Every edit that a rule makes, none twice and none that leaves the example as it was."""
    texts, seen = read_texts(task, example), {task.content_hash(example)}
    swaps = partial(_word_swaps, nearest=nearest)
    rules = (swaps, _negations, _numbers, _quantifiers, _genders, _orders, _slips)
    rng = random.Random(task.content_hash(example))
    for changed, rule in (made for make in rules for made in make(texts)):
        try:
            made = write_texts(task, example, changed)
        except ValueError:  # two choices became the same
            continue
        if (key := task.content_hash(made)) not in seen:
            seen.add(key)
            yield Edit(made, rule, _distance(texts, changed))
    for _ in range(ADDED):
        dressed = dress(task, example, rng)
        if dressed and (key := task.content_hash(dressed[0])) not in seen:
            seen.add(key)
            yield Edit(dressed[0], BESIDE, _distance(texts, read_texts(task, dressed[0])))


def _distance(before: Texts, after: Texts) -> int:
    """How many words differ, text by text; a word put in or out counts once."""
    total = 0
    for key, words in before.items():
        old, new = list(words.low), list(after[key].low)
        while old and new and old[0] == new[0]:
            old.pop(0), new.pop(0)
        while old and new and old[-1] == new[-1]:
            old.pop(), new.pop()
        total += max(len(old), len(new))
    return total


def _word_swaps(texts: Texts, nearest: Nearest) -> Iterator[tuple[Texts, str]]:
    """A word of the lexicon for its nearest in the encoder, of the same class and form: in one place, and in all."""
    for group in fitting_groups(texts):
        rule = OTHER[label_of(group)]
        for target in nearest(group.lemma, targets_for(group, texts))[:NEAREST]:
            stand_in = STANDS_IN.get(group.word_class, group.word_class)
            changes = {place: inflect(stand_in, target, e.form) or target for place, e in group.places.items()}
            for place, word in changes.items():
                yield apply(texts, {place: word}), rule
            if len(changes) > 1:
                yield apply(texts, changes), f"{rule} {THROUGHOUT}"


def _negations(texts: Texts) -> Iterator[tuple[Texts, str]]:
    for key, words in texts.items():
        for i, low in enumerate(words.low):
            if low == "not" and words.before(i) in AUXILIARIES:
                yield {**texts, key: words.without(i, i + 1)}, "negation out"
            elif low in PLAIN:
                yield apply(texts, {(*key, i): PLAIN[low]}), "negation out"
            elif low in FINITE and _takes_not(words, i):
                yield {**texts, key: _inserted(words, i + 1, "not")}, "negation in"


def _takes_not(words: Wording, index: int) -> bool:
    """Whether a "not" may follow the verb: where it begins a sentence it asks a question."""
    after = words.after(index)
    return bool(after) and not words.ends_sentence(index) and not is_class(after, "negation")


def _inserted(words: Wording, index: int, word: str) -> Wording:
    """With a word more before the one at `index`."""
    return Wording(
        (*words.words[:index], word, *words.words[index:]),
        (*words.gaps[:index], " ", *words.gaps[index:]),
    )


def _numbers(texts: Texts) -> Iterator[tuple[Texts, str]]:
    names = {value: word for word, value in number_words().items()}
    for place, value in number_places(texts):
        digits = texts[place[0], place[1]].low[place[2]].isdecimal()
        for other in (value + 1, value - 1) if value > 1 else ():  # one answer, two answers
            if other > 1 and (digits or other in names):
                yield apply(texts, {place: str(other) if digits else names[other]}), "other number"


def _quantifiers(texts: Texts) -> Iterator[tuple[Texts, str]]:
    for key, words in texts.items():
        for i, low in enumerate(words.low):
            kinds = [k for k in (PLURAL_QUANTIFIERS, SINGULAR_QUANTIFIERS) if low in k]
            after, before = words.after(i), words.before(i)
            if not kinds or not after or is_class(after, "preposition", "determiner") or after == "one":
                continue
            if is_class(before, "determiner", "possessive") or before in ("at", "as", "so", "too", "not"):
                continue
            plural = after.endswith("s")
            for other in PLURAL_QUANTIFIERS if plural else SINGULAR_QUANTIFIERS if low != "all" else ():
                if other != low:
                    yield apply(texts, {(*key, i): other}), "other quantifier"


def _genders(texts: Texts) -> Iterator[tuple[Texts, str]]:
    """Every pronoun of a person for that of the other gender."""
    changes: dict[Place, str] = {}
    for key, words in texts.items():
        for i, low in enumerate(words.low):
            if low == "her":
                changes[*key, i] = "his" if words.after(i) and not is_class(words.after(i), "preposition") else "him"
            elif low in GENDERED:
                changes[*key, i] = GENDERED[low]
    if changes:
        yield apply(texts, changes), GENDER


def _orders(texts: Texts) -> Iterator[tuple[Texts, str]]:
    """Two nouns or names of one class and form in each other's place, in one text."""
    groups: list[Group] = [group for group in fitting_groups(texts) if group.kind in ("noun", "name")]
    for number, first in enumerate(groups):
        for second in groups[number + 1 :]:
            if first.word_class != second.word_class:
                continue
            for key in texts:
                here, there = ([p for p in group.places if p[:2] == key] for group in (first, second))
                if len(here) == len(there) == 1 and first.places[here[0]].form == second.places[there[0]].form:
                    words = texts[key].words
                    changes = {here[0]: words[there[0][2]], there[0]: words[here[0][2]]}
                    yield apply(texts, changes), "order swapped"


def _slips(texts: Texts) -> Iterator[tuple[Texts, str]]:
    """Two letters within one of the longest words in each other's place."""
    long = sorted(
        ((key, i, word) for key, words in texts.items() for i, word in enumerate(words.words)
         if len(word) > 4 and word.isalpha() and word[1:].islower()),
        key=lambda item: -len(item[2]),
    )  # fmt: skip
    for key, i, word in long[:SLIPS]:
        for at in range(len(word) // 2, len(word) - 1):
            if word[at] != word[at - 1]:
                slipped = word[: at - 1] + word[at] + word[at - 1] + word[at + 1 :]
                yield apply(texts, {(*key, i): slipped}), SLIP
                break
