"""The forms of a word from its line in a word list: regular by rule, irregular as written there."""

from __future__ import annotations

import re

VERB_FORMS = ("base", "third", "past", "participle", "both", "gerund")

AN_BEFORE_CONSONANT = ("hour", "honest", "honour", "honor", "heir")
A_BEFORE_VOWEL = re.compile(r"(?:uni(?![nmd])|use|usu|usa|uten|eu|ewe|one\b|once|ufo\b|ubiq|ukulele|uk\b|us\b)", re.I)
AN_LETTERS = re.compile(r"[AEFHILMNORSX](?:[A-Z]|\d|\b)")


def article(word: str) -> str:
    """`a` or `an`, by how the word sounds."""
    low = word.lower()
    if low.startswith(AN_BEFORE_CONSONANT) or re.match(r"(?:8|11|18)(?:\D|$)|8\d", low):
        return "an"
    if word.isupper() and len(word) > 1 and len(word) < 4:
        return "an" if AN_LETTERS.match(word) else "a"
    return "an" if low[:1] in "aeiouáàâäéèêëíóôöúü" and low[:1] and not A_BEFORE_VOWEL.match(low) else "a"


def noun_forms(word: str) -> dict[str, str]:
    """singular and plural; only `mass` for "bread/-", `plural` for "jeans/jeans", `same` for "sheep/sheep"."""
    singular, _, irregular = word.partition("/")
    if irregular == "-":
        return {"mass": singular}
    if irregular == singular and singular.endswith("s") and singular != "series":
        return {"plural": singular}
    if irregular == singular:
        return {"same": singular}  # "sheep": which number is meant cannot be seen
    return {"singular": singular, "plural": irregular or _plural(singular)}


def verb_forms(word: str) -> dict[str, str]:
    """base, third, past, participle, gerund, and `both` where past and participle are alike."""
    base, *irregular = word.split("/")
    doubled = base.endswith("+")
    base = base.rstrip("+")
    stem = base + base[-1] if doubled else base
    past = irregular[0] if irregular else _past(stem)
    participle = irregular[-1] if irregular else past
    forms = {"base": base, "third": _plural(base), "past": past, "participle": participle}
    if past == participle:
        forms["both"] = past
    if doubled or not base.endswith("e") or base.endswith(("ee", "oe", "ye")):
        gerund = stem + "ing"
    else:
        gerund = base[:-2] + "ying" if base.endswith("ie") else base[:-1] + "ing"
    forms["gerund"] = IRREGULAR_GERUNDS.get(base, gerund)
    forms["third"] = {"have": "has", "be": "is", "do": "does", "go": "goes"}.get(base, forms["third"])
    return forms


IRREGULAR_GERUNDS = {
    word: word + word[-1] + "ing"
    for word in ("beat", "hit", "cut", "let", "put", "set", "shut", "quit", "get", "run", "sit", "swim", "dig", "win",
                 "begin", "forget")
} | {"be": "being", "beat": "beating"}  # fmt: skip


def adjective_forms(word: str) -> dict[str, str]:
    """positive, and comparative and superlative where the list says that it takes them."""
    base, _, comparative = word.partition("/")
    if base.endswith("+"):
        base = base[:-1]
        comparative = base[:-1] + "ier" if base.endswith("y") else base + ("r" if base.endswith("e") else "er")
    if not comparative:
        return {"positive": base}
    return {"positive": base, "comparative": comparative, "superlative": comparative[:-1] + "st"}


def _plural(word: str) -> str:
    if word.endswith(("s", "x", "z", "ch", "sh")):
        return word + "es"
    if word.endswith("y") and word[-2:-1] not in tuple("aeiou"):
        return word[:-1] + "ies"
    return word + "s"


def _past(stem: str) -> str:
    if stem.endswith("e"):
        return stem + "d"
    if stem.endswith("y") and stem[-2:-1] not in tuple("aeiou"):
        return stem[:-1] + "ied"
    return stem + "ed"
