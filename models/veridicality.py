"""The same statement left open, or told as a fact, in many ways.

What is possible, wanted, said or a condition need not be so; what was managed, known or turned out is so
(nonveridical operators: Giannakidou 1998; implicative verbs: Karttunen 1971). A model that is taught one way to leave
a statement open learns that way alone.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from data.lexicon import Entry, entries, inflect, members
from models import clauses
from models.dressing import lowered, others_doing
from models.wording import Wording, stems, word_set

ENTAILMENT, NEUTRAL = 0, 1
OPENERS = word_set(
    "may might could should would perhaps maybe possibly probably likely possible allegedly supposedly hopefully if "
    "unless whether or either wanted hoped planned wished intended expected supposed allowed asked told invited "
    "encouraged urged ordered promised meant rumour rumours rumor according"
)
DENIALS = word_set("not no never nobody none neither nor")
BEFORE_CLAUSE = ("Perhaps {c}.", "Maybe {c}.", "It is possible that {c}.", "It is not certain that {c}.")
SAID = (
    "The {p} {claim} that {c}.",
    "According to the {p}, {c}.",
    "The {p} hoped that {c}.",
    "Rumour has it that {c}.",
)
WITH_OTHERS = ("If {c}, {o}.", "Either {c} or {o}.", "{O} unless {c}.")
BEFORE_VERB = ("may have {d}", "might have {d}", "had perhaps {d}")
BEFORE_BASE = ("wanted to {b}", "planned to {b}", "was expected to {b}", "was invited to {b}", "hoped to {b}")
FACTS = ("It turned out that {c}.", "It is a fact that {c}.", "The {p} {know} that {c}.", "The {p} saw that {c}.")
FACTS_OF_VERB = ("managed to {b}", "went on to {b}", "was the one who {v}")
WAYS = 3
"""How many of each are drawn for one example."""


def ways_to_tell(
    premise: str, hypothesis: str, label: int, rng: random.Random
) -> Iterator[tuple[str, str, int, str]]:
    """Where the premise leaves the hypothesis open, others that do, and some that tell it as a fact.

    Nothing where the hypothesis is no plain statement about the past, or more than its standing is in question.
    """
    told, part = Wording.of(premise), Wording.of(hypothesis)
    if label != NEUTRAL or not _leaves_open(told, part):
        return
    clause = clauses.read_clause(part)
    if clause is None or len(clause.heads) != 1 or clause.verb != clause.subject_end or not str(part).endswith("."):
        return
    verb = _verb(part.words[clause.verb])
    said = {stem for word in told.words for stem in stems(word)}
    names = {
        "c": lowered(part).rstrip("."),
        "o": others_doing(told, part, rng),
        "p": next((p for p in rng.sample(members("person"), 20) if p not in said), None),
        "claim": inflect("claim", rng.choice(members("claim")), "past"),
        "know": inflect("know", rng.choice(members("know")), "past"),
    }
    names["O"] = names["o"] and names["o"][:1].upper() + names["o"][1:]
    wholes, verbs = (*BEFORE_CLAUSE, *SAID, *WITH_OTHERS), (*BEFORE_VERB, *BEFORE_BASE)
    for frames, inner, new_label, rule in (
        (wholes, verbs, NEUTRAL, "left open in another way"),
        (FACTS, FACTS_OF_VERB, ENTAILMENT, "told as a fact"),
    ):
        made = [_filled(frame, names) for frame in frames]
        if verb is not None and not clause.plural:
            made += [_with_verb(part, clause.verb, frame, verb) for frame in inner]
        known = [text for text in made if text and text != premise]
        for text in rng.sample(known, min(WAYS, len(known))):
            yield text, hypothesis, new_label, rule


def what_was_said(premise: str) -> Iterator[tuple[str, str, int, str]]:
    """Of "The pilot told the judge that it rained" that the pilot told the judge something.

    Nothing where the report itself is in question.
    """
    words = Wording.of(premise)
    if words.low.count("that") != 1 or any(low in OPENERS - {"told"} or low in DENIALS for low in words.low):
        return
    that, subject = words.low.index("that"), clauses.noun_phrase(words, 0)
    if subject is None or subject >= that:
        return
    told = words.low[subject] == "told" and clauses.noun_phrase(words, subject + 1) == that
    claimed = subject + 1 == that and any(e.word_class == "claim" for e in entries(words.words[subject]))
    if told or claimed:
        yield (
            premise,
            f"{Wording(words.words[:that], (*words.gaps[:that], ''))} something.",
            ENTAILMENT,
            "what was said",
        )


def _leaves_open(told: Wording, part: Wording) -> bool:
    """Whether the premise speaks of the same, with an operator that leaves it open and no negation."""
    opened = bool(OPENERS & set(told.low)) or any(
        e.word_class == "claim" and e.kind == "verb" for word in told.words for e in entries(word)
    )
    denied = any(low in DENIALS or low.endswith("n't") for low in told.low)
    known = {stem for word in told.words for stem in stems(word)}
    return opened and not denied and all(stems(word) & known for word in part.words)


def _filled(frame: str, names: dict[str, str | None]) -> str | None:
    wanted = [name for name in names if f"{{{name}}}" in frame]
    if any(names[name] is None for name in wanted):
        return None
    text = frame.format(**names)
    return text[:1].upper() + text[1:]


def _with_verb(words: Wording, at: int, frame: str, verb: Entry) -> str | None:
    forms = {"b": inflect(verb.word_class, verb.lemma, "base"), "v": words.words[at]}
    forms["d"] = inflect(verb.word_class, verb.lemma, "participle") or inflect(verb.word_class, verb.lemma, "both")
    if any(f"{{{name}}}" in frame and form is None for name, form in forms.items()):
        return None
    return str(words.replaced({at: frame.format(**forms)}))


def _verb(word: str) -> Entry | None:
    """The reading of a past form, where all readings agree on its base."""
    found = [e for e in entries(word) if e.kind == "verb" and e.form in ("past", "both")]
    bases = {inflect(e.word_class, e.lemma, "base") for e in found}
    return found[0] if len(bases) == 1 and None not in bases else None
