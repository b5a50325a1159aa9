"""A job from the queue to its report, whatever is cancelled, damaged or killed on the way."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import threading
import time

import psutil
import pytest
from filelock import FileLock

from data import jobs
from data.examples import flag_example, select_examples
from data.tasks import TASKS
from data.versions import get_version, list_versions, live_version, promote_version
from models import child as training_process
from models import job_folder, worker
from models.folders import CARD
from models.predictor import Predictor
from models.recipe import Recipe
from models.registry import folder_of, register_pretrained
from settings import PROJECT
from tests.conftest import nli, premises

TASK = TASKS["nli"]
QUICK = Recipe(rank=8, learning_rate=5e-3, epochs=6, retention_rows=16, batch_size=8)
ENDLESS = dataclasses.replace(QUICK, epochs=1000, retention_rows=600)
DEADLINE_S = 120


@pytest.fixture
def enqueue(tiny_store):
    """Teaches three examples, holds out two, and queues a job; returns its id."""
    for premise in premises("train", 3) + premises("held_out", 2):
        flag_example(tiny_store, TASK, nli(premise), 2, annotator="ann")

    def make(recipe=QUICK):
        return jobs.enqueue(
            tiny_store,
            "nli",
            parent_id=live_version(tiny_store, "nli"),
            preset="quick",
            recipe=recipe.to_dict(),
            example_ids=[row["example_id"] for row in select_examples(tiny_store, TASK).rows],
            requested_by="ann",
        )

    return make


def until(condition):
    """Waits for the condition, a while."""
    deadline = time.monotonic() + DEADLINE_S
    while not (found := condition()):
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.05)
    return found


def child_of(settings, job_id):
    """The training process, once it was started."""
    path = settings.jobs / job_id / "child.json"
    mark = until(lambda: path.exists() and path.read_text())
    return psutil.Process(json.loads(mark)["pid"])


def gone(process):
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def start_worker(settings):
    command = [sys.executable, "-m", "models.worker", "--workspace", str(settings.workspace), "--device", "cpu"]
    return subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def test_job_ends_with_a_version_and_its_report(tiny_settings, tiny_store, enqueue):
    job_id, parent = enqueue(), live_version(tiny_store, "nli")
    assert worker.run_worker(tiny_settings) == 1
    job = jobs.get_job(tiny_store, job_id)
    assert (job["state"], job["version_id"], job["error"]) == ("done", "nli-v1", None)
    assert job["progress"][-1]["step"] == job["progress"][-1]["steps"]

    report = job["report"]
    assert (report["parent"], report["version"]) == (parent, "nli-v1")
    assert report["counts"] == {
        "corrections": 3,
        "confirmations": 0,
        "held_out": 2,
        "conflicts": 0,
        "without_siblings": 3,
    }
    rows = {name: split["child"]["rows"] for name, split in report["splits"].items()}
    assert (rows["taught"], rows["held_out"]) == (3, 2)
    assert rows["contrasts"] > 0
    assert rows["suites"] >= 100
    assert rows["retention"] >= 500
    assert report["reading"] == "few"
    assert json.loads(get_version(tiny_store, "nli-v1")["gate"]) == report["gate"]
    for split in report["splits"].values():
        changed = {name: len(split[name]) for name in ("fixed", "failing", "broken")}
        assert sum(changed.values()) + split["kept"] == split["child"]["rows"]
        assert changed["fixed"] + split["kept"] == split["child"]["right"]

    version = get_version(tiny_store, "nli-v1")
    assert version["parent_id"] == parent
    metrics = {row["id"]: set(row["metrics"]) for row in list_versions(tiny_store, "nli")}
    assert metrics == {"nli-v1": set(rows), parent: set(rows)}
    folder = folder_of(tiny_settings, tiny_store, "nli-v1")
    assert "# nli-v1" in (folder / "README.md").read_text()
    taught = [row["example"] for row in select_examples(tiny_store, TASK).rows]
    assert {p.label for p in Predictor.load(folder).predict(taught)} == {2}
    assert live_version(tiny_store, "nli") == parent


def test_empty_queue_ends_the_worker(tiny_settings):
    assert worker.run_worker(tiny_settings) == 0


def test_second_worker_leaves(tiny_settings, tiny_store, enqueue, monkeypatch):
    monkeypatch.setattr(worker, "LOCK_WAIT_S", 0.1)
    job_id = enqueue()
    with FileLock(tiny_settings.workspace / "worker.lock"):
        assert worker.run_worker(tiny_settings) == 0
    assert jobs.get_job(tiny_store, job_id)["state"] == "queued"


def test_damaged_parent_fails_the_job_with_the_reason(tiny_settings, tiny_store, enqueue):
    job_id = enqueue()
    (folder_of(tiny_settings, tiny_store, live_version(tiny_store, "nli")) / CARD).write_text("{")
    assert worker.run_worker(tiny_settings) == 1
    job = jobs.get_job(tiny_store, job_id)
    assert job["state"] == "failed"
    assert "is damaged" in job["error"]
    assert "Traceback" in job["error"]
    assert list_versions(tiny_store, "nli")[0]["id"] == job["parent_id"]


def test_failed_training_keeps_its_traceback_and_nothing_half_written(
    tiny_settings, tiny_store, enqueue, tmp_path, tiny_checkpoint
):
    """The weights are whole when the job is queued and gone when the child looks for them."""
    base = tmp_path / "base"
    base.mkdir()
    for path in tiny_checkpoint.iterdir():
        (base / path.name).write_bytes(path.read_bytes())
    promote_version(tiny_store, register_pretrained(tiny_settings, tiny_store, "nli", str(base)), by="ann")
    (base / "model.safetensors").write_bytes(b"")
    job_id = enqueue()
    worker.run_worker(tiny_settings)
    job = jobs.get_job(tiny_store, job_id)
    assert job["state"] == "failed"
    assert "cannot be loaded" in job["error"]
    assert "Traceback" in job["error"]
    assert not (tiny_settings.versions / "nli" / "nli-v1").exists()
    assert job["version_id"] is None


def test_full_disk_fails_the_job_with_the_reason(tiny_settings, tiny_store, enqueue, monkeypatch):
    monkeypatch.setattr(job_folder, "MIN_FREE_BYTES", 2**62)
    job_id = enqueue()
    worker.run_worker(tiny_settings)
    assert "MiB of free disk" in jobs.get_job(tiny_store, job_id)["error"]


def test_job_after_a_failed_one_is_run(tiny_settings, tiny_store, enqueue, monkeypatch):
    first, second = enqueue(), enqueue()
    ended = []
    monkeypatch.setattr(worker, "_run", lambda settings, db, job, *_: ended.append(job["id"]) or 1 / 0)
    assert worker.run_worker(tiny_settings) == 2
    assert ended == [first, second]


def test_cancel_kills_the_training_and_leaves_nothing(tiny_settings, tiny_store, enqueue):
    job_id = enqueue(ENDLESS)
    thread = threading.Thread(target=worker.run_worker, args=[tiny_settings])
    thread.start()
    child = child_of(tiny_settings, job_id)
    until(lambda: jobs.get_job(tiny_store, job_id)["progress"])
    assert jobs.cancel(tiny_store, job_id) == "cancelling"
    thread.join(DEADLINE_S)
    job = jobs.get_job(tiny_store, job_id)
    assert (job["state"], job["version_id"]) == ("cancelled", None)
    assert gone(child)
    assert not (tiny_settings.jobs / job_id).exists()
    assert not (tiny_settings.versions / "nli" / "nli-v1").exists()


def test_orphaned_job_is_taken_up_again(tiny_settings, tiny_store, enqueue, monkeypatch):
    job_id = enqueue()
    jobs.claim(tiny_store)  # by a worker that died before it did anything
    taken = []
    monkeypatch.setattr(worker, "run_job", lambda settings, db, job, *_: taken.append(job["id"]))
    assert worker.run_worker(tiny_settings) == 1
    assert taken == [job_id]


def test_training_of_a_cancelled_orphan_is_stopped(tiny_settings, tiny_store, enqueue):
    job_id = enqueue()
    jobs.claim(tiny_store)
    jobs.cancel(tiny_store, job_id)
    child = psutil.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    folder = tiny_settings.jobs / job_id
    folder.mkdir(parents=True)
    mark = {"pid": child.pid, "created": child.create_time()}
    (folder / "child.json").write_text(json.dumps(mark))
    worker.run_worker(tiny_settings)
    assert gone(child)
    assert jobs.get_job(tiny_store, job_id)["state"] == "cancelled"
    assert not folder.exists()


def test_killed_workers_job_is_finished_by_the_next(tiny_settings, tiny_store, enqueue):
    job_id = enqueue()
    first = start_worker(tiny_settings)
    child = child_of(tiny_settings, job_id)
    until(lambda: job_folder.is_prepared(tiny_settings.jobs / job_id))
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    assert jobs.get_job(tiny_store, job_id)["state"] == "running"
    assert worker.run_worker(tiny_settings) == 1
    job = jobs.get_job(tiny_store, job_id)
    assert (job["state"], job["version_id"]) == ("done", "nli-v1")
    mark = json.loads((tiny_settings.jobs / job_id / "child.json").read_text())
    assert mark["pid"] == child.pid  # the same training, not a second one


def test_child_of_a_worker_that_died_while_it_wrote_the_job_is_ended(tiny_settings, tiny_store, enqueue):
    job_id = enqueue()
    folder = tiny_settings.jobs / job_id
    folder.mkdir(parents=True)
    waiting = subprocess.Popen(["sleep", "600"])
    process = psutil.Process(waiting.pid)
    mark = {"pid": waiting.pid, "created": process.create_time()}
    (folder / "child.json").write_text(json.dumps(mark))
    assert worker.run_worker(tiny_settings) == 1
    assert jobs.get_job(tiny_store, job_id)["state"] == "done"
    assert gone(process)


def test_child_waits_for_its_job(tmp_path):
    """It ends without one, and is ended where writing it fails."""
    seen = []

    def write_job():
        seen.append(training_process.adopt(tmp_path))
        time.sleep(0.2)
        assert training_process.runs(seen[0])

    process = training_process.spawn(tmp_path, ["models.training", str(tmp_path), "cpu"], None, write_job)
    assert process.blindspot_popen.wait(DEADLINE_S) == training_process.STOPPED
    assert process.pid == seen[0].pid
    assert "Expected job.json" in training_process.tail(tmp_path)
    assert training_process.failure(tmp_path) is None

    def fail():
        seen.append(training_process.adopt(tmp_path))
        raise ValueError("no space")

    with pytest.raises(ValueError, match="no space"):
        training_process.spawn(tmp_path, ["models.training", str(tmp_path), "cpu"], None, fail)
    assert gone(seen[1])


def test_training_takes_the_kernels_and_waits_that_suit_it_and_not_the_apps(tmp_path, monkeypatch):
    own = {**training_process.KERNELS, "GOMP_SPINCOUNT": training_process.TRAINING_SPINS}
    for name in own:
        monkeypatch.setenv(name, "48")
    process = training_process.spawn(tmp_path, ["models.training", str(tmp_path), "cpu"])
    environment = process.environ()
    assert {name: environment[name] for name in own} == own
    assert process.blindspot_popen.wait(DEADLINE_S) == training_process.STOPPED


def test_ensured_worker_is_in_a_session_of_its_own(tiny_settings):
    """So that neither the terminal's Ctrl+C nor the end of the app takes it along."""
    process = worker.ensure_worker(tiny_settings)
    assert os.getsid(process.pid) != os.getsid(0)
    assert process.wait(DEADLINE_S) == 0
