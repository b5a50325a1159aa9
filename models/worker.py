"""Runs the queued jobs one after the other, then ends: `python -m models.worker --workspace DIR`.

It is a process of its own, so that a job outlives the page, the browser and the app. One worker at a time
holds the workspace's lock; another one that is started waits a moment for it and leaves. Training runs in a
child process; if the worker dies, the child goes on and the next worker takes it over.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import os
import shutil
import subprocess
import sys
import time
import traceback
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
from filelock import FileLock, Timeout
from sqlite_utils import Database

from data import jobs
from data.examples import Selection, select_examples
from data.store import open_store
from data.tasks import Task, get_task
from data.versions import get_version
from models.folders import read_card, write_rows
from models.recipe import Recipe
from models.registry import version_folder
from models.repair import stopping_rows, training_rows
from models.trust import settled, with_disputed
from settings import PROJECT, Settings, read_settings

POLL_S = 0.2
LOCK_WAIT_S = 5.0
MIN_FREE_BYTES = 300 * 2**20
SPINS = "2000"
"""How long OpenMP's threads wait busily. With their default, training and another busy program on the same
cores slow each other down tenfold, since each waits for threads that the other keeps from running."""

log = logging.getLogger("blindspot.worker")


class Cancelled(Exception):
    """A person asked the job to stop."""


def ensure_worker(settings: Settings) -> subprocess.Popen[bytes]:
    """Starts a worker that outlives this process; it leaves at once if another one works already."""
    settings.workspace.mkdir(parents=True, exist_ok=True)
    options = ["--workspace", str(settings.workspace), "--device", settings.device]
    return _start(["models.worker", *options], settings.workspace / "worker.log")


def _start(module: list[str], log_file: Path) -> subprocess.Popen[bytes]:
    """A module of the project as a process that outlives this one."""
    with log_file.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", *module],
            cwd=PROJECT,
            env={"GOMP_SPINCOUNT": SPINS, **os.environ},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def run_worker(settings: Settings) -> int:
    """Works until the queue is empty; returns how many jobs it ended (0 where another worker is at it)."""
    settings.workspace.mkdir(parents=True, exist_ok=True)
    lock = FileLock(settings.workspace / "worker.lock")
    try:
        lock.acquire(timeout=LOCK_WAIT_S)
    except Timeout:
        log.info("another worker is at it")
        return 0
    ended = 0
    with lock:
        db = open_store(settings.store)
        for job in jobs.list_jobs(db, states=("cancelling",)):
            child = _adopt(settings.jobs / job["id"])
            if child is not None:
                _kill(child)
            shutil.rmtree(settings.jobs / job["id"], ignore_errors=True)
        for job_id in jobs.requeue_orphans(db):
            log.info("taking %s up again", job_id)
        while (job := jobs.claim(db)) is not None:
            run_job(settings, db, job)
            ended += 1
        db.close()
    return ended


def run_job(settings: Settings, db: Database, job: dict[str, Any]) -> None:
    """Trains, evaluates and records one claimed job; whatever happens, the job ends in the store."""
    log.info("job %s: start", job["id"])
    folder = settings.jobs / job["id"]
    try:
        report = _run(settings, db, job, folder)
        log.info("job %s: done in %.1f s", job["id"], report["seconds"])
    except Cancelled:
        jobs.end(db, job["id"], "cancelled")
        shutil.rmtree(folder, ignore_errors=True)
        log.info("job %s: cancelled", job["id"])
    except Exception as error:
        log.exception("job %s: failed", job["id"])
        message = str(error) or type(error).__name__
        jobs.end(db, job["id"], "failed", f"{message}\n\n{traceback.format_exc()}")


def _run(settings: Settings, db: Database, job: dict[str, Any], folder: Path) -> dict[str, Any]:
    started = time.monotonic()
    version_id = jobs.planned_version_id(job["id"])
    target = settings.versions / job["task"] / version_id
    parent_folder = version_folder(settings, get_version(db, job["parent_id"]))
    task = get_task(job["task"])
    finished = (target / "version.json").exists()
    child = None if finished else _adopt(folder)
    if not finished and child is None and not (folder / "version").is_dir():
        if not (folder / "job.json").exists():  # written last; a dead run's checkpoints are of use
            prepare(settings, db, job, folder, parent_folder)
        child = _spawn(folder, settings.device)
    from models.report import evaluation_sets, gate_reasons, make_splits, reading  # with torch: after the start

    trained = trained_hashes(folder, task)
    sets, counts = evaluation_sets(task, *selections(db, job), trained, Recipe.from_dict(job["recipe"]).seed)
    pool = ThreadPoolExecutor(1)
    try:
        before = pool.submit(score, parent_folder, sets)
        if child is not None:
            _wait(db, job["id"], folder, child)
        if not finished and not (folder / "version").is_dir():
            raise RuntimeError(f"Training ended without a version. Its last lines:\n{_tail(folder / 'train.log')}")
        _check_cancel(db, job["id"], "evaluating")
        made = target if finished else folder / "version"
        parent_scores = _result(db, job["id"], before)
        child_scores = _result(db, job["id"], pool.submit(score, made, sets))
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


def selections(db: Database, job: dict[str, Any]) -> tuple[Selection, Selection]:
    """What the job may learn from, as it was frozen, and what is held out to measure with."""
    task = get_task(job["task"])
    return select_examples(db, task, "train", job["example_ids"], disputed=True), select_examples(
        db, task, "held_out"
    )


def trained_hashes(folder: Path, task: Task) -> set[str]:
    """The content hashes of the rows that the job trains on or stops by."""
    found: set[str] = set()
    for name in ("train.jsonl", "twins.jsonl"):
        if (folder / name).exists():
            with (folder / name).open(encoding="utf-8") as lines:
                found |= {task.content_hash(task.parse_example(json.loads(line))) for line in lines}
    return found


def prepare(settings: Settings, db: Database, job: dict[str, Any], folder: Path, parent_folder: Path) -> None:
    """Writes the job folder: all that `models.training` needs, here or on another machine."""
    from models.encoder import ENCODER, FILES, encoder_dir

    settings.jobs.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(settings.jobs).free
    if free < MIN_FREE_BYTES:
        raise RuntimeError(
            f"Expected {MIN_FREE_BYTES >> 20} MiB of free disk in {settings.workspace}; found {free >> 20} MiB. "
            "Free some space and retrain."
        )
    task = get_task(job["task"])
    recipe = Recipe.from_dict(job["recipe"])
    taught, held_out = selections(db, job)
    kept_out = {task.content_hash(row["example"]) for row in held_out.rows}
    rows = with_disputed(taught, training_rows(task, settled(taught), recipe, kept_out))
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    shutil.copytree(parent_folder, folder / "parent", copy_function=_link)
    card = read_card(folder / "parent")
    if card["base"] == ENCODER:
        source = encoder_dir()
        (folder / "encoder").mkdir()
        for name in FILES:
            _link(source / name, folder / "encoder" / name)
    write_rows(folder / "train.jsonl", rows)
    stop_by = stopping_rows(task, settled(taught), recipe, kept_out | {task.content_hash(row) for row in rows})
    if stop_by:
        write_rows(folder / "twins.jsonl", stop_by)
    description = {
        "task": job["task"],
        "version": jobs.planned_version_id(job["id"]),
        "parent": job["parent_id"],
        "recipe": recipe.to_dict(),
        "example_ids": job["example_ids"],
    }
    (folder / "job.json").write_text(json.dumps(description, indent=2) + "\n", encoding="utf-8")


def score(version: Path, sets: dict[str, list[dict[str, Any]]]) -> dict[str, list[Any]]:
    """The version's predictions on every set."""
    from models.device import choose_device
    from models.predictor import Predictor

    predictor = Predictor.load(version, choose_device("cpu"))
    return {name: predictor.predict([row["example"] for row in rows]) for name, rows in sets.items()}


def _spawn(folder: Path, device: str) -> psutil.Process:
    child = _start(["models.training", str(folder), device], folder / "train.log")
    process = psutil.Process(child.pid)
    process.blindspot_popen = child  # keeps the handle that reaps it
    mark = {"pid": child.pid, "created": process.create_time()}
    (folder / "child.json").write_text(json.dumps(mark), encoding="utf-8")
    return process


def _adopt(folder: Path) -> psutil.Process | None:
    """The training child that a dead worker left running, if it still runs."""
    try:
        mark = json.loads((folder / "child.json").read_text(encoding="utf-8"))
        process = psutil.Process(mark["pid"])
        if process.create_time() == mark["created"] and process.status() != psutil.STATUS_ZOMBIE:
            return process
    except (OSError, ValueError, KeyError, psutil.Error):
        pass
    return None


def _wait(db: Database, job_id: str, folder: Path, child: psutil.Process) -> None:
    """Until the child ends, copies its progress into the store; kills it where the job is cancelled."""
    sent = None
    while _runs(child):
        progress = _read_progress(folder / "progress.jsonl")
        state = jobs.heartbeat(
            db, job_id, "training" if progress else "loading", progress if progress != sent else None
        )
        sent = progress
        if state == "cancelling":
            _kill(child)
            raise Cancelled
        time.sleep(POLL_S)
    jobs.heartbeat(db, job_id, "evaluating", _read_progress(folder / "progress.jsonl"))


def _runs(child: psutil.Process) -> bool:
    popen = getattr(child, "blindspot_popen", None)
    if popen is not None:
        return popen.poll() is None
    return child.is_running() and child.status() != psutil.STATUS_ZOMBIE


def _kill(child: psutil.Process) -> None:
    with contextlib.suppress(psutil.Error):
        for process in [*child.children(recursive=True), child]:
            with contextlib.suppress(psutil.Error):
                process.kill()
        child.wait(5)


def _result(db: Database, job_id: str, future: Future) -> Any:
    """The future's result; while it is computed the job can be cancelled."""
    while not future.done():
        _check_cancel(db, job_id, "evaluating")
        time.sleep(POLL_S)
    return future.result()


def _check_cancel(db: Database, job_id: str, phase: str) -> None:
    if jobs.heartbeat(db, job_id, phase) == "cancelling":
        raise Cancelled


def _read_progress(path: Path) -> list[dict[str, Any]]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    rows = []
    for line in lines:
        with contextlib.suppress(json.JSONDecodeError):  # the last line may be half written
            rows.append(json.loads(line))
    return rows


def _tail(path: Path, lines: int = 25) -> str:
    try:
        return "\n".join(path.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return "(no log)"


def _link(source: Any, target: Any) -> None:
    """A hard link where the file system allows one: a job folder then costs no disk."""
    try:
        os.link(os.path.realpath(source), target)
    except OSError:
        shutil.copy2(source, target)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workspace", type=Path)
    parser.add_argument("--device")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    run_worker(read_settings(workspace=arguments.workspace, device=arguments.device))


if __name__ == "__main__":
    main()
