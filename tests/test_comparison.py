"""Versions on the same rows: who is right, how often they agree, and where they differ."""

import pytest

from data.tasks import TASKS
from models.comparison import compare_versions
from models.predictor import Prediction
from tests.conftest import nli

ROWS = [{"example": nli(f"Boat {i}."), "label": 0} for i in range(4)]


class Saying:
    """A version whose answers are given; the real ones are compared in the tab's own tests."""

    task = TASKS["nli"]

    def __init__(self, version_id, *labels):
        self.version_id, self.labels = version_id, labels

    def predict(self, examples, batch_size=32):
        assert len(examples) == len(self.labels)
        return [Prediction([0.8 if i == label else 0.1 for i in range(3)], 0) for label in self.labels]


def test_agreement_and_differing_rows_of_three_versions():
    found = compare_versions([Saying("a", 0, 0, 1, 1), Saying("b", 0, 1, 1, 2), Saying("c", 0, 0, 1, 2)], ROWS)
    assert found.hits == [[True, True, False, False], [True, False, False, False], [True, True, False, False]]
    assert found.agreement() == [[1, 0.5, 0.75], [0.5, 1, 0.75], [0.75, 0.75, 1]]
    assert found.differing() == {(False, False, False): [3], (True, False, True): [1]}


def test_rows_of_two_examples_are_judged_by_what_the_suite_expects():
    rows = [{"example": nli(), "label": None, "second": nli("A dog."), "template": "t"}]
    found = compare_versions([Saying("a", 0, 0), Saying("b", 1, 0)], rows)
    assert found.hits == [[True], [False]]
    assert found.answers == [[0], [1]]


def test_one_version_or_no_rows_are_refused():
    with pytest.raises(ValueError, match="two or more different versions; found a, a"):
        compare_versions([Saying("a", 0), Saying("a", 0)], ROWS)
    with pytest.raises(ValueError, match="Expected rows"):
        compare_versions([Saying("a"), Saying("b")], [])
