"""Sentiment with one cue in sight: the cue reversed, the negator over it dropped, and plain statements."""

from __future__ import annotations

import random
from collections.abc import Iterator

from data.lexicon import Entry, closed, entries, function_words, inflect, members, number_words
from models import frames, slots
from models.wording import Wording, is_class, word_set

NEGATIVE, NEUTRAL, POSITIVE = range(3)
OPPOSITE = {"positive": "negative", "negative": "positive"}
MAX_WORDS = 30
VERDICTS = word_set("say think believe claim call find consider feel describe")
PLAIN = {
    "wasn't": "was", "weren't": "were", "isn't": "is", "aren't": "are", "can't": "can", "cannot": "can",
    "won't": "will", "wouldn't": "would", "couldn't": "could",
}  # fmt: skip
DO = {"don't": "base", "doesn't": "third", "didn't": "past", "do": "base", "does": "third", "did": "past"}
BE = word_set("is are was were am be been")

ANYTHING = ("The {} came up on Monday.", "The {} came first on the list.")
STATEMENTS = {
    "person woman-role man-role adult youth young-role relation visitor kin-female kin-male": (
        "The {} arrived at nine.",
        "The {} spoke to the manager on Monday.",
        "The {} moved to the second floor.",
    ),
    "group music-group panel-group service": ("The {} met on Monday.", "The {} moved to a new address in March."),
    "film performance event party talk lesson exam game travel": (
        "The {} started at nine.",
        "The {} lasted forty minutes.",
    ),
    "text periodical short-text music record artwork document story-part image": (
        "The {} came out in March.",
        "The {} dates from 1987.",
    ),
    "building-part house-part inside-part structure": ("The {} cost 900 euros.", "The {} dates from 1987."),
    "room public-building eatery shop lodging home outdoors street mountain shed": (
        "The {} opened at nine.",
        "The {} can be reached by bus.",
    ),
    "hot-drink cold-drink beer wine soup dish bakery-good staple meat fruit vegetable mealtime": (
        "The {} came at noon.",
        "The {} stood on the table by the window.",
    ),
    "software update joke tree flower rope water shore": ANYTHING,
    "car bike boat aircraft rail": ("The {} left at nine.", "The {} stopped twice on the way."),
    "pet dog-breed young-animal farm-animal poultry wild-animal big-animal bird insect reptile": (
        "The {} sat by the gate at noon.",
        "The {} slept in the yard on Monday.",
    ),
    "device appliance hand-tool garden-tool instrument crockery cutlery box bag vessel furniture bedding jewellery "
    "purse small-thing stationery toy ball prize papers card light machine heavy-machine top headwear bottom pair "
    "footwear accessory gadget-part": (
        "The {} came in a box.",
        "The {} stood in the hall on Monday.",
        "The {} arrived on Tuesday.",
    ),
}
"""Noun classes -> sentences about them that judge nothing, the same for one and many."""

POINTING = ("the", "this", "these", "my", "our")


def reversals(words: Wording, label: int, rng: random.Random) -> Iterator[tuple[Wording, int, str]]:
    """The text with its only cue reversed, or without the negator over it, and the label that this gives."""
    found = [(i, entry) for i in range(len(words)) if (entry := cue(words, i)) is not None]
    others = [low for i, low in enumerate(words.low) if _judges(words, i)]
    if len(found) != 1 or len(others) != 1 or len(words) > MAX_WORDS or "?" in str(words):
        return
    i, entry = found[0]
    sign = POSITIVE if polarity(entry) == "positive" else NEGATIVE
    denied = without_denial(words, i)
    if denied is not None:
        if label != sign:
            yield denied, sign, "negation dropped"
        if label == POSITIVE + NEGATIVE - sign and (reverse := opposite(words, i, entry, rng)) is not None:
            yield reverse, sign, "cue reversed under negation"
        return
    turns = closed()["turn"] | closed()["negation"]
    known = all(_known(words, k) for k in range(len(words)))
    if label == sign and known and not turns & set(words.low) and words.before(i):
        reverse = opposite(words, i, entry, rng)
        if reverse is not None:
            yield reverse, POSITIVE + NEGATIVE - sign, "cue reversed"


def cue(words: Wording, i: int) -> Entry | None:
    """The reading of the word that judges, where it stands as one."""
    for entry in entries(words.words[i]):
        if not polarity(entry):
            continue
        if entry.kind == "adjective" and slots.adjective_fits(words, i, entry):
            return entry
        if entry.kind == "verb" and frames.verb_fits(words, i, entry):
            return entry
    return None


def polarity(entry: Entry) -> str:
    """`positive`, `negative`, or nothing."""
    if entry.word_class in ("like", "dislike"):
        return "positive" if entry.word_class == "like" else "negative"
    head = entry.word_class.split("-")[0]
    return head if head in OPPOSITE else ""


def opposite(words: Wording, i: int, entry: Entry, rng: random.Random) -> Wording | None:
    """The text with a word of the other polarity and the same strength at that place."""
    if entry.kind == "verb":
        other = "dislike" if entry.word_class == "like" else "like"
    else:
        sign, _, rest = entry.word_class.partition("-")
        other = f"{OPPOSITE[sign]}-{rest}"
    fitting = [word for lemma in members(other) if (word := inflect(other, lemma, entry.form))]
    return words.replaced({i: rng.choice(fitting)}) if fitting else None


def without_denial(words: Wording, i: int) -> Wording | None:
    """The text without the one negator that denies the cue at `i`; None where it is not as plain as that."""
    negators = [k for k, low in enumerate(words.low) if low in closed()["negation"]]
    if len(negators) != 1:
        return None
    n = negators[0]
    if n > i:
        return _expectation_met(words, n)
    left, right = words.before(n), words.after(n)
    turns = (closed()["turn"] - {"could", "said", "says", "called", "much"}) & set(words.low)
    if turns or (right and right in ("only", "to", "even", "until")):
        return None
    low = words.low[n]
    verdict = right in VERDICTS or (right == "really" and words.low[n + 2] in VERDICTS)
    near = i - n <= 5 and not any(words.breaks(k) for k in range(n + 1, i + 1))
    if low in PLAIN:
        be = PLAIN[low] in BE
        return words.replaced({n: PLAIN[low]}) if (near if be else verdict) and left != "there" else None
    if low == "not" and left in BE and near:
        return words.without(n, n + 1)
    if low == "not" and left in ("would", "could", "can", "will") and verdict:
        return words.without(n, n + 1)
    auxiliary = n if low in DO else n - 1 if low == "not" and left in DO else None
    if auxiliary is None or not (verdict or n + 1 == i):
        return None
    return _undone(words, auxiliary, n + 1)


def _undone(words: Wording, auxiliary: int, verb: int) -> Wording | None:
    """ "didn't like" -> "liked"."""
    form = DO[words.low[auxiliary]]
    base = next((e for e in entries(words.words[verb]) if e.kind == "verb" and e.form == "base"), None)
    word = inflect(base.word_class, base.lemma, form) if base else None
    return words.replaced({verb: word}).without(auxiliary, verb) if word else None


def _expectation_met(words: Wording, n: int) -> Wording | None:
    """ "I thought it would be creepy, but it was not." -> "..., and it was."""
    start = n - 3 if words.low[n] == "not" else n - 2
    be = PLAIN.get(words.low[n]) or (words.low[n - 1] if words.low[n] == "not" else None)
    if n + 1 != len(words) or start < 1 or words.low[start] != "but" or be not in ("was", "were", "is", "are", "did"):
        return None
    changed = words.replaced({start: "and"})
    return changed.without(n, n + 1) if words.low[n] == "not" else changed.replaced({n: be})


def plain_statements(words: Wording, rng: random.Random) -> Iterator[tuple[str, int]]:
    """ "The film was wonderful.", "... was dreadful.", "... started at nine." about the text's own nouns."""
    own = {
        polarity(e): e.lemma for w in words.words for e in entries(w) if e.word_class.endswith(("-strong", "-mild"))
    }
    for noun, (subject, plural, person, lines) in list(_topics(words).items())[:3]:
        be = "were" if plural else "was"
        for sign, label in (("positive", POSITIVE), ("negative", NEGATIVE)):
            strength = rng.choice(("strong", "person") if person else ("strong", "mild"))
            statement = f"{subject} {be} {own.get(sign)}."
            if sign not in own or statement == str(words):
                statement = f"{subject} {be} {rng.choice(members(f'{sign}-{strength}'))}."
            yield statement, label
        fitting = [line for line in lines if noun not in line]
        yield rng.choice(fitting).replace("The {}", subject), NEUTRAL


def _topics(words: Wording) -> dict[str, tuple[str, bool, bool, tuple[str, ...]]]:
    """Noun -> the phrase to speak of it, whether it is plural, whether a person, and neutral sentences for it."""
    topics = {}
    for i, low in enumerate(words.low):
        entry = slots.noun_reading(words, i)
        plural, person, lines = False, False, ()
        if entry is not None:
            plural, person = entry.form == "plural", entry.word_class in slots.PERSONS
            lines = next((lines for classes, lines in STATEMENTS.items() if entry.word_class in classes.split()), ())
        elif _unknown_noun(words, i):
            plural, lines = low.endswith("s") and not low.endswith(("ss", "us", "is")), ANYTHING
        if lines:
            left = words.before(i)
            subject = f"{left.capitalize() if left in POINTING else 'The'} {low}"
            topics.setdefault(low, (subject, plural, person, lines))
    return topics


def _unknown_noun(words: Wording, i: int) -> bool:
    """Whether a word that the lexicon lacks is a noun of the text's topic: "the plot was", "this update,"."""
    low, right = words.low[i], words.after(i)
    if entries(words.words[i]) or words.words[i] != low or len(low) < 3 or low in closed()["cue"] | function_words():
        return False
    if low.endswith(("ly", "ing", "ed", "est", "er", "ful", "ous")) or "-" in low:
        return False
    return (
        words.before(i) in POINTING
        and right != "of"
        and (not right or is_class(right, "copula", "preposition", "auxiliary", "modal", "connective"))
    )


def _judges(words: Wording, i: int) -> bool:
    low = words.low[i]
    polar = any(polarity(e) and e.lemma not in ("appreciate",) for e in entries(words.words[i]))
    return polar or low in closed()["cue"]


def _known(words: Wording, i: int) -> bool:
    """Whether the word is known to judge nothing (or is the cue itself)."""
    low = words.low[i]
    if low in function_words() or low in number_words() or low == "'s" or low[0].isdigit():
        return True
    readings = entries(words.words[i])
    return bool(readings) and not any(e.word_class in ("affect", "act", "compete") for e in readings)
