"""Other company around an example: what it said stands as before, and what is added is beside the point."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.seed import seed_rows
from data.tasks import TASKS
from models.dressing import SWEEPING, dress
from models.recipe import Recipe
from models.repair import training_rows
from models.wording import Wording
from tests.conftest import nli
from tests.test_repair import taught

ROWS = {
    name: [row["example"] for kind in ("gallery", "validation") for row in seed_rows(task, kind)]
    for name, task in TASKS.items()
}


def in_order(short, long):
    """Whether the words of one text stand in another in the same order."""
    rest = iter(Wording.of(long).low)
    return all(word in rest for word in Wording.of(short).low)


@given(st.sampled_from(ROWS["nli"]), st.integers(0, 10**6))
def test_inference_keeps_every_word_in_its_order(example, seed):
    found = dress(TASKS["nli"], example, random.Random(seed))
    if found is None:
        return
    dressed, rule = found
    assert dressed != example
    assert in_order(example["premise"], dressed["premise"])
    assert in_order(example["hypothesis"], dressed["hypothesis"])
    assert (dressed["hypothesis"] == example["hypothesis"]) == (rule != "a time or place in both")
    assert dress(TASKS["nli"], example, random.Random(seed)) == found
    assert TASKS["nli"].parse_example(dressed) == dressed


@given(st.sampled_from(ROWS["sentiment"]), st.integers(0, 10**6))
def test_sentiment_keeps_the_text_whole(example, seed):
    found = dress(TASKS["sentiment"], example, random.Random(seed))
    assert found is None or (example["text"] in found[0]["text"] and found[0] != example)


@given(st.sampled_from(ROWS["commonsense"]), st.integers(0, 10**6))
def test_a_scene_leaves_question_and_choices_alone(example, seed):
    found = dress(TASKS["commonsense"], example, random.Random(seed))
    if found is not None:
        assert {**found[0], "context": ""} == {**example, "context": ""}
        assert found[0]["context"].endswith(example["context"])


def rules_of(example, tries=200):
    found = [dress(TASKS["nli"], example, random.Random(seed)) for seed in range(tries)]
    return {rule: dressed for dressed, rule in filter(None, found)}


def test_a_plain_sentence_can_be_dressed_in_every_way():
    rules = rules_of(nli("The chemist followed the dancer.", "The dancer followed the chemist."))
    assert set(rules) == {
        "somebody else's doings",
        "a second clause",
        "a time or place in the premise",
        "a time or place in both",
        "the premise as a cleft",
    }
    cleft = rules["the premise as a cleft"]
    assert cleft["premise"] == "It was the chemist who followed the dancer."


@pytest.mark.parametrize(
    "premise",
    [
        "Everyone followed the burglar.",
        "No chemist followed the burglar.",
        "The only chemist left followed the burglar.",
        "Few of the guards followed the burglar.",
    ],
)
def test_where_people_at_large_are_spoken_of_nobody_is_added(premise):
    rules = rules_of(nli(premise, "The burglar was followed."))
    assert not {"somebody else's doings", "a second clause"} & set(rules)


def test_what_is_said_to_happen_happened_for_sure():
    rules = rules_of(nli("If the chemist slept, the burglar laughed.", "The burglar laughed."))
    assert set(rules) <= {"somebody else's doings"}


def test_somebody_else_does_something_else():
    for seed in range(300):
        found = dress(TASKS["nli"], nli("The chemist slept.", "A chemist was asleep."), random.Random(seed))
        if found and found[1] == "somebody else's doings":
            added = found[0]["premise"].replace("The chemist slept.", "").strip().lower()
            assert "chemist" not in added
            assert "slept" not in added
    assert SWEEPING.isdisjoint({"chemist", "slept"})


def test_the_share_of_dressed_rows_is_the_recipes():
    sizes = {}
    for share in (0.0, 1.0):
        rows = training_rows(TASKS["nli"], taught("correction"), Recipe(retention_rows=0, dressed=share))
        sizes[share] = sum(len(row["premise"].split()) for row in rows) / len(rows)
        assert {**nli(), "label": 1, "weight": 1.0, "pair": 0} in rows
    assert sizes[1.0] > sizes[0.0] + 1
