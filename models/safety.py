"""Which of an example's words can change without a doubt about its label, task by task."""

from __future__ import annotations

from data.lexicon import entries, function_words, number_words
from data.tasks import Task
from models import slots
from models.substitution import DAYS, Group, Place, Texts, fitting_groups, targets_for
from models.wording import Wording, stems, word_set

AROUND_DAYS = word_set(
    "yesterday today tomorrow weekend weekends week next last later earlier ago spring summer autumn fall winter "
    "weather snow christmas easter holiday"
)
NO_SOURCE = {"other", "time", "time-unit", "country", "weekend-day"}
GENDERED = {"woman-role", "man-role", "adult", "young-role"}
GENDER = word_set("he she him her his hers himself herself he's she's he'd she'd he'll she'll")
GROUPS = {"group", "music-group", "panel-group"}


def free_groups(task: Task, label: int, texts: Texts) -> list[Group]:
    """The groups that can be replaced without touching the label, in order of appearance."""
    groups = [g for g in fitting_groups(texts) if g.word_class not in NO_SOURCE]
    if task.name == "nli":
        undecided = task.labels[label] == "neutral"
        groups = [g for g in groups if _free_in_nli(g, texts, undecided)]
    else:
        free = _free_in_sentiment if task.name == "sentiment" else _free_in_commonsense
        groups = [g for g in groups if free(g, texts)]
    groups = _without_crossed_gender(groups, texts)
    claimed: set[Place] = set()
    kept = []
    for group in groups:
        if not claimed & group.places.keys():
            claimed |= group.places.keys()
            group.targets = targets_for(group, texts)
            kept.append(group)
    return [group for group in kept if group.targets]


def matched(premise: Wording, hypothesis: Wording) -> bool:
    """Whether one side has no content word that the other lacks: then the label rests on structure alone."""
    first, second = (content_stems(words) for words in (premise, hypothesis))
    return _covers(first, second) or _covers(second, first)


def content_stems(words: Wording) -> list[frozenset[str]]:
    """For each content word what it may be a form of."""
    skip = function_words() | number_words().keys()
    return [
        stems(word) for word, low in zip(words.words, words.low, strict=True)
        if low not in skip and low != "'s" and not low[0].isdigit()
    ]  # fmt: skip


def _covers(first: list[frozenset[str]], second: list[frozenset[str]]) -> bool:
    known = set().union(*first) if first else set()
    return all(stem & known for stem in second)


def _free_in_nli(group: Group, texts: Texts, undecided: bool) -> bool:
    """Anything where structure alone decides; else names, and what both sides speak of if no knowledge hangs on it.

    Where nothing follows from the premise (`undecided`), nothing follows about another thing either.
    """
    both = len(group.fields()) == 2
    if group.kind == "name":
        return True
    structural = matched(texts["premise", 0], texts["hypothesis", 0])
    if group.word_class == "colour" or group.word_class in slots.PERSONS - {"kin-female", "kin-male", *GROUPS}:
        return both or structural
    if group.word_class in DAYS:
        return (both or structural) and _only_day(group, texts)
    if group.word_class.startswith("kin-"):
        return structural and _only_kin(group, texts)
    if group.word_class in ("city", "origin"):
        return structural and not _has_class(texts, {"country", "origin", "city"} - {group.word_class})
    if group.kind == "verb" and not both:
        return structural and group.word_class in ("claim", "know", "affect", "act")
    return structural or (both and undecided and group.kind == "noun")


def _free_in_sentiment(group: Group, texts: Texts) -> bool:
    if group.word_class in DAYS:
        return _only_day(group, texts)
    if group.word_class.startswith("kin-"):
        return _only_kin(group, texts)
    if group.kind == "verb":
        return group.word_class in ("like", "dislike")
    return group.kind != "adverb" and group.word_class not in ("currency", "length-unit", "weight-unit")


def _free_in_commonsense(group: Group, texts: Texts) -> bool:
    """Names; persons and colours that a choice only refers back to, so that no knowledge hangs on them."""
    if group.kind == "name":
        return True
    told = ("context" in group.fields()) or any(
        name == "question" and "_" in str(texts[name, position]) for name, position, _ in group.places
    )
    referred = "choices" in group.fields()
    persons = slots.PERSONS - GENDERED - {"kin-female", "kin-male", "youth", "surname", *GROUPS}
    if group.word_class == "colour":
        return told and referred and not _has_class(texts, {"fruit", "vegetable"})
    return group.word_class in persons and told and referred


def _without_crossed_gender(groups: list[Group], texts: Texts) -> list[Group]:
    """Leave "the boy" and "the queen" where "he" or "she" tells them from another person."""
    pronouns = any(low in GENDER for words in texts.values() for low in words.low)
    persons = {
        (e.word_class, e.lemma)
        for words in texts.values()
        for i in range(len(words))
        for e in slots.noun_entries(words, i)
        if e.word_class in slots.PERSONS
    }
    if not pronouns or len(persons) < 2:
        return groups
    return [g for g in groups if g.word_class not in GENDERED]


def _only_day(group: Group, texts: Texts) -> bool:
    days = {e.lemma for words in texts.values() for w in words.words for e in entries(w) if e.word_class in DAYS}
    around = any(low in AROUND_DAYS for words in texts.values() for low in words.low)
    return days == {group.lemma} and not around


def _only_kin(group: Group, texts: Texts) -> bool:
    kin = {
        e.lemma
        for words in texts.values()
        for w in words.words
        for e in entries(w)
        if e.word_class.startswith("kin-")
    }
    return kin == {group.lemma}


def _has_class(texts: Texts, classes: set[str]) -> bool:
    return any(e.word_class in classes for words in texts.values() for w in words.words for e in entries(w))
