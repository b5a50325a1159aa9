"""A version's failures on a suite are those rows that it really answers wrong."""

import pytest

from data.suites import load_suites
from data.suites.expand import expand
from models.folders import STARTERS
from models.predictor import Predictor
from models.suites import run_suite, run_suites


@pytest.fixture(scope="module")
def starter():
    return Predictor.load(STARTERS / "nli")


def suite_named(name):
    return next(suite for suite in load_suites("nli") if suite.name == name)


def test_failures_are_the_rows_that_are_answered_wrong(starter):
    suite = suite_named("role_swap")
    result = run_suite(starter, suite, rows=40)
    rows = expand(suite, 40, 0)
    wrong = [
        r for r, p in zip(rows, starter.predict([r["example"] for r in rows]), strict=True) if p.label != r["label"]
    ]
    assert [f["example"] for f in result["failures"]] == [row["example"] for row in wrong]
    assert result["failed"] == len(wrong) > 0
    assert result["low"] <= result["rate"] <= result["high"]
    assert all(f["answer"] != f["label"] for f in result["failures"])


def test_invariance_compares_both_examples(starter):
    result = run_suite(starter, suite_named("names_and_places"), rows=40)
    for row in result["failures"]:
        first, second = starter.predict([row["example"], row["second"]])
        assert first.label != second.label


def test_most_failed_suite_comes_first(starter):
    seen = []
    suites = [suite_named("quantifier_strength"), suite_named("role_swap")]
    results = run_suites(starter, suites, rows=20, on_suite=lambda r: seen.append(r["suite"]))
    assert seen == ["quantifier_strength", "role_swap"]
    assert results[0]["rate"] >= results[1]["rate"]
