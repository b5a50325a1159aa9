"""Whether a verb stands with exactly the company that its class asks for: subject, object, what follows."""

from __future__ import annotations

from collections.abc import Callable

from data.lexicon import Entry
from models.slots import (
    ADJECTIVE_ENDINGS,
    DETERMINERS,
    MADE,
    NAMES,
    PERSONS,
    SUBJECTS,
    adjective_like,
    adverb_like,
    noun_ends,
    noun_entries,
    noun_plural,
    number_like,
    verb_forms_of,
)
from models.wording import Wording, is_class, word_set

EDIBLE = word_set("soup dish bakery-good staple meat fruit vegetable")
DRINKABLE = frozenset({"hot-drink", "cold-drink", "beer", "wine"})
PLACE_OR_TIME = word_set(
    "in at near behind beside after before during under outside inside by until since beneath on"
)
WHERE = PLACE_OR_TIME - {"at", "on", "by"}
WAYS = WHERE | word_set("to into through across around along past towards toward from")
BEFORE_BASE = word_set("to do does did don't doesn't didn't not never")
OBJECTS = word_set("me you him her us them everyone everybody someone somebody nobody anyone anybody")


def verb_fits(words: Wording, i: int, entry: Entry) -> bool:
    """Whether the word is a verb with exactly the frame that its class asks for."""
    return _verb_left(words, i, entry) and FRAMES[entry.word_class](words, i, entry)


def _verb_left(words: Wording, i: int, entry: Entry) -> bool:
    left = words.before(i)
    if is_class(left, "determiner", "possessive") and left not in ("that", "which", "this", "these", "those"):
        return False
    if entry.form == "base":
        plural = any(e.form == "plural" for e in noun_entries(words, i - 1)) if left else False
        do = is_class(left, "modal") or left in BEFORE_BASE
        return do or plural or left in ("i", "you", "we", "they", "who", "that")
    if entry.form == "gerund":
        return is_class(left, "auxiliary", "adverb", "negation", "pronoun") or _person_before(words, i)
    if entry.form == "participle":
        return any(is_class(words.low[j], "auxiliary") for j in range(max(0, i - 3), i))
    if entry.form == "third":
        return left in SUBJECTS or adverb_like(left) or _person_before(words, i)
    return left not in ("to",) and not is_class(left, "modal", "preposition")


def _affect(words: Wording, i: int, entry: Entry) -> bool:
    if not _subject_is_person(words, i):
        return False
    right, passive = words.after(i), _passive(words, i, entry)
    if right == "by" and passive:
        return _object_end(words, i + 2, PERSONS) is not None
    end = _object_end(words, i + 1, PERSONS)
    if end is not None:
        return not passive and _closes(words, end)
    return (passive or _gap(words, i)) and _closes(words, i + 1)


def _handle(classes: Callable[[set[str]], bool]) -> Callable[[Wording, int, Entry], bool]:
    def fits(words: Wording, i: int, entry: Entry) -> bool:
        if _passive(words, i, entry):
            return False
        end = _object_end(words, i + 1, classes)
        return end is not None and _closes(words, end)

    return fits


def _act(words: Wording, i: int, entry: Entry) -> bool:
    right = words.after(i)
    ways = WAYS if entry.word_class == "go" else WHERE
    closes = not right or right in ways or adverb_like(right) or is_class(right, "connective", "auxiliary", "modal")
    return (
        _subject_is_person(words, i) and (closes or bool(verb_forms_of(right))) and right not in ("as", "so", "like")
    )


def _clause(words: Wording, i: int, entry: Entry) -> bool:
    return words.after(i) == "that" and bool(words.after(i + 1)) and not is_class(words.after(i + 1), "connective")


def _feeling(words: Wording, i: int, entry: Entry) -> bool:
    right = words.after(i)
    starts = is_class(right, "determiner", "possessive") or right in ("it", "them", "him")
    return (
        starts and right not in ("that", "what", "which") and entry.form != "gerund" and not _passive(words, i, entry)
    )


def _never(words: Wording, i: int, entry: Entry) -> bool:
    return False


FRAMES: dict[str, Callable[[Wording, int, Entry], bool]] = {
    "affect": _affect,
    "compete": _affect,
    "symmetric": _affect,
    "handle": _handle(lambda classes: bool(classes & (MADE | EDIBLE))),
    "eat": _handle(lambda classes: bool(classes & EDIBLE)),
    "drink": _handle(lambda classes: bool(classes & DRINKABLE)),
    "act": _act,
    "go": _act,
    "claim": _clause,
    "know": _clause,
    "like": _feeling,
    "dislike": _feeling,
    "other": _never,
}


def _passive(words: Wording, i: int, entry: Entry) -> bool:
    """Whether a form of "to be" governs the participle, or "by" follows it."""
    if entry.form not in ("both", "participle"):
        return False
    for j in range(i - 1, max(-1, i - 4), -1):
        if words.breaks(j + 1):
            break
        low = words.low[j]
        if low in ("is", "are", "was", "were", "be", "been", "being", "isn't", "aren't", "wasn't", "weren't"):
            return True
        if not (adverb_like(low) or is_class(low, "negation", "auxiliary")):
            break
    return words.after(i) == "by"


def _object_end(words: Wording, start: int, allowed: frozenset[str] | Callable[[set[str]], bool]) -> int | None:
    """Where the noun phrase at `start` ends, if its head is of an allowed class; else None."""
    check = allowed if callable(allowed) else lambda classes: bool(classes & allowed)
    i = start
    while i < len(words) and i < start + 5 and (i == start or not words.breaks(i)):
        low = words.low[i]
        if i == start and words.breaks(i):
            return None
        if i == start and low in OBJECTS and not (low == "her" and noun_entries(words, i + 1)):
            return i + 1 if check({"person"}) else None
        heads = {e.word_class for e in noun_entries(words, i)}
        if heads and (i > start or heads & NAMES or noun_plural(words, i)):
            if not heads & NAMES and not noun_ends(words, i, noun_entries(words, i)[0]):
                return None
            return i + 1 if check(heads) else None
        described = is_class(low, *DETERMINERS) or low == "'s" or number_like(low) or adjective_like(low)
        if not (
            described or adverb_like(low) or is_class(low, "title") or (i > start and low.endswith(ADJECTIVE_ENDINGS))
        ):
            return None
        i += 1
    return None


def _closes(words: Wording, i: int) -> bool:
    """Whether what stands at `i` leaves the verb before it as it is: no particle, no second object, no clause."""
    if i >= len(words) or words.breaks(i):
        return True
    low = words.low[i]
    if low in PLACE_OR_TIME or is_class(low, "modal") or adverb_like(low):
        return low not in ("back", "away", "together", "on", "so", "too")
    if is_class(low, "auxiliary"):
        return True
    if low in ("who", "whom", "that", "which", "yesterday", "today", "not"):
        return True
    if is_class(low, "connective"):
        return low not in ("as", "like", "than", "how", "why", "where", "whether")
    return False


def _gap(words: Wording, i: int) -> bool:
    """Whether the verb's object stands before it: "the lawyer that the actor thanked"."""
    relative = [j for j in range(max(0, i - 6), i) if words.low[j] in ("that", "who", "whom")]
    if not relative or relative[-1] >= i - 1:
        return False
    between = range(relative[-1] + 1, i)
    return any(noun_entries(words, j) for j in between) and not any(words.breaks(j) for j in between)


def _subject_is_person(words: Wording, i: int) -> bool:
    """Whether the nearest noun before the verb that is in no prepositional phrase is a person."""
    j = i - 1
    while j >= 0 and not words.ends_sentence(j + 1):
        low = words.low[j]
        if low in SUBJECTS - {"it", "which"}:
            return True
        classes = {e.word_class for e in noun_entries(words, j)}
        if classes and (classes & NAMES or not verb_forms_of(low)):
            k = j
            while k > 0 and not is_class(words.low[k], "preposition") and j - k < 3:
                if is_class(words.low[k - 1], *DETERMINERS) or adjective_like(words.low[k - 1]):
                    k -= 1
                    continue
                break
            if k > 0 and is_class(words.low[k - 1], "preposition") and words.low[k - 1] not in ("by", "like"):
                j = k - 2
                continue
            return bool(classes & PERSONS)
        j -= 1
    return False


def _person_before(words: Wording, i: int) -> bool:
    return i > 0 and not words.breaks(i) and any(e.word_class in PERSONS for e in noun_entries(words, i - 1))
