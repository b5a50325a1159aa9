"""The training process of a job: started, found again after its worker died, asked to stop, and what it said."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from settings import PROJECT

SPINS = "2000"
"""How long OpenMP's threads wait busily. With their default, training and another busy program on the same
cores slow each other down tenfold, since each waits for threads that the other keeps from running."""
TRAINING_SPINS = "10000"
"""With fewer a training alone on two cores takes a fifth longer."""
KERNELS = {"ONEDNN_PRIMITIVE_CACHE_CAPACITY": "1024", "LRU_CACHE_CAPACITY": "1024"}
"""How many kernels torch keeps by default; the app takes fewer for itself."""
JOB = "job.json"
"""Written last into a job folder."""
ERROR = "error.txt"
"""Written by a training that failed for a reason that trying again would not remove."""
STOPPED = 75
"""Exit status (EX_TEMPFAIL) of a training that was asked to stop and left a checkpoint."""


def start_module(
    module: list[str], log_file: Path, *, stdin: int = subprocess.DEVNULL, **environment: str
) -> subprocess.Popen[bytes]:
    """A module of the project as a process that outlives this one."""
    with log_file.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", *module],
            cwd=PROJECT,
            env={"GOMP_SPINCOUNT": SPINS, **os.environ, **KERNELS, **environment},
            stdin=stdin,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def spawn(
    folder: Path, command: list[str], gpu: str | None = None, write_job: Callable[[], None] = lambda: None
) -> psutil.Process:
    """The module with its arguments, which trains the job folder, on that GPU alone where one is named.

    While its libraries load, which takes seconds, `write_job` writes the folder; what that raises ends it.
    """
    (folder / ERROR).unlink(missing_ok=True)
    environment = {"GOMP_SPINCOUNT": TRAINING_SPINS} | ({} if gpu is None else {"CUDA_VISIBLE_DEVICES": gpu})
    child = start_module(command, folder / "train.log", stdin=subprocess.PIPE, **environment)
    process = psutil.Process(child.pid)
    process.blindspot_popen = child  # keeps the handle that reaps it
    mark = {"pid": child.pid, "created": process.create_time()}
    (folder / "child.json").write_text(json.dumps(mark), encoding="utf-8")
    try:
        write_job()
    except BaseException:
        kill(process)
        raise
    finally:
        child.stdin.close()  # what `await_job` waits for
    return process


def await_job(folder: Path) -> None:
    """In the child: until the job is written, which the end of its input tells, or the death of who writes it.

    Raises SystemExit where there is none.
    """
    if not (folder / JOB).exists() and not sys.stdin.isatty():
        sys.stdin.read()
    if not (folder / JOB).exists():
        print(f"Expected {JOB} in {folder}; found none. A worker writes it: start the app, or `cli.py retrain`.")
        sys.exit(STOPPED)


def adopt(folder: Path) -> psutil.Process | None:
    """The training that a dead worker left running, if it still runs."""
    try:
        mark = json.loads((folder / "child.json").read_text(encoding="utf-8"))
        process = psutil.Process(mark["pid"])
        if process.create_time() == mark["created"] and process.status() != psutil.STATUS_ZOMBIE:
            return process
    except (OSError, ValueError, KeyError, TypeError, psutil.Error):
        pass
    return None


def runs(child: psutil.Process) -> bool:
    popen = getattr(child, "blindspot_popen", None)
    if popen is not None:
        return popen.poll() is None
    return child.is_running() and child.status() != psutil.STATUS_ZOMBIE


def kill(child: psutil.Process) -> None:
    with contextlib.suppress(psutil.Error):
        for process in [*child.children(recursive=True), child]:
            with contextlib.suppress(psutil.Error):
                process.kill()
        child.wait(5)


def ask_to_stop(child: psutil.Process) -> None:
    """The child ends after its step, with a checkpoint."""
    with contextlib.suppress(psutil.Error):
        child.terminate()


def failure(folder: Path) -> str | None:
    """Why the training failed, in its own words; None where it was cut off instead."""
    try:
        return (folder / ERROR).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None


def read_progress(folder: Path) -> list[dict[str, Any]]:
    """The rows that the training wrote so far."""
    try:
        lines = (folder / "progress.jsonl").read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    rows: list[dict[str, Any]] = []
    for line in lines:
        with contextlib.suppress(json.JSONDecodeError):  # the last line may be half written
            row = json.loads(line)
            while rows and rows[-1]["step"] >= row["step"]:  # it went on from a checkpoint
                rows.pop()
            rows.append(row)
    return rows


def tail(folder: Path, lines: int = 25) -> str:
    """The last lines of the training's log."""
    try:
        return "\n".join((folder / "train.log").read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return "(no log)"
