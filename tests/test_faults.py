"""Whatever is killed, damaged or full: what was acknowledged stays, the job ends right, the live model answers."""

import os
import random
import shutil
import signal
import subprocess
import time

import psutil
import pytest

from data import jobs
from data.examples import flag_example
from data.store import StoreError, open_store
from data.tasks import TASKS
from data.versions import live_version
from models import job_folder, worker
from models.child import adopt, runs
from models.folders import ADAPTER
from models.predictor import Predictor
from models.registry import folder_of
from models.serving import Serving
from tests.conftest import nli
from tests.test_worker import ENDLESS, child_of, enqueue, start_worker, until  # noqa: F401  (enqueue is a fixture)

TASK = TASKS["nli"]


def kill_9(pid):
    os.kill(pid, signal.SIGKILL)


def ended(store, job_id):
    return jobs.get_job(store, job_id)["state"] not in jobs.ACTIVE


def test_killed_training_is_started_again(tiny_settings, tiny_store, enqueue):  # noqa: F811
    job_id = enqueue()
    process = start_worker(tiny_settings)
    child = child_of(tiny_settings, job_id)
    kill_9(child.pid)
    process.wait(600)
    job = jobs.get_job(tiny_store, job_id)
    assert (job["state"], job["version_id"]) == ("done", "nli-v1")


def test_training_that_is_always_killed_fails_with_advice(tiny_settings, tiny_store, enqueue, monkeypatch):  # noqa: F811
    job_id = enqueue()
    killed = []

    def spawn(folder, command, gpu=None, write_job=lambda: None):
        write_job()
        popen = subprocess.Popen(["sleep", "60"])
        popen.kill()
        killed.append(popen)
        process = psutil.Process(popen.pid)
        process.blindspot_popen = popen
        return process

    monkeypatch.setattr(worker.training_process, "spawn", spawn)
    worker.run_worker(tiny_settings)
    job = jobs.get_job(tiny_store, job_id)
    assert job["state"] == "failed"
    assert "cut off 3 times" in job["error"]
    assert len(killed) == worker.ATTEMPTS


def test_sigterm_interrupts_the_job_and_the_next_worker_goes_on(tiny_settings, tiny_store, enqueue):  # noqa: F811
    job_id = enqueue(ENDLESS)
    process = start_worker(tiny_settings)
    child = child_of(tiny_settings, job_id)
    until(lambda: jobs.get_job(tiny_store, job_id)["progress"])
    worker.stop_worker(tiny_settings)
    assert process.wait(600) == 0
    assert not runs(child)
    assert jobs.get_job(tiny_store, job_id)["state"] == "interrupted"
    assert list((tiny_settings.jobs / job_id / "checkpoints").glob("*/complete.json"))
    reached = jobs.get_job(tiny_store, job_id)["progress"][-1]["step"]
    again = start_worker(tiny_settings)
    until(lambda: jobs.get_job(tiny_store, job_id)["progress"][-1]["step"] > reached)
    assert adopt(tiny_settings.jobs / job_id).pid != child.pid
    jobs.cancel(tiny_store, job_id)
    again.wait(600)
    assert jobs.get_job(tiny_store, job_id)["state"] == "cancelled"


def test_watch_starts_a_worker_where_one_died(tiny_settings, tiny_store, enqueue):  # noqa: F811
    job_id = enqueue()
    jobs.claim(tiny_store)  # by a worker that died; its heartbeat lies in the future, the clock having been set back
    tiny_store["jobs"].update(job_id, {"heartbeat_at": "2099-01-01T00:00:00.000+00:00"})
    stores = []

    def connect():
        stores.append(stores[0] if stores else open_store(tiny_settings.store))
        return stores[0]

    stop = worker.watch(tiny_settings, connect, every_s=0.05)
    until(lambda: ended(tiny_store, job_id))
    stop.set()
    assert jobs.get_job(tiny_store, job_id)["state"] == "done"
    until(lambda: not worker.worker_lives(tiny_settings))


def test_damaged_job_folder_is_written_anew(tiny_settings, tiny_store, enqueue):  # noqa: F811
    job_id = enqueue()
    folder = tiny_settings.jobs / job_id
    (folder / "parent").mkdir(parents=True)
    (folder / "job.json").write_text('{"task": "nli", "rec')
    (folder / "child.json").write_text("[]")
    (folder / "progress.jsonl").write_text("{\n")
    assert worker.run_worker(tiny_settings) == 1
    assert jobs.get_job(tiny_store, job_id)["state"] == "done"


def test_two_workers_on_one_workspace_do_each_job_once(tiny_settings, tiny_store, enqueue):  # noqa: F811
    ids = [enqueue()]
    both = [start_worker(tiny_settings) for _ in range(2)]
    for process in both:
        assert process.wait(600) == 0
    rows = [jobs.get_job(tiny_store, job_id) for job_id in ids]
    assert [(row["state"], row["attempts"]) for row in rows] == [("done", 1)]


def test_worker_and_training_killed_at_random_lose_nothing(tiny_settings, tiny_store, enqueue):  # noqa: F811
    kill_rounds(tiny_settings, tiny_store, enqueue(), random.Random(0), rounds=2)


def kill_rounds(settings, store, job_id, rng, rounds):
    """Kills worker or training at random points, starts a worker anew each time, and at last lets it end."""
    for _ in range(rounds):
        process = start_worker(settings)
        stop_at = time.monotonic() + rng.uniform(0.2, 4.0)
        until(lambda at=stop_at: time.monotonic() > at or ended(store, job_id))
        flagged = flag_example(store, TASK, nli(f"There are {rng.random()} boats."), 2, annotator="ann")
        child = adopt(settings.jobs / job_id)
        victims = [process.pid, *([child.pid] if child else [])]
        for pid in rng.sample(victims, rng.randint(1, len(victims))):
            if psutil.pid_exists(pid):
                kill_9(pid)
        if process.poll() is None and child is not None:
            kill_9(process.pid)
        process.wait(60)
        fresh = open_store(settings.store)
        assert fresh["verdicts"].count_where("id = ?", [flagged]) == 1
        assert live_version(fresh, "nli")
        fresh.close()
        if ended(store, job_id):
            break
    start_worker(settings).wait(240)
    job = jobs.get_job(store, job_id)
    assert (job["state"], job["version_id"]) == ("done", "nli-v1")
    assert len(Predictor.load(folder_of(settings, store, "nli-v1")).predict([nli()])) == 1
    leftovers = list(settings.versions.glob("*/.*.partial"))
    assert not leftovers


def test_promoted_version_deleted_from_disk_goes_on_answering(tiny_settings, tiny_store):
    serving = Serving(tiny_settings, lambda: tiny_store)
    try:
        serving.refresh()
        before = serving.predict("nli", nli()).prediction.probabilities
        shutil.rmtree(tiny_settings.versions / "nli")
        serving.refresh()
        assert serving.predict("nli", nli()).prediction.probabilities == pytest.approx(before)
    finally:
        serving.stop()


def test_corrupt_adapter_fails_the_job_and_says_which_file(tiny_settings, tiny_store, enqueue):  # noqa: F811
    job_id = enqueue()
    folder = folder_of(tiny_settings, tiny_store, live_version(tiny_store, "nli"))
    (folder / "adapter_config.json").write_text("{}")
    (folder / ADAPTER).write_bytes(b"no tensors")
    worker.run_worker(tiny_settings)
    job = jobs.get_job(tiny_store, job_id)
    assert job["state"] == "failed"
    assert "adapter" in job["error"].lower()


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 2 MiB; needs root."""
    folder = tmp_path / "small"
    folder.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)], capture_output=True)
    if made.returncode:
        pytest.skip(f"no small file system can be mounted here: {made.stderr.decode().strip()}")
    yield folder
    subprocess.run(["mount", "-o", "remount,rw", str(folder)], capture_output=True)
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_full_disk_refuses_a_verdict_and_keeps_the_others(small_disk):
    db = open_store(small_disk / "blindspot.db")
    kept = flag_example(db, TASK, nli(), 2, annotator="ann")
    (small_disk / "filler").write_bytes(b"\0" * (shutil.disk_usage(small_disk).free - 4096))

    def flag_many():
        for i in range(200):
            flag_example(db, TASK, nli(f"Premise {i} " + "x" * 2000), 2, annotator="ann")

    with pytest.raises(StoreError, match="disk is full"):
        flag_many()
    stored = db["verdicts"].count
    (small_disk / "filler").unlink()
    flag_example(db, TASK, nli("There is room again."), 2, annotator="ann")
    assert db["verdicts"].count == stored + 1
    assert db["verdicts"].count_where("id = ?", [kept]) == 1
    db.close()


def test_read_only_store_refuses_to_write_and_can_be_read(small_disk):
    db = open_store(small_disk / "blindspot.db")
    flag_example(db, TASK, nli(), 2, annotator="ann")
    db.close()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(StoreError, match="let this user write"):
        flag_example(open_store(small_disk / "blindspot.db"), TASK, nli("Another."), 2, annotator="ann")


def test_old_job_folders_are_removed_by_the_rule(tiny_settings, tiny_store, enqueue, monkeypatch):  # noqa: F811
    monkeypatch.setattr(job_folder, "KEPT_JOBS", 1)
    ids = [enqueue() for _ in range(4)]
    for job_id in ids:
        (tiny_settings.jobs / job_id).mkdir(parents=True)
    for job_id in ids[:3]:
        jobs.claim(tiny_store)
        jobs.end(tiny_store, job_id, "failed", "why")
    now = time.time()
    os.utime(tiny_settings.jobs / ids[0], (0, now - 31 * 86400))
    assert job_folder.prune(tiny_settings, tiny_store, now) == [ids[0]]  # the second is young, the third the newest
    assert job_folder.prune(tiny_settings, tiny_store, now + 31 * 86400) == [ids[1]]
    assert (tiny_settings.jobs / ids[3]).is_dir()  # it waits
