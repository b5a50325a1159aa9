"""Rows with a correction's own vocabulary whose label is known by rule: what its siblings must not spread to.

Each rule is written for sentences that it can read in full; where it cannot, it gives nothing.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from data.lexicon import Entry, inflect
from data.tasks import Example
from models import clauses, conditionals, orders, polarity, roles, substitution, triggers, veridicality
from models.safety import GENDER
from models.turned import turned
from models.wording import Wording, word_set

FIRST_NAMES = frozenset({"female", "male", "unisex"})
EXCHANGEABLE = FIRST_NAMES | {"person", "colour", "surname"}
Row = tuple[Example, int, str]
ENTAILMENT, NEUTRAL, CONTRADICTION = range(3)
FEWER = "one wrong choice fewer"
GENERIC = frozenset(
    {
        "premise entails itself",
        "hypothesis entails itself",
        "said outright besides",
        "somebody for a person",
        "modifier dropped",
        "modifier added",
        "negated",
        "negation dropped",
        "plain statement",
        FEWER,
    }
)
"""Rules that hold of most sentences, whatever is wrong with the answer to one."""
BETWEEN_CHOICES = word_set("above below all both others other rest odd belong fit these two three")
"""Words of a question or choice that may look at the other choices."""


def nli_contrasts(example: Example, label: int, rng: random.Random) -> Iterator[Row]:
    """Pairs around premise and hypothesis; those whose label is not the example's come first."""
    premise, hypothesis = example["premise"], example["hypothesis"]
    rows = [
        (premise, premise, ENTAILMENT, "premise entails itself"),
        (hypothesis, hypothesis, ENTAILMENT, "hypothesis entails itself"),
        *_said_besides(premise, hypothesis, label),
        *roles.role_pairs(premise, hypothesis),
        *roles.role_pairs(hypothesis, premise),
        *_triggers(premise, hypothesis, label),
        *veridicality.ways_to_tell(premise, hypothesis, label, rng),
        *veridicality.what_was_said(premise),
        *conditionals.consequences(premise),
        *orders.orders(premise, hypothesis, label),
    ]
    for text in dict.fromkeys((premise, hypothesis)):
        rows += _about_clause(text, rng)
        if (of_somebody := clauses.somebody_for(Wording.of(text))) is not None:
            rows.append((text, str(of_somebody), ENTAILMENT, "somebody for a person"))
    rows.sort(key=lambda row: row[2] == label)
    for first, second, new_label, rule in rows:
        yield {"premise": first, "hypothesis": second}, new_label, rule


def _said_besides(premise: str, hypothesis: str, label: int) -> Iterator[tuple[str, str, int, str]]:
    """What is left open follows as soon as it is said outright as well."""
    if label == NEUTRAL and all(text[-1:] in (".", "!") for text in (premise, hypothesis)):
        yield f"{premise} {hypothesis}", hypothesis, ENTAILMENT, "said outright besides"


def _about_clause(text: str, rng: random.Random) -> Iterator[tuple[str, str, int, str]]:
    """What follows from one plain sentence, what does not, and what it rules out."""
    words = Wording.of(text)
    if (shorter := clauses.without_aside(words)) is not None:
        yield text, str(shorter), ENTAILMENT, "aside dropped"
    for said in clauses.relative_statements(words):
        yield text, str(said), ENTAILMENT, "what a relative clause says"
    clause = clauses.read_clause(words)
    if clause is None:
        return
    for shorter, rule in clauses.weaken(clause):
        yield text, str(shorter), ENTAILMENT, rule
        if rule == "modifier dropped":
            yield str(shorter), text, NEUTRAL, "modifier added"
    negated = clauses.negate(clause)
    if negated is not None:
        if rng.random() < 0.5:
            yield text, str(negated), CONTRADICTION, "negated"
        else:
            yield str(negated), text, CONTRADICTION, "negation dropped"


def _triggers(premise: str, hypothesis: str, label: int) -> Iterator[tuple[str, str, int, str]]:
    """The premise with the word that decides exchanged, where the hypothesis is one of its clauses."""
    words, part = Wording.of(premise), Wording.of(hypothesis)
    if label == NEUTRAL and (joined := triggers.and_for_or(words, part)) is not None:
        yield str(joined), hypothesis, ENTAILMENT, "and for or"
    if label == NEUTRAL:
        for done in triggers.done_for_meant(words, part):
            yield str(done), hypothesis, ENTAILMENT, "done for meant"
        for true in triggers.true_for_open(words, part):
            yield true, hypothesis, ENTAILMENT, "true for open"
    if label == CONTRADICTION or not triggers.contains(words, part) or len(part) == len(words):
        return
    if label == NEUTRAL and (real := triggers.because_for_if(words)) is not None:
        yield str(real), hypothesis, ENTAILMENT, "because for if"
    verb = triggers.clause_verb(words, part)
    if verb is not None:
        place, entry = verb
        swap = {"claim": ("know", ENTAILMENT), "know": ("claim", NEUTRAL)}.get(entry.word_class)
        if swap and (entry.word_class == "claim") == (label == NEUTRAL):
            other = {"know": "know", "claim": "claim"}[swap[0]]
            form = inflect(swap[0], other, entry.form) or inflect(swap[0], other, "past")
            rule = "known for claimed" if swap[0] == "know" else "claimed for known"
            yield str(words.replaced({place: form})), hypothesis, swap[1], rule


def sentiment_contrasts(example: Example, label: int, rng: random.Random) -> Iterator[Row]:
    """The cue reversed, the negator dropped, and plain statements of each label about the same things."""
    words = Wording.of(example["text"])
    for text, new_label, rule in polarity.reversals(words, label, rng):
        yield {"text": str(text)}, new_label, rule
    statements = list(polarity.plain_statements(words, rng))
    statements.sort(key=lambda row: row[1] == label)
    for text, new_label in statements:
        yield {"text": text}, new_label, "plain statement"


def commonsense_contrasts(example: Example, label: int, rng: random.Random) -> Iterator[Row]:
    """Another choice made right: two names or persons exchanged, the question turned round; else a choice fewer."""
    made = [*_exchanged(example, label), *turned(example, label, rng)]
    yield from made or choice_contrasts(example, label, rng)


def choice_contrasts(example: Example, label: int, rng: random.Random) -> Iterator[Row]:
    """A wrong choice fewer, where no choice speaks of the others."""
    choices = example["choices"]
    said = Wording.of(" . ".join([example.get("question", ""), *choices])).low
    if len(choices) > 2 and not BETWEEN_CHOICES & set(said):
        out = rng.choice([i for i in range(len(choices)) if i != label])
        kept = [i for i in range(len(choices)) if i != out]
        yield {**example, "choices": [choices[i] for i in kept]}, kept.index(label), FEWER


def _exchanged(example: Example, label: int) -> Iterator[Row]:
    """Exchange two words of one class in context and question: what was said of one now holds for the other."""
    texts = {("context", 0): Wording.of(example["context"]), ("question", 0): Wording.of(example["question"])}
    choices = {("choices", i): Wording.of(choice) for i, choice in enumerate(example["choices"])}
    told = {"context", "question"} if "_" in example["question"] else {"context"}
    groups = [
        group
        for group in substitution.fitting_groups({**texts, **choices})
        if "choices" in group.fields() and told & group.fields()
    ]
    gendered = any(low in GENDER for words in (*texts.values(), *choices.values()) for low in words.low)
    for i, first in enumerate(groups):
        for second in groups[i + 1 :]:
            kinds = {first.word_class, second.word_class}
            if not (len(kinds) == 1 and kinds <= EXCHANGEABLE) and (gendered or not kinds <= FIRST_NAMES):
                continue
            changes = {place: _form(second, entry) for place, entry in first.places.items()}
            changes |= {place: _form(first, entry) for place, entry in second.places.items()}
            new = {key: str(words) for key, words in substitution.apply({**texts, **choices}, changes).items()}
            right = new["choices", label]
            if right == example["choices"][label] or right not in example["choices"]:
                continue
            row = {**example, "context": new["context", 0], "question": new["question", 0]}
            yield row, example["choices"].index(right), "roles exchanged"


def _form(group: substitution.Group, like: Entry) -> str:
    return inflect(group.word_class, group.lemma, like.form) if group.word_class != "surname" else group.lemma
