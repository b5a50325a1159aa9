"""Whether a word stands where a reading of it (noun, verb, adjective) can be replaced without breaking grammar.

There is no tagger here: a place is accepted only if its neighbours leave no doubt, and doubt means no.
"""

from __future__ import annotations

from data.lexicon import Entry, entries, function_words, number_words
from models.wording import Wording, is_class, word_set

PERSONS = word_set(
    "person woman-role man-role adult young-role youth relation visitor kin-female kin-male "
    "group music-group panel-group female male unisex surname"
)
NAMES = word_set("female male unisex surname")
NOT_THINGS = PERSONS | word_set("weekday weekend-day month city country currency length-unit weight-unit time-unit")
MADE = word_set(
    "device appliance hand-tool garden-tool instrument crockery box bag vessel furniture bedding small-thing "
    "jewellery purse stationery car bike boat aircraft rail top headwear bottom pair footwear accessory "
    "building-part toy ball "
    "machine light"
)
DETERMINERS = ("determiner", "possessive", "quantifier")
ADJECTIVE_ENDINGS = ("y", "ful", "ous", "ive", "al", "ish", "ed", "less", "ic", "ble", "ant", "ent", "ing", "en")
SUBJECTS = word_set("i you he she it we they who that which everyone everybody someone somebody nobody anyone")
FIXED = {
    "good": "time times idea thing things deal bit many luck morning night evening afternoon day reason friend "
    "friends care will old news chance way sense manners health use job",
    "great": "deal many number extent care britain grandmother grandfather aunt uncle length lengths majority",
    "bad": "luck habit news time times idea thing weather temper blood",
    "nice": "try one",
    "poor": "thing people health countries families neighbourhood",
    "perfect": "stranger timing",
    "big": "deal apple bang",
    "new": "year york zealand year's",
    "light": "year years",
    "old": "age testament",
    "short": "story stories cut",
    "red": "cross",
    "solid": "ground gold state",
    "fun": "fact",
    "high": "school",
}
"""Adjective -> nouns with which it means something of its own."""


def noun_reading(words: Wording, i: int) -> Entry | None:
    """The noun that the word can safely be read as."""
    return next((e for e in entries(words.words[i]) if e.kind == "noun" and noun_fits(words, i, e)), None)


def noun_fits(words: Wording, i: int, entry: Entry) -> bool:
    """Whether the word is a noun by itself: no part of a compound and no verb."""
    if entry.form == "same":
        return False
    return _noun_left(words, i, entry) and noun_ends(words, i, entry)


def _noun_left(words: Wording, i: int, entry: Entry) -> bool:
    left = words.before(i)
    if is_class(left, *DETERMINERS) or left == "'s" or number_like(left):
        return True
    if "-" in left or _describes(left):
        return True
    if entry.form == "singular":
        return False
    # "pays guards": a verb before a plural; "The guards" and "of guards" are fine, "she guards" is not.
    return not left or is_class(left, "preposition", "connective", "copula") or bool(verb_forms_of(left))


def _describes(low: str) -> bool:
    """Whether the word looks like an adjective: one of the lexicon's, or by its ending."""
    if adjective_like(low):
        return True
    if low in function_words() or len(low) < 5 or low.endswith(("ment", "ry", "ty", "cy", "gy", "phy", "sy")):
        return False
    return low.endswith(ADJECTIVE_ENDINGS) and all(e.form in ("both", "participle", "gerund") for e in entries(low))


def noun_ends(words: Wording, i: int, entry: Entry) -> bool:
    right = words.after(i)
    if not right or right == "'s" or right in function_words() or number_like(right):
        return True
    readings = entries(words.words[i + 1])
    kinds = {e.kind for e in readings}
    if not readings and right.endswith("s") and entry.word_class in PERSONS:
        return True  # a verb that the lexicon lacks, or a compound that any person can head
    if "name" in kinds or "adverb" in kinds:
        return True
    if "noun" in kinds:
        return False
    if kinds & {"verb", "adjective"}:
        return entry.form != "singular" or {e.form for e in readings} != {"base"}
    return right.endswith("ed") and words.words[i + 1][:1].islower()


def name_fits(words: Wording, i: int) -> bool:
    """Whether the name stands alone: with a surname, it may be a person whom the world knows."""
    right = words.words[i + 1] if words.after(i) else ""
    if right[:1].isupper() and right != "I" and not is_class(right, "auxiliary", "modal"):
        return False
    left = words.words[i - 1] if words.before(i) else ""
    if not left[:1].isupper() or left == "I":
        return True
    known = left.lower() in function_words() or is_class(left, "title")
    return known or adverb_like(left.lower()) or bool(verb_forms_of(left.lower()))


def adjective_fits(words: Wording, i: int, entry: Entry) -> bool:
    """Whether the word is an adjective before its noun or after a copula, in no set phrase."""
    left, right = words.before(i), words.after(i)
    if right in FIXED.get(entry.lemma, "").split() or left == "as" or right in ("as", "to", "that", "of", "at"):
        return False
    comparative = entry.form == "comparative"
    if set(entry.word_class.split("-")) & {"person", "thing", "feeling"} and not _fits_head(words, i, entry):
        return False
    if entry.word_class in ("origin", "business"):
        return bool(right) and right not in function_words() and (not left or left in function_words())
    if entry.word_class == "colour":
        return _colour_fits(words, i)
    if right and right not in function_words() and not number_like(right) and not adverb_like(right):
        return is_class(left, *DETERMINERS, "adverb", "copula", "negation") or left == "'s" or adjective_like(left)
    if is_class(left, *DETERMINERS) or (right == "one" and not comparative):
        return right in ("one", "ones")
    if right in ("for", "about", "with", "on", "in", "by") and entry.word_class.startswith(("positive", "negative")):
        return is_class(left, "copula") and entry.word_class.endswith(("strong", "mild")) and right in ("in", "on")
    if is_class(left, "copula", "adverb", "negation") or left.endswith("ly"):
        return True
    if not left and entry.word_class == "positive-strong":
        return not right
    return left in ("and", "or", "but", "") and not right and i > 1 and words.breaks(i + 1)


def _colour_fits(words: Wording, i: int) -> bool:
    """A colour is free where it tells a made thing from another, and not where it describes nature."""
    right = words.after(i)
    if right in ("one", "ones"):
        return True
    made = (e for e in entries(words.words[i + 1]) if e.kind == "noun") if right else ()
    return any(e.word_class in MADE for e in made) and (
        is_class(words.before(i), *DETERMINERS) or adjective_like(words.before(i))
    )


def _fits_head(words: Wording, i: int, entry: Entry) -> bool:
    """Whether what the adjective describes is a person for person-..., and a thing for thing-..."""
    right = words.after(i)
    if right in ("one", "ones"):
        return False
    if right and right not in function_words() and not adverb_like(right):
        near = i + 2 if adjective_like(right) else i + 1
    else:
        near = i - 1
        while near > 0 and _links(words.low[near]) and not words.ends_sentence(near):
            near -= 1
    if not 0 <= near < len(words):
        return False
    classes = {e.word_class for e in noun_entries(words, near)}
    if not entry.word_class.startswith("thing-"):
        return bool(classes & PERSONS) or words.low[near] in SUBJECTS - {"it", "that", "which"}
    return bool(classes) and not classes & NOT_THINGS


def _links(low: str) -> bool:
    """Whether the word can stand between a subject and its predicate adjective."""
    return is_class(low, "copula", "auxiliary", "modal", "negation", "adverb") or low in (
        "that",
        "which",
        "who",
        "and",
    )


def verb_forms_of(word: str) -> set[str]:
    """The forms that the word can have as a verb."""
    return {e.form for e in entries(word) if e.kind == "verb"}


def noun_plural(words: Wording, i: int) -> bool:
    return any(e.form in ("plural", "mass") for e in noun_entries(words, i))


def noun_entries(words: Wording, i: int) -> list[Entry]:
    if not 0 <= i < len(words) or words.low[i] in function_words():
        return []
    found = [e for e in entries(words.words[i]) if e.kind in ("noun", "name")]
    if not found and i > 0 and words.words[i][:1].isupper() and is_class(words.low[i - 1], "title"):
        return [Entry("name", "surname", words.words[i], "name")]
    return found


def number_like(word: str) -> bool:
    return word[:1].isdigit() or word in number_words()


def adjective_like(word: str) -> bool:
    return any(e.kind == "adjective" for e in (*entries(word), *entries(word.title())))


def adverb_like(word: str) -> bool:
    return (
        is_class(word, "adverb")
        or (word.endswith("ly") and len(word) > 4 and not entries(word))
        or any(e.kind == "adverb" for e in entries(word))
    )
