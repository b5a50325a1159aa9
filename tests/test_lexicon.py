"""The word lists: every form right enough to be printed, every class big enough to vary."""

from __future__ import annotations

import pytest

from data.lexicon import clash, closed, entries, find, function_words, idioms, inflect, members, number_words
from data.lexicon.forms import article

ENOUGH = [
    (("female", "male", "unisex"), 300),
    (("person",), 200),
    (("pet", "dog-breed", "farm-animal", "wild-animal", "big-animal", "bird", "insect", "reptile"), 60),
    (("room", "public-building", "eatery", "shop", "lodging", "home", "outdoors", "city"), 60),
    (("affect",), 60),
    (("affect", "handle", "eat", "act", "go", "claim", "know", "like", "dislike"), 150),
    (("positive-strong", "positive-mild", "positive-person", "positive-feeling", "positive-quality"), 60),
    (("negative-strong", "negative-mild", "negative-person", "negative-feeling", "negative-quality"), 60),
    (("colour",), 12),
    (("manner",), 15),
]


@pytest.mark.parametrize(("classes", "least"), ENOUGH, ids=lambda value: value[0] if isinstance(value, tuple) else "")
def test_class_is_big_enough(classes: tuple[str, ...], least: int) -> None:
    assert len({lemma for name in classes for lemma in members(name)}) >= least
    assert all(len(set(members(name))) == len(members(name)) for name in classes)


@pytest.mark.parametrize(
    ("word", "word_class", "lemma", "form"),
    [
        ("actors", "person", "actor", "plural"),
        ("Children", "youth", "child", "plural"),
        ("bread", "staple", "bread", "mass"),
        ("jeans", "pair", "jeans", "plural"),
        ("sheep", "farm-animal", "sheep", "same"),
        ("paid", "affect", "pay", "both"),
        ("saw", "affect", "see", "past"),
        ("seen", "affect", "see", "participle"),
        ("stopping", "affect", "stop", "gerund"),
        ("taller", "person-size", "tall", "comparative"),
        ("heaviest", "person-size", "heavy", "superlative"),
        ("Anna", "female", "Anna", "name"),
        ("Italian", "origin", "Italian", "positive"),
        ("slowly", "manner", "slowly", "plain"),
    ],
)
def test_word_is_found_with_its_lemma_and_form(word: str, word_class: str, lemma: str, form: str) -> None:
    entry = find(word)
    assert entry is not None
    assert (entry.word_class, entry.lemma, entry.form) == (word_class, lemma, form)


@pytest.mark.parametrize("word", ["anna", "italian", "Zzyzx", "", "bank", "pretty", "’", "\ud83d"])
def test_unknown_or_uncapitalised_word_is_not_found(word: str) -> None:
    assert find(word) is None


def test_word_with_two_readings_gives_both() -> None:
    assert {entry.kind for entry in entries("cooks")} == {"noun", "verb"}
    assert find("cooks", "verb").lemma == "cook"


@pytest.mark.parametrize(
    ("word_class", "lemma", "form", "expected"),
    [
        ("handle", "carry", "past", "carried"),
        ("handle", "drop", "gerund", "dropping"),
        ("affect", "thank", "third", "thanks"),
        ("act", "cry", "third", "cries"),
        ("affect", "pay", "both", "paid"),
        ("affect", "see", "both", None),
        ("handle", "choose", "participle", "chosen"),
        ("go", "run", "gerund", "running"),
        ("other", "lie", "gerund", "lying"),
        ("dislike", "regret", "past", "regretted"),
        ("accessory", "scarf", "plural", "scarves"),
        ("pet", "dog", "plural", "dogs"),
        ("wild-animal", "fox", "plural", "foxes"),
        ("kin-female", "aunt", "plural", "aunts"),
        ("staple", "rice", "plural", None),
        ("thing-size", "large", "comparative", "larger"),
        ("thing-size", "big", "superlative", "biggest"),
        ("thing-price", "costly", "comparative", None),
    ],
)
def test_word_is_inflected(word_class: str, lemma: str, form: str, expected: str | None) -> None:
    assert inflect(word_class, lemma, form) == expected


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("actor", "an"),
        ("banker", "a"),
        ("hour", "an"),
        ("honest", "an"),
        ("uniform", "a"),
        ("university", "a"),
        ("usher", "an"),
        ("umpire", "an"),
        ("uninspired", "an"),
        ("unpleasant", "an"),
        ("European", "a"),
        ("one", "a"),
        ("8", "an"),
        ("11", "an"),
        ("80", "an"),
        ("12", "a"),
        ("ukulele", "a"),
        ("useless", "a"),
        ("", "a"),
    ],
)
def test_article_follows_the_sound(word: str, expected: str) -> None:
    assert article(word) == expected


def test_no_replaceable_noun_or_adjective_is_a_function_word() -> None:
    verbs = {"is", "was", "were", "been", "being", "be", "has", "had", "have", "having", "do", "does", "did"}
    known = {word for word in function_words() if any(e.kind != "verb" for e in entries(word))}
    assert not known - verbs - {"yesterday", "today", "tomorrow"}


def test_numbers_are_read() -> None:
    assert number_words()["thirty-two"] == 32
    assert number_words()["twelve"] == 12
    assert len(set(number_words().values())) == 100


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [("film", "movie", True), ("violinist", "musician", True), ("film", "hammer", False), ("dog", "dog", True)],
)
def test_words_that_mean_the_same_clash(first: str, second: str, expected: bool) -> None:
    assert clash(first, second) is expected


def test_idiom_is_seen_in_any_case() -> None:
    assert idioms().search("It was a Piece of Cake.")
    assert not idioms().search("It was a piece of cheese.")


def test_closed_classes_hold_the_words_of_logic() -> None:
    assert {"not", "nobody", "hardly", "cannot"} <= closed()["negation"]
    assert {"every", "some", "most", "few"} <= closed()["quantifier"]
    assert {"if", "because", "or", "unless"} <= closed()["connective"]
    assert {"may", "must", "might"} <= closed()["modal"]
