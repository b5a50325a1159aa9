import random

import pytest

from data.lexicon import scales
from data.seed import seed_rows
from data.tasks import get_task
from models.turned import only_for_all_but, other_end, turned, with_not, without_not
from models.wording import Wording

COMMONSENSE = get_task("commonsense")


def turned_rows(context, question, *choices, label=0):
    example = COMMONSENSE.parse_example({"context": context, "question": question, "choices": list(choices)})
    return list(turned(example, label, random.Random(0)))


@pytest.mark.parametrize(
    ("question", "without"),
    [
        ("Which of these is not a fruit?", "Which of these is a fruit?"),
        ("Which of these would never appear in a list?", "Which of these would appear in a list?"),
        ("Who can't swim?", "Who can swim?"),
        ("What cannot be undone?", "What can be undone?"),
        ("Which of these does not fit in?", "Which of these does fit in?"),
    ],
)
def test_not_is_taken_out(question, without):
    assert str(without_not(Wording.of(question))) == without


@pytest.mark.parametrize(
    ("question", "negated"),
    [
        ("Which of these is a fruit?", "Which of these is not a fruit?"),
        ("What can he draw?", "What can he not draw?"),
        ("What is Ann doing?", "What is Ann not doing?"),
        ("Who was tired?", "Who was not tired?"),
    ],
)
def test_not_is_put_in(question, negated):
    assert str(with_not(Wording.of(question))) == negated


@pytest.mark.parametrize(
    "question",
    [
        "",
        "Why is he not here?",
        "What will happen if he does not water it?",
        "It is not ___ that fell.",
        "Draw a fruit.",
    ],
)
def test_questions_whose_not_asks_for_no_choice_are_left(question):
    assert without_not(Wording.of(question)) is None


@pytest.mark.parametrize(
    "question", ["", "What is the man holding?", "Which group do frogs belong to?", "Who gave it?"]
)
def test_not_is_put_in_only_where_its_place_is_plain(question):
    assert with_not(Wording.of(question)) is None


def test_a_scale_has_two_ends():
    assert (scales()["heaviest"], scales()["lighter"], scales()["first"]) == ("lightest", "heavier", "last")
    assert all(scales()[scales()[word]] == word for word in ("heavier", "first", "least", "colder", "older"))
    assert str(other_end(Wording.of("Who came first?"))) == "Who came last?"
    assert other_end(Wording.of("Who is older than Tom?")) is None
    assert other_end(Wording.of("Who is not the oldest?")) is None


def test_the_wrong_choice_answers_the_question_turned_round():
    ((row, label, rule),) = turned_rows("", "Which of these is not a fruit?", "a saw", "a pear", "a plum")
    assert (row["question"], rule) == ("Which of these is a fruit?", "question turned round")
    assert len(row["choices"]) == 2
    assert row["choices"][label] in ("a pear", "a plum")
    rows = {
        rule: (row["question"], row["choices"][label])
        for row, label, rule in turned_rows("", "Which is the heaviest?", "iron", "wool")
    }
    assert rows["other end of the scale"] == ("Which is the lightest?", "wool")


def test_of_three_that_are_told_of_the_last_may_be_another():
    told = "Ann is taller than Bea, and Bea is taller than Cleo."
    rules = [rule for *_, rule in turned_rows(told, "Who of the three is the tallest?", "Ann", "Bea", "Cleo")]
    assert "other end of the scale" not in rules


def test_all_but_some_becomes_only_those():
    rows = turned_rows("Oscar may draw anything except fruits.", "What did Oscar draw?", "a saw", "a pear")
    ((row, label, _),) = [row for row in rows if row[2] == "only for all but"]
    assert row["context"] == "Oscar may draw nothing except fruits."
    assert row["choices"][label] == "a pear"
    assert only_for_all_but(Wording.of("He left, but she stayed.")) is None


def test_choices_that_look_at_others_are_left():
    assert turned_rows("", "Which of these is hot?", "fire", "ice", "none of these") == []


@pytest.mark.parametrize("seed", range(3))
def test_every_turned_row_has_the_right_choice_and_one_wrong(seed):
    rng = random.Random(seed)
    for row in rng.sample(seed_rows(COMMONSENSE, "retention"), 150):
        example, right = row["example"], row["example"]["choices"][row["label"]]
        for made, label, _ in turned(example, row["label"], rng):
            assert COMMONSENSE.parse_example(made) == made
            assert len(made["choices"]) == 2
            assert {made["choices"][label], right} == set(made["choices"]) <= set(example["choices"])
            assert (made["question"], made["context"]) != (example["question"], example["context"])
