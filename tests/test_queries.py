"""Filters, search, counts and pages over the verdicts."""

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from data.examples import Answer, archive_verdicts, flag_example
from data.queries import (
    Filters,
    count_verdicts,
    facets,
    find_verdicts,
    incoming,
    judged_confidences,
    store_counts,
    weekly_failures,
)
from data.tasks import TASKS
from data.versions import add_version
from tests.conftest import nli, premises

TASK = TASKS["nli"]


@pytest.fixture
def flagged(store):
    """Three verdicts on two NLI examples, and one on a sentence."""
    add_version(store, {"id": "v1", "task": "nli", "base": "b"}, "versions/nli/v1")
    answer = Answer(0, [0.8, 0.1, 0.1], "v1")
    first, second = (nli(premise) for premise in premises("train", 2))
    flag_example(store, TASK, first, 1, annotator="ann", answer=answer, category="negation")
    flag_example(store, TASK, first, 0, annotator="bob", answer=answer, category="negation")
    flag_example(store, TASK, second, 2, annotator="ann", category="numbers")
    flag_example(store, TASKS["sentiment"], {"text": "Crème brûlée, sadly cold."}, 0, annotator="ann")
    return store


@pytest.mark.parametrize(
    ("filters", "count"),
    [
        ({}, 4),
        ({"task": "nli"}, 3),
        ({"kind": "confirmation"}, 1),
        ({"category": "negation"}, 2),
        ({"label": "neutral"}, 1),
        ({"annotator": "ann"}, 3),
        ({"version": "v1"}, 2),
        ({"task": "nli", "annotator": "ann", "category": "numbers"}, 1),
        ({"archived": True}, 0),
        ({"search": "boats"}, 3),
        ({"search": "creme BRULEE"}, 1),
        ({"search": "boats cold"}, 0),
    ],
)
def test_filters_restrict(flagged, filters, count):
    assert len(find_verdicts(flagged, Filters(**filters))) == count
    assert count_verdicts(flagged, Filters(**filters)) == count


def test_newest_comes_first_with_its_example(flagged):
    rows = find_verdicts(flagged, Filters())
    assert [row["id"] for row in rows] == [4, 3, 2, 1]
    assert rows[0]["example"] == {"text": "Crème brûlée, sadly cold."}


def test_pages_do_not_overlap(flagged):
    pages = [find_verdicts(flagged, Filters(), limit=3, offset=offset) for offset in (0, 3, 6)]
    assert [[row["id"] for row in page] for page in pages] == [[4, 3, 2], [1], []]


def test_archived_verdicts_are_found_when_asked_for(flagged):
    archive_verdicts(flagged, [1, 4])
    assert count_verdicts(flagged, Filters()) == 2
    assert [row["id"] for row in find_verdicts(flagged, Filters(archived=True))] == [4, 1]


@pytest.mark.parametrize(
    "search", ['"', "'", "a OR", "NEAR(", "*", "^x", "col:x", "-", "\x00", "\ud800", "😀", "%", "("]
)
def test_hostile_search_is_just_text(flagged, search):
    find_verdicts(flagged, Filters(search=search))


@given(search=st.text(st.characters(exclude_categories=()), max_size=30))
@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_search_is_answered(flagged, search):
    assert count_verdicts(flagged, Filters(search=search)) == len(find_verdicts(flagged, Filters(search=search)))


def test_facets_are_the_values_that_occur(flagged):
    assert facets(flagged, "nli") == {
        "category": ["negation", "numbers"],
        "label": ["entailment", "neutral", "contradiction"],
        "annotator": ["ann", "bob"],
        "version": ["v1"],
        "predicted": ["entailment"],
        "fixed_in": [],
        "assigned_to": [],
    }


def test_counts_by_task_and_kind(flagged):
    assert store_counts(flagged) == {
        "nli": {"correction": 2, "confirmation": 1},
        "sentiment": {"correction": 1, "confirmation": 0},
    }


def test_incoming_is_what_the_live_version_has_not_learnt(flagged):
    flag_example(flagged, TASK, nli(premises("held_out")[0]), 1, annotator="ann", category="numbers")
    learnt = find_verdicts(flagged, Filters(category="negation"))[0]["example_id"]
    add_version(flagged, {"id": "v2", "task": "nli", "base": "b", "example_ids": [learnt]}, "versions/nli/v2")
    assert incoming(flagged, TASK, "v2") == [
        {"category": "numbers", "corrections": 1, "confirmations": 0, "held_out": 1}
    ]
    assert {row["category"] for row in incoming(flagged, TASK, "v1")} == {"negation", "numbers"}


def test_failures_are_counted_by_week_and_category(flagged):
    flagged.conn.execute("UPDATE verdicts SET created_at = '2026-01-04T23:00:00.000+00:00' WHERE id = 1")  # a Sunday
    flagged.conn.execute("UPDATE verdicts SET created_at = '2026-01-05T01:00:00.000+00:00' WHERE id = 3")
    assert weekly_failures(flagged, "nli") == [
        {"week": "2025-12-29", "category": "negation", "count": 1},
        {"week": "2026-01-05", "category": "numbers", "count": 1},
    ]
    assert judged_confidences(flagged, "nli") == {"correction": [0.8], "confirmation": [0.8]}
