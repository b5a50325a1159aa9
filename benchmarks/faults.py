"""Kills app, worker and training with SIGKILL at random points, again and again, and counts what is lost.

`python -m benchmarks.faults --rounds 50`: the real app with its starters; people flag and probe through its endpoints
all the while, and one run after the other trains. What was acknowledged before a kill has to be in the store after
it, the app has to answer again, and every run has to end as done with a version that loads. A run whose training was
killed so often in a row that the worker gives it up is counted apart: it has to say so, and to name what to do.
"""

from __future__ import annotations

import contextlib
import json
import random
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import psutil
import typer

from benchmarks.machine import describe_machine
from data import jobs
from data.examples import flag_example, select_examples
from data.store import open_store
from data.tasks import get_task
from data.versions import live_version
from models.child import adopt
from models.predictor import Predictor
from models.recipe import Recipe
from models.registry import folder_of
from models.worker import ATTEMPTS, ensure_worker
from settings import PROJECT, Settings

TASK = get_task("nli")
RECIPE = Recipe(epochs=1, variants=60, retention_rows=60, min_steps=30)
LIMIT_S = 600
GIVEN_UP = f"cut off {ATTEMPTS} times"


def main(
    rounds: Annotated[int, typer.Option(help="kills")] = 50,
    seed: Annotated[int, typer.Option()] = 0,
    port: Annotated[int, typer.Option()] = 7994,
    most_s: Annotated[float, typer.Option(help="the longest wait before a kill")] = 12.0,
) -> None:
    print(describe_machine())
    rng, killed, lost, flagged, ended = random.Random(seed), Counter(), 0, [], Counter()
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(workspace=Path(folder) / "workspace")
        app = start_app(settings, port)
        db = open_store(settings.store)
        job_id = start_run(settings, db, rng)
        for number in range(1, rounds + 1):
            until = time.monotonic() + rng.uniform(0.1, most_s)
            while time.monotonic() < until:
                flagged.append(flag(port, rng))
                time.sleep(0.1)
            victim, process = rng.choice(victims(settings, app, job_id))
            kill(process)
            killed[victim] += 1
            if victim == "app":
                app.wait()
                app = start_app(settings, port)
            lost = sum(not db["verdicts"].count_where("id = ?", [verdict]) for verdict in flagged)
            ask(port, "predict", "nli", pair(rng), "")
            state = jobs.get_job(db, job_id)["state"]
            if state not in jobs.ACTIVE:
                ended[how_it_ended(settings, db, job_id, rng)] += 1
                job_id = start_run(settings, db, rng)
            print(f"round {number}: killed the {victim}; run {job_id} is {state}; {len(flagged)} flags", flush=True)
        wait_for(lambda: jobs.get_job(db, job_id)["state"] not in jobs.ACTIVE)
        ended[how_it_ended(settings, db, job_id, rng)] += 1
        app.terminate()
        app.wait(60)
    print(f"\n{rounds} kills: {dict(killed)}. Flags acknowledged {len(flagged)}, lost {lost}. Runs: {dict(ended)}.")
    if lost or not set(ended) <= {"done", "given up"}:
        sys.exit("something was lost")


def how_it_ended(settings: Settings, db: Any, job_id: str, rng: random.Random) -> str:
    """The state of an ended run, once the version of one that is done has answered; "given up" where it says so."""
    job = jobs.get_job(db, job_id)
    if job["state"] == "done":
        Predictor.load(folder_of(settings, db, job["version_id"])).predict([pair(rng)])
    return "given up" if job["state"] == "failed" and GIVEN_UP in (job["error"] or "") else job["state"]


def start_app(settings: Settings, port: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "app.py", "--port", str(port), "--workspace", str(settings.workspace)]
    process = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def answers() -> bool:
        try:
            return urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5).status == 200
        except OSError:
            return False

    wait_for(answers)
    return process


def start_run(settings: Settings, db: Any, rng: random.Random) -> str:
    for _ in range(8):
        flag_example(db, TASK, pair(rng), 1, annotator="ann")
    taught = [row["example_id"] for row in select_examples(db, TASK).rows][:20]
    job_id = jobs.enqueue(
        db,
        TASK.name,
        parent_id=live_version(db, TASK.name),
        preset="quick",
        recipe=RECIPE.to_dict(),
        example_ids=taught,
        requested_by="ann",
    )
    ensure_worker(settings)
    return job_id


def victims(settings: Settings, app: subprocess.Popen[bytes], job_id: str) -> list[tuple[str, psutil.Process]]:
    found = [("app", psutil.Process(app.pid))]
    try:
        worker = psutil.Process(json.loads((settings.workspace / "worker.json").read_text())["pid"])
        if worker.is_running() and "models.worker" in " ".join(worker.cmdline()):
            found += [("worker", worker)] * 2
    except (OSError, ValueError, psutil.Error):
        pass
    child = adopt(settings.jobs / job_id)
    return found + ([("training", child)] * 2 if child else [])


def kill(process: psutil.Process) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        process.kill()


def pair(rng: random.Random) -> dict[str, str]:
    number = rng.randrange(10**9)
    return {"premise": f"There are {number} boats in the harbour.", "hypothesis": "There is a boat."}


def flag(port: int, rng: random.Random) -> int:
    return ask(port, "flag", "nli", pair(rng), "entailment", "ann", "", "")["id"]


def ask(port: int, endpoint: str, *values: Any) -> Any:
    """Calls a Gradio endpoint and waits for its answer."""
    url = f"http://127.0.0.1:{port}/gradio_api/call/{endpoint}"
    request = urllib.request.Request(url, json.dumps({"data": values}).encode(), {"Content-Type": "application/json"})
    event = json.load(urllib.request.urlopen(request, timeout=60))["event_id"]
    lines = urllib.request.urlopen(f"{url}/{event}", timeout=120).read().decode().splitlines()
    if "event: complete" not in lines:
        raise RuntimeError(f"{endpoint} failed: {lines}")
    return json.loads(lines[lines.index("event: complete") + 1].removeprefix("data: "))[0]


def wait_for(condition: Any) -> None:
    limit = time.monotonic() + LIMIT_S
    while not condition():
        if time.monotonic() > limit:
            raise RuntimeError(f"waited {LIMIT_S} s in vain")
        time.sleep(0.2)


if __name__ == "__main__":
    typer.run(main)
