"""What a blind spot is made of, read from runs on more and more corrections."""

import pytest

from components import inoculation as panel
from components.context import Lab
from data import jobs
from data.examples import Answer, flag_example
from data.tasks import TASKS
from data.versions import live_version
from models.inoculation import corrections_in, curve, request_inoculation, sizes_for, verdict
from tests.conftest import nli, premises

TASK = TASKS["nli"]
BUDGETS = {"retention": 1.0, "contrasts": 5.0}


@pytest.fixture(autouse=True)
def no_worker(monkeypatch):
    monkeypatch.setattr("models.inoculation.ensure_worker", lambda settings: None)


@pytest.fixture
def taught(tiny_store):
    """Seven corrections of numbers that may be trained on, and a confirmation."""
    live = live_version(tiny_store, "nli")
    for i, premise in enumerate(premises("train", 8)):
        said = Answer(0, [1.0, 0.0, 0.0], live)
        flag_example(
            tiny_store, TASK, nli(premise), 2 if i < 7 else 0, annotator="a", answer=said, category="numbers"
        )
    return tiny_store


def finish(db, job_id, after, retention=0.0, contrasts=0.0):
    """Ends a queued job with a report of those figures."""
    job = jobs.claim(db)
    assert job["id"] == job_id

    def split(before, now, change):
        side = {"rows": 40, "right": 0}
        return {
            "parent": {**side, "accuracy": before},
            "child": {**side, "accuracy": now},
            "change": {"points": change},
        }

    report = {
        "splits": {
            "siblings": split(0.1, after, 0),
            "contrasts": split(1, 1, contrasts),
            "retention": split(1, 1, retention),
        }
    }
    card = {"id": jobs.planned_version_id(job_id), "task": "nli", "base": "b"}
    jobs.finish(db, job_id, card, f"versions/nli/{card['id']}", [], report)


def test_sizes_go_as_far_as_the_corrections():
    assert sizes_for(2) == []
    assert sizes_for(3) == [3]
    assert sizes_for(10) == [5, 10]
    assert sizes_for(23) == [5, 10, 20, 23]
    assert sizes_for(400) == [5, 10, 20, 50]


def test_each_size_is_a_run_on_the_first_corrections_from_the_live_version(tiny_settings, taught):
    queued = request_inoculation(tiny_settings, taught, TASK, "numbers", requested_by="ann")
    made = [jobs.get_job(taught, job_id) for job_id in queued]
    ids = corrections_in(taught, TASK, "numbers")
    assert len(ids) == 7
    assert [job["example_ids"] for job in made] == [ids[:5], ids]
    assert {job["parent_id"] for job in made} == {live_version(taught, "nli")}
    assert {job["preset"] for job in made} == {"inoculation: numbers"}


def test_too_few_corrections_are_said_to_be_too_few(tiny_settings, taught):
    with pytest.raises(ValueError, match=r"at least 3 corrections of 'negation'.*found 0"):
        request_inoculation(tiny_settings, taught, TASK, "negation", requested_by="ann")


def test_the_curve_is_read_from_the_reports(tiny_settings, taught):
    first, second = request_inoculation(tiny_settings, taught, TASK, "numbers", requested_by="ann")
    assert curve(taught, TASK, "numbers") == []
    finish(taught, first, 0.4)
    finish(taught, second, 0.9, retention=-0.5)
    points = curve(taught, TASK, "numbers")
    assert [(point["k"], point["before"], point["after"]) for point in points] == [(5, 10, 40), (7, 10, 90)]
    assert verdict(points, BUDGETS) == "gap"


@pytest.mark.parametrize(
    ("expected", "after", "retention", "contrasts"),
    [("gap", 90, 0.0, -2.0), ("limit", 20, 0.0, 0.0), ("odds", 90, -3.0, 0.0), ("odds", 90, 0.0, -30.0)],
)
def test_verdicts(expected, after, retention, contrasts):
    point = {"k": 20, "rows": 50, "before": 10, "after": after, "retention": retention, "contrasts": contrasts}
    assert verdict([point], BUDGETS) == expected
    assert verdict([{**point, "k": 2}], BUDGETS) == verdict([{**point, "rows": 4}], BUDGETS) == "few"


def test_the_page_tells_the_verdict(tiny_settings, taught):
    lab = Lab(tiny_settings)
    assert panel.show_categories(lab, "nli")["value"] == "numbers"
    seen, button, words, plot = panel.show_verdict(lab, "nli", "numbers")
    assert button["value"] == "Run on 5, 7 corrections"
    assert "Not measured yet" in words
    queued = panel.start_runs(lab, "nli", "numbers", "ann")["value"]
    assert "nli-1" in queued
    finish(taught, "nli-1", 0.9)
    _, _, words, plot = panel.tick(lab, "nli", "numbers", seen)
    assert "Data gap" in words
    assert plot["value"].layout.xaxis.title.text == "corrections trained on"
    assert panel.show_verdict(lab, "nli", None)[1]["interactive"] is False
