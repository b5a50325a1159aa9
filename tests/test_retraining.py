"""What a click on Retrain queues, and how long it says that will take."""

import pytest

from data import jobs
from data.examples import flag_example, select_examples
from data.tasks import TASKS
from data.versions import live_version
from models.recipe import Recipe, preset
from models.repair import count_rows, training_rows
from models.retraining import estimate_seconds, request_retrain
from tests.conftest import nli, premises

TASK = TASKS["nli"]


@pytest.fixture(autouse=True)
def workers(monkeypatch):
    """The workers that would have been started."""
    started = []
    monkeypatch.setattr("models.retraining.ensure_worker", started.append)
    return started


def flag(db, split="train", count=1, label=1, annotator="ann"):
    for premise in premises(split, count):
        flag_example(db, TASK, nli(premise), label, annotator=annotator)


def test_request_freezes_examples_recipe_and_parent(tiny_settings, tiny_store, workers):
    flag(tiny_store, count=3)
    flag(tiny_store, "held_out")
    job = jobs.get_job(tiny_store, request_retrain(tiny_settings, tiny_store, TASK, "quick", requested_by="ann"))
    assert job["parent_id"] == live_version(tiny_store, "nli")
    assert Recipe.from_dict(job["recipe"]) == preset("quick", TASK)
    assert job["example_ids"] == [row["example_id"] for row in select_examples(tiny_store, TASK).rows]
    assert len(job["example_ids"]) == 3
    assert (job["preset"], job["requested_by"], workers) == ("quick", "ann", [tiny_settings])


def test_recipe_may_differ_from_the_presets(tiny_settings, tiny_store):
    flag(tiny_store)
    recipe = Recipe(epochs=2, seed=5)
    job_id = request_retrain(tiny_settings, tiny_store, TASK, "quick", requested_by="ann", recipe=recipe)
    assert Recipe.from_dict(jobs.get_job(tiny_store, job_id)["recipe"]) == recipe


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ([], "found none"),
        ([{"split": "held_out", "count": 2}], "found only 2 held out to measure the repair"),
        ([{"label": 1}, {"label": 2, "annotator": "bob"}], "found only 1 on which annotators disagree"),
    ],
)
def test_nothing_to_train_on_says_why(tiny_settings, tiny_store, workers, flags, message):
    for options in flags:
        flag(tiny_store, **options)
    with pytest.raises(ValueError, match=f"Nothing to train on: .*{message}"):
        request_retrain(tiny_settings, tiny_store, TASK, "quick", requested_by="ann")
    assert (jobs.list_jobs(tiny_store), workers) == ([], [])


@pytest.mark.parametrize("data", ["corrections", "replay", "distilled"])
def test_rows_are_counted_as_they_will_be_trained(tiny_store, data):
    flag(tiny_store, count=3)
    recipe = Recipe(data=data, retention_rows=50)
    assert count_rows(TASK, 3, recipe) == len(training_rows(TASK, select_examples(tiny_store, TASK), recipe))


def test_estimate_is_typical_before_the_first_job(tiny_store):
    seconds, basis = estimate_seconds(tiny_store, TASK, Recipe(data="corrections", epochs=6), 100)
    assert (seconds, basis) == (15 + 600 / 60, "typical for two CPU cores")


def test_estimate_is_measured_on_the_newest_job(tiny_settings, tiny_store):
    flag(tiny_store)
    for rate in (10, 200):
        job_id = request_retrain(tiny_settings, tiny_store, TASK, "quick", requested_by="ann")
        card = {"id": jobs.planned_version_id(job_id), "task": "nli", "base": "b"}
        report = {"seconds": 12, "training": {"rows_per_s": rate, "seconds": 8}}
        jobs.finish(tiny_store, job_id, card, "versions/nli/x", [], report)
    seconds, basis = estimate_seconds(tiny_store, TASK, Recipe(data="corrections", epochs=6), 100)
    assert (seconds, basis) == (4 + 600 / 200, "measured on job nli-2")
