"""Runs the queued jobs, one a device, then ends: `python -m models.worker --workspace DIR`.

It is a process of its own, so that a job outlives the page, the browser and the app. One worker at a time
holds the workspace's lock, which the system takes back when it dies however the clock is set; another one that is
started waits a moment for it and leaves. Training runs in a child process; if the worker dies, the child goes on and
the next worker takes it over. On SIGTERM running jobs leave a checkpoint and are `interrupted`.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import shutil
import signal
import subprocess
import threading
import time
import traceback
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import psutil
from filelock import FileLock, Timeout
from sqlite_utils import Database

from data import jobs, logs
from data.logs import set_up_logs
from data.store import open_store
from data.tasks import get_task
from data.versions import get_version
from models import child as training_process
from models.executor import jobs_at_once, training_command
from models.folders import read_card
from models.job_folder import is_prepared, prepare, prune, selections, trained_hashes
from models.recipe import Recipe
from models.registry import version_folder
from settings import Settings, read_settings

POLL_S = 0.2
LOCK_WAIT_S = 5.0
STOP_LIMIT_S = 60.0
"""How long a training may take to its next checkpoint when it is asked to stop."""
ATTEMPTS = 3
"""How often the training of a job is started before its end by a signal counts as the job's failure."""

log = logging.getLogger("blindspot.worker")


class Cancelled(Exception):
    """A person asked the job to stop."""


class Stopped(Exception):
    """The worker is asked to end; the job goes on later."""


def ensure_worker(settings: Settings) -> subprocess.Popen[bytes]:
    """Starts a worker that outlives this process; it leaves at once if another one works already."""
    settings.workspace.mkdir(parents=True, exist_ok=True)
    options = ["--workspace", str(settings.workspace), "--device", settings.device, "--executor", settings.executor]
    options += ["--ray-address", settings.ray_address, "--train-workers", str(settings.train_workers)]
    return training_process.start_module(["models.worker", *options], settings.workspace / "worker.log")


def worker_lives(settings: Settings) -> bool:
    """Whether a worker holds the workspace's lock."""
    lock = FileLock(settings.workspace / "worker.lock")
    try:
        with lock.acquire(timeout=0):
            return False
    except Timeout:
        return True


def watch(settings: Settings, connect: Callable[[], Database], every_s: float = 3.0) -> threading.Event:
    """Starts a worker whenever jobs wait and none lives, until the returned event is set."""
    stop = threading.Event()

    def loop() -> None:
        started: subprocess.Popen[bytes] | None = None
        while not stop.wait(every_s):
            try:
                starting = started is not None and started.poll() is None
                waits = not starting and bool(jobs.list_jobs(connect(), states=jobs.ACTIVE, limit=1))
                if waits and not worker_lives(settings):
                    log.warning("jobs wait and no worker lives; starting one")
                    started = ensure_worker(settings)
            except Exception:
                log.exception("looking after the worker failed")

    threading.Thread(target=loop, name="watch-worker", daemon=True).start()
    return stop


def stop_worker(settings: Settings, wait_s: float = 60.0) -> None:
    """Asks the worker, if one lives, to leave its jobs at a checkpoint, and waits for it."""
    try:
        pid = json.loads((settings.workspace / "worker.json").read_text(encoding="utf-8"))["pid"]
        if worker_lives(settings):
            process = psutil.Process(pid)
            process.terminate()
            process.wait(wait_s)
    except (OSError, ValueError, KeyError, psutil.Error) as error:
        log.warning("the worker was not stopped: %s", error)


def run_worker(settings: Settings, stop: threading.Event | None = None) -> int:
    """Works until the queue is empty or `stop` is set; returns how many jobs it ended (0 where another is at it)."""
    stop = stop or threading.Event()
    settings.workspace.mkdir(parents=True, exist_ok=True)
    lock = FileLock(settings.workspace / "worker.lock")
    try:
        lock.acquire(timeout=LOCK_WAIT_S)
    except Timeout:
        log.info("another worker is at it")
        return 0
    with lock:
        (settings.workspace / "worker.json").write_text(json.dumps({"pid": os.getpid()}), encoding="utf-8")
        db = open_store(settings.store)
        for job in jobs.list_jobs(db, states=("cancelling",)):
            child = training_process.adopt(settings.jobs / job["id"])
            if child is not None:
                training_process.kill(child)
            shutil.rmtree(settings.jobs / job["id"], ignore_errors=True)
        for job_id in jobs.requeue_orphans(db):
            log.info("taking %s up again", job_id)
        for job_id in prune(settings, db):
            log.info("removed the folder of %s, which ended long ago", job_id)
        db.close()
        places = jobs_at_once(settings, visible_gpus(settings.device))
        with ThreadPoolExecutor(len(places)) as pool:
            return sum(pool.map(lambda gpu: work_off(settings, stop, gpu), places))


def visible_gpus(device: str) -> list[str]:
    """The GPUs that jobs may take, each by the name that CUDA_VISIBLE_DEVICES knows; none for a CPU."""
    if device == "cpu":
        return []
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [name for name in named.split(",") if name.strip()]
    try:
        listed = subprocess.run(
            ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"],  # noqa: S607  (as the PATH has it)
            capture_output=True,
            text=True,
            timeout=20,
        )
    except (OSError, subprocess.SubprocessError):
        return []
    return listed.stdout.split() if listed.returncode == 0 else []


def work_off(settings: Settings, stop: threading.Event, gpu: str | None) -> int:
    """Runs one waiting job after the other on one device; returns how many it ended."""
    db, ended = open_store(settings.store), 0
    while not stop.is_set() and (job := jobs.claim(db)) is not None:
        logs.job_id.set(job["id"])
        run_job(settings, db, job, stop, gpu)
        ended += 1
    db.close()
    return ended


def run_job(
    settings: Settings,
    db: Database,
    job: dict[str, Any],
    stop: threading.Event | None = None,
    gpu: str | None = None,
) -> None:
    """Trains, evaluates and records one claimed job; whatever happens, its state in the store says so."""
    log.info("job %s: start", job["id"])
    folder = settings.jobs / job["id"]
    try:
        report = _run(settings, db, job, folder, stop or threading.Event(), gpu)
        log.info("job %s: done in %.1f s", job["id"], report["seconds"])
    except Cancelled:
        jobs.end(db, job["id"], "cancelled")
        shutil.rmtree(folder, ignore_errors=True)
        log.info("job %s: cancelled", job["id"])
    except Stopped:
        jobs.end(db, job["id"], "interrupted")
        log.info("job %s: interrupted; it goes on when a worker is started", job["id"])
    except Exception as error:
        log.exception("job %s: failed", job["id"])
        message = str(error) or type(error).__name__
        jobs.end(db, job["id"], "failed", f"{message}\n\n{traceback.format_exc()}")


def _run(
    settings: Settings, db: Database, job: dict[str, Any], folder: Path, stop: threading.Event, gpu: str | None
) -> dict[str, Any]:
    started = time.monotonic()
    version_id = jobs.planned_version_id(job["id"])
    target, command = settings.versions / job["task"] / version_id, training_command(settings, folder)
    parent_folder = version_folder(settings, get_version(db, job["parent_id"]))
    task = get_task(job["task"])
    finished = (target / "version.json").exists()
    child = None if finished else training_process.adopt(folder)
    if child is not None and not is_prepared(folder):  # the worker before died while it wrote the job
        training_process.kill(child)
        child = None
    if not finished and child is None and not (folder / "version").is_dir():
        if is_prepared(folder):  # a dead run's checkpoints are of use
            child = training_process.spawn(folder, command, gpu)
        else:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            write_job = partial(prepare, settings, db, job, folder, parent_folder)
            child = training_process.spawn(folder, command, gpu, write_job)
    import sklearn.metrics  # noqa: F401  the report needs it, and while the child starts there is time

    from models.report import evaluation_sets, gate_reasons, make_splits, reading  # with torch: after the start

    trained = trained_hashes(folder, task)
    sets, counts = evaluation_sets(task, *selections(db, job), trained, Recipe.from_dict(job["recipe"]).seed)
    pool = ThreadPoolExecutor(1)
    try:
        before = pool.submit(score, parent_folder, sets, settings.precision)
        if child is not None:
            _train(db, job["id"], folder, child, stop, lambda: training_process.spawn(folder, command, gpu))
        _check(db, job["id"], stop)
        made = target if finished else folder / "version"
        parent_scores = _result(db, job["id"], stop, before)
        child_scores = _result(db, job["id"], stop, pool.submit(score, made, sets, settings.precision))
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # who cancels does not wait for a score

    card = read_card(made)
    splits = make_splits(task, sets, parent_scores, child_scores)
    report = {
        "parent": job["parent_id"],
        "version": card["id"],
        "training": card["training"],
        "splits": splits,
        "counts": counts,
        "reading": reading(splits),
        "gate": gate_reasons(splits, **settings.budgets),
        "seconds": round(time.monotonic() - started, 1),
    }
    if made != target:
        from models.card import write_card

        card["metrics"] = {name: split["child"] for name, split in report["splits"].items()}
        write_card(made, card)
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(made, target)
    evaluations = [
        (owner, name, split[side]["rows"], split[side])
        for name, split in report["splits"].items()
        for owner, side in ((job["parent_id"], "parent"), (version_id, "child"))
    ]
    jobs.finish(db, job["id"], card, f"versions/{job['task']}/{version_id}", evaluations, report)
    for leftover in ("checkpoints", "encoder", "parent"):
        shutil.rmtree(folder / leftover, ignore_errors=True)
    add_dial(settings, db, job["id"], report, (parent_folder, target), sets, (parent_scores, child_scores))
    return report


def add_dial(
    settings: Settings,
    db: Database,
    job_id: str,
    report: dict[str, Any],
    ends: tuple[Path, Path],
    sets: dict[str, list[dict[str, Any]]],
    scores: tuple[dict[str, list[Any]], dict[str, list[Any]]],
) -> None:
    """Adds to the report of a job that is done how the version does at lower strengths; best effort."""
    from models.dial import best_alpha, score_dial

    try:
        points = score_dial(*ends, sets, *scores)
        counts = {name: len(rows) for name, rows in sets.items()}
        best = best_alpha(points, counts, **settings.budgets)
        jobs.set_report(db, job_id, {**report, "dial": {"points": points, "best": best}})
    except Exception:
        log.exception("job %s: the strength dial failed", job_id)


def score(version: Path, sets: dict[str, list[dict[str, Any]]], precision: str = "auto") -> dict[str, list[Any]]:
    """The version's predictions on every set, computed on the CPU in the number format that the app answers in."""
    from models.device import choose_device
    from models.engine import Engine
    from models.predictor import Predictor

    engine = Engine(Predictor.load(version, choose_device("cpu")), threads=1, precision=precision)
    if not engine.is_settled:
        engine.settle()
    predictor = engine.replicas[0]
    return {name: predictor.predict([row["example"] for row in rows]) for name, rows in sets.items()}


def _train(
    db: Database,
    job_id: str,
    folder: Path,
    child: psutil.Process,
    stop: threading.Event,
    start_again: Callable[[], psutil.Process],
) -> None:
    """Until the folder has a version. A training that was killed from outside goes on from its last checkpoint.

    Raises Cancelled, Stopped, and RuntimeError with the training's own words.
    """
    for attempt in range(1, ATTEMPTS + 1):
        _wait(db, job_id, folder, child, stop)
        if (folder / "version").is_dir():
            return
        said, last = training_process.failure(folder), training_process.tail(folder)
        if said is not None:
            raise RuntimeError(f"{said}\n\nThe training's last lines:\n{last}")
        if attempt < ATTEMPTS:
            log.warning("job %s: its training was cut off; attempt %d", job_id, attempt + 1)
            child = start_again()
    raise RuntimeError(
        f"Training was cut off {ATTEMPTS} times without an error of its own, as it is where the machine runs out of "
        f"memory. Close other programs or lower the batch size, and retrain. Its last lines:\n{last}"
    )


def _wait(db: Database, job_id: str, folder: Path, child: psutil.Process, stop: threading.Event) -> None:
    """Until the child ends, copies its progress into the store. Raises Cancelled or Stopped, the child being gone."""
    sent = None
    while training_process.runs(child):
        progress = training_process.read_progress(folder)
        phase = "training" if progress else "loading"
        state = jobs.heartbeat(db, job_id, phase, progress if progress != sent else None)
        sent = progress
        if state == "cancelling":
            training_process.kill(child)
            raise Cancelled
        if stop.is_set():
            training_process.ask_to_stop(child)
            limit = time.monotonic() + STOP_LIMIT_S
            while training_process.runs(child) and time.monotonic() < limit:
                time.sleep(POLL_S)
            training_process.kill(child)
            raise Stopped
        time.sleep(POLL_S)
    jobs.heartbeat(db, job_id, "evaluating", training_process.read_progress(folder))


def _result(db: Database, job_id: str, stop: threading.Event, future: Future) -> Any:
    """The future's result; while it is computed the job can be cancelled."""
    while not future.done():
        _check(db, job_id, stop)
        time.sleep(POLL_S)
    return future.result()


def _check(db: Database, job_id: str, stop: threading.Event) -> None:
    if jobs.heartbeat(db, job_id, "evaluating") == "cancelling":
        raise Cancelled
    if stop.is_set():
        raise Stopped


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workspace", type=Path)
    parser.add_argument("--device")
    parser.add_argument("--executor")
    parser.add_argument("--ray-address")
    parser.add_argument("--train-workers", type=int)
    settings = read_settings(**vars(parser.parse_args()))
    set_up_logs(settings.log_format)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    run_worker(settings, stop)


if __name__ == "__main__":
    main()
