"""A job's way: queued, running, and one of done, failed, cancelled."""

import sqlite3

import pytest
from sqlite_utils import Database

from data import jobs
from data.migrations import migrations
from data.store import open_store
from data.versions import add_evaluation, add_version, get_version, list_versions


@pytest.fixture
def queue(store):
    add_version(store, {"id": "nli-v0", "task": "nli", "base": "b"}, "versions/nli/nli-v0")
    return store


def enqueue(db, parent="nli-v0"):
    return jobs.enqueue(
        db, "nli", parent_id=parent, preset="quick", recipe={"epochs": 2}, example_ids=[1, 2], requested_by="ann"
    )


def state(db, job_id):
    return jobs.get_job(db, job_id)["state"]


def finish(db, job_id):
    card = {"id": jobs.planned_version_id(job_id), "task": "nli", "base": "b", "parent": "nli-v0"}
    evaluations = [("nli-v0", "held_out", 2, {"accuracy": 0.5}), (card["id"], "held_out", 2, {"accuracy": 1.0})]
    jobs.finish(db, job_id, card, "versions/nli/x", evaluations, {"seconds": 1})


def test_job_keeps_what_was_asked(queue):
    job = jobs.get_job(queue, enqueue(queue))
    assert (job["id"], job["state"], job["recipe"], job["example_ids"]) == ("nli-1", "queued", {"epochs": 2}, [1, 2])


def test_job_from_an_unknown_version_is_refused(queue):
    with pytest.raises(ValueError, match="no version 'nli-v9'"):
        enqueue(queue, parent="nli-v9")
    assert jobs.list_jobs(queue) == []


def test_unknown_job_is_an_error(queue):
    with pytest.raises(ValueError, match="no job 'nli-7'"):
        jobs.get_job(queue, "nli-7")


def test_version_is_numbered_like_its_job():
    assert jobs.planned_version_id("nli-12") == "nli-v12"


def test_higher_priority_goes_first(queue):
    first, second, third = (enqueue(queue) for _ in range(3))
    jobs.set_priority(queue, third, 5)
    jobs.set_priority(queue, first, -1)
    assert [jobs.claim(queue)["id"] for _ in range(3)] == [third, second, first]


def test_tasks_take_turns(queue):
    add_version(queue, {"id": "sentiment-v0", "task": "sentiment", "base": "b"}, "versions/sentiment/sentiment-v0")
    for _ in range(3):
        enqueue(queue)
    jobs.enqueue(
        queue,
        "sentiment",
        parent_id="sentiment-v0",
        preset="quick",
        recipe={},
        example_ids=[],
        requested_by="ann",
    )
    assert [jobs.claim(queue)["id"] for _ in range(4)] == ["nli-1", "sentiment-1", "nli-2", "nli-3"]


def test_priority_of_a_running_job_is_refused(queue):
    job_id = enqueue(queue)
    with pytest.raises(ValueError, match="-9 to 9"):
        jobs.set_priority(queue, job_id, 10)
    jobs.claim(queue)
    with pytest.raises(ValueError, match="is running"):
        jobs.set_priority(queue, job_id, 1)


def test_interrupted_job_waits_for_the_next_worker(queue):
    job_id = enqueue(queue)
    jobs.claim(queue)
    jobs.end(queue, job_id, "interrupted")
    assert jobs.claim(queue) is None
    assert jobs.requeue_orphans(queue) == [job_id]
    assert jobs.claim(queue)["attempts"] == 2
    jobs.end(queue, job_id, "interrupted")
    assert jobs.cancel(queue, job_id) == "cancelled"


@pytest.mark.parametrize("newest", ["m006_steps", "m009_jobs_go_on"])
def test_store_from_before_keeps_its_jobs_and_what_refers_to_them(tmp_path, newest):
    """The table of jobs is made anew for a further state; evaluations refer to it."""
    path = tmp_path / "old.db"
    db = Database(sqlite3.connect(path))
    migrations.apply(db, stop_before=newest)
    add_version(db, {"id": "nli-v0", "task": "nli", "base": "b"}, "versions/nli/nli-v0")
    columns = {"task": "nli", "state": "done", "parent_id": "nli-v0", "preset": "quick", "recipe": "{}"}
    more = {"example_ids": "[]", "requested_by": "ann", "created_at": "2026-01-01"}
    db["jobs"].insert({"id": "nli-1", **columns, **more})
    add_evaluation(db, "nli-v0", "held_out", 1, {}, "nli-1")
    db.close()
    db = open_store(path)
    assert jobs.get_job(db, "nli-1")["requested_by"] == "ann"
    assert db.execute("PRAGMA foreign_key_check").fetchall() == []
    with pytest.raises(sqlite3.IntegrityError):
        db["jobs"].delete("nli-1")
    db["jobs"].update("nli-1", {"state": "interrupted"})
    db.close()


def test_oldest_job_is_claimed_once(queue):
    first, second = enqueue(queue), enqueue(queue)
    assert [job and job["id"] for job in (jobs.claim(queue), jobs.claim(queue), jobs.claim(queue))] == [
        first,
        second,
        None,
    ]
    assert state(queue, first) == "running"


def test_heartbeat_keeps_progress_until_there_is_more(queue):
    job_id = enqueue(queue)
    jobs.claim(queue)
    assert jobs.heartbeat(queue, job_id, "training", [{"step": 1}]) == "running"
    jobs.heartbeat(queue, job_id, "evaluating")
    job = jobs.get_job(queue, job_id)
    assert (job["phase"], job["progress"]) == ("evaluating", [{"step": 1}])


def test_waiting_job_is_cancelled_at_once(queue):
    job_id = enqueue(queue)
    assert jobs.cancel(queue, job_id) == "cancelled"
    assert jobs.claim(queue) is None


def test_running_job_hears_of_the_cancel_at_its_next_heartbeat(queue):
    job_id = enqueue(queue)
    jobs.claim(queue)
    assert jobs.cancel(queue, job_id) == "cancelling"
    assert jobs.heartbeat(queue, job_id, "training") == "cancelling"
    jobs.end(queue, job_id, "cancelled")
    assert state(queue, job_id) == "cancelled"


@pytest.mark.parametrize("ended", ["failed", "cancelled"])
def test_ended_job_stays_ended(queue, ended):
    job_id = enqueue(queue)
    jobs.claim(queue)
    jobs.end(queue, job_id, ended, "why")
    assert jobs.cancel(queue, job_id) == ended
    assert jobs.get_job(queue, job_id)["error"] == "why"


def test_finish_records_version_metrics_and_report_together(queue):
    job_id = enqueue(queue)
    jobs.claim(queue)
    finish(queue, job_id)
    job = jobs.get_job(queue, job_id)
    assert (job["state"], job["version_id"], job["report"]) == ("done", "nli-v1", {"seconds": 1})
    assert get_version(queue, "nli-v1")["parent_id"] == "nli-v0"
    metrics = {row["id"]: row["metrics"] for row in list_versions(queue)}
    assert metrics["nli-v1"] == {"held_out": {"accuracy": 1.0}}


def test_finish_that_fails_records_nothing(queue):
    first, second = enqueue(queue), enqueue(queue)
    finish(queue, first)
    before = queue["evaluations"].count
    card = {"id": "nli-v1", "task": "nli", "base": "b"}
    with pytest.raises(sqlite3.IntegrityError):
        jobs.finish(queue, second, card, "versions/nli/x", [("nli-v0", "s", 1, {})], {})
    assert (state(queue, second), queue["evaluations"].count) == ("queued", before)


def test_orphans_wait_again_and_cancelled_ones_end(queue):
    first, second, third = enqueue(queue), enqueue(queue), enqueue(queue)
    jobs.claim(queue)
    jobs.claim(queue)
    jobs.cancel(queue, second)
    assert jobs.requeue_orphans(queue) == [first]
    assert [state(queue, job) for job in (first, second, third)] == ["queued", "cancelled", "queued"]
    assert jobs.claim(queue)["id"] == first


def test_list_is_newest_first_and_filtered(queue):
    first, second = enqueue(queue), enqueue(queue)
    jobs.claim(queue)
    assert [job["id"] for job in jobs.list_jobs(queue)] == [second, first]
    assert [job["id"] for job in jobs.list_jobs(queue, states=("running",))] == [first]
    assert jobs.list_jobs(queue, task="sentiment") == []
    assert len(jobs.list_jobs(queue, limit=1)) == 1
