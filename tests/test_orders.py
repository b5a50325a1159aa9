"""What comes before or is more than something else, said the other way round."""

import pytest

from data.tasks import TASKS
from models.orders import orders

ENTAILMENT, NEUTRAL, CONTRADICTION = range(3)
LABELS = TASKS["nli"].labels


def told(premise, hypothesis, label):
    return {text: LABELS[new] for _, text, new, _ in orders(premise, hypothesis, label)}


def test_events_are_told_in_the_other_order_and_from_the_other_side():
    found = told("Until the nurse sat down, Leo sang.", "The nurse sat down before Leo sang.", CONTRADICTION)
    assert found == {
        "Leo sang before the nurse sat down.": "entailment",
        "The nurse sat down after Leo sang.": "entailment",
        "Leo sang after the nurse sat down.": "contradiction",
    }
    found = told("First Leo left, then Olga sang.", "Leo left before Olga sang.", ENTAILMENT)
    assert found["Olga sang before Leo left."] == "contradiction"
    assert found["Olga sang after Leo left."] == "entailment"


def test_things_that_are_compared_change_places():
    premise = "The old lake goes down twenty metres, the pond three."
    found = told(premise, "The pond is much deeper than the old lake.", CONTRADICTION)
    assert found == {"The old lake is much deeper than the pond.": "entailment"}
    found = told("Anna has nine coins, Tom two.", "Anna has more coins than Tom.", ENTAILMENT)
    assert found == {"Tom has more coins than Anna.": "contradiction"}


@pytest.mark.parametrize(
    ("premise", "hypothesis", "label"),
    [
        ("Leo left and Olga sang.", "Leo left before Olga sang.", NEUTRAL),
        ("Leo left while Olga sang.", "Leo left before Olga sang.", CONTRADICTION),
        ("The lake is as deep as the pond.", "The lake is deeper than the pond.", CONTRADICTION),
        ("Leo left at nine.", "Leo left before noon.", ENTAILMENT),
        ("Leo left at nine.", "Leo did not leave before Olga sang.", CONTRADICTION),
        ("Leo left at nine.", "Leo is taller than he thinks.", CONTRADICTION),
        ("Leo left at nine.", "Leo left before.", CONTRADICTION),
        ("Leo left at nine.", "Leo left before the concert on Monday.", CONTRADICTION),
    ],
)
def test_nothing_where_no_order_is_told_or_the_two_may_be_level(premise, hypothesis, label):
    assert told(premise, hypothesis, label) == {}
