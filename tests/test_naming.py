"""Persons go by name in both texts of an inference, or not at all."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.examples import Selection
from data.lexicon import entries
from data.tasks import TASKS
from models.naming import name_persons
from models.recipe import Recipe
from models.repair import phenomenon_rows
from models.wording import Wording
from tests.conftest import nli

NLI = TASKS["nli"]


def named(premise, hypothesis, seed=0):
    return name_persons(NLI, nli(premise, hypothesis), random.Random(seed))


def test_each_person_has_one_name_in_both_texts():
    row = named("In the park, the doctor paid the actor.", "The actor paid the doctor in the park.")
    first, second = row["premise"].removeprefix("In the park, ").removesuffix(".").split(" paid ")
    assert first != second
    assert row["hypothesis"] == f"{second} paid {first} in the park."


@pytest.mark.parametrize(
    ("premise", "hypothesis"),
    [
        ("The doctors paid the bill.", "The doctors paid."),
        ("The doctor's friend slept.", "The doctor's friend slept well."),
        ("The doctor who slept paid.", "The doctor paid."),
        ("The tall doctor slept.", "The tall doctor slept at noon."),
        ("A doctor slept.", "The doctor slept."),
        ("The doctor said that he slept.", "The doctor slept."),
        ("The doctor treated the actor.", "The physician healed somebody."),
        ("The table fell.", "The table fell at noon."),
    ],
)
def test_nobody_is_named_where_the_noun_says_more(premise, hypothesis):
    assert named(premise, hypothesis) is None


@given(seed=st.integers(0, 1000))
def test_names_take_the_persons_places_and_the_rest_stays(seed):
    example = nli("The doctor paid the actor and thanked the nurse.", "The actor paid the doctor.")
    words = [Wording.of(text).words for text in name_persons(NLI, example, random.Random(seed)).values()]
    (first, paid, second, joined, thanked, third), asked = words
    assert (paid, joined, thanked) == ("paid", "and", "thanked")
    assert asked == (second, "paid", first)
    assert len({first, second, third}) == 3


def test_only_inferences_have_persons_named():
    assert name_persons(TASKS["sentiment"], {"text": "The doctor paid the actor."}, random.Random(0)) is None


def test_some_siblings_of_a_repair_and_their_contrasts_name_their_persons_alike():
    rows = [{"example": nli(), "label": 1, "kind": "correction", "category": "other", "example_id": 1}]
    made = phenomenon_rows(NLI, Selection(rows=rows), Recipe(dressed=0.0))
    pairs = [[row for row in made if row["pair"] == number] for number in {row["pair"] for row in made}]
    by_name = [any(e.kind == "name" for e in entries(pair[0]["premise"].split()[0])) for pair in pairs]
    assert 0 < sum(by_name) < len(pairs)
    for pair, named in zip(pairs, by_name, strict=True):
        people = ["the" in map(str.lower, Wording.of(row["premise"] + row["hypothesis"]).words) for row in pair]
        assert people == [not named] * 2
