"""How fast a probe is answered, beside `gr.Interface` round a `transformers.pipeline` with the same weights.

`python -m benchmarks.probe` prints: probes/s and waiting times at 1 to 128 clients, the model alone, the app's own
share of a probe, its start, its memory; with `--users 100` also a hundred people who probe, flag and browse while a
run trains. Both apps are up throughout and are asked in turn.
"""

from __future__ import annotations

import asyncio
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import httpx
import psutil
import torch
import typer

from benchmarks.load import Load, measure, median_load, quantile, queued, routed
from benchmarks.machine import describe_machine
from data.seed import KINDS, seed_rows
from data.store import open_store
from data.suites.expand import expand
from data.suites.load import load_suites
from data.tasks import get_task
from models.batching import Batcher
from models.device import choose_device, usable_cores
from models.engine import Engine
from models.export import export_model
from models.folders import STARTERS
from models.predictor import Predictor
from settings import PROJECT

TASK = get_task("nli")
CLIENTS = (1, 8, 32, 128)
COMPARED = 2000
START_LIMIT_S = 300


def main(
    rounds: Annotated[int, typer.Option(help="of each measurement; the median is shown")] = 5,
    seconds: Annotated[float, typer.Option(help="of each round of load")] = 4.0,
    events: Annotated[int, typer.Option(help="after which the app's own share is measured again")] = 0,
    users: Annotated[int, typer.Option(help="who probe, flag and browse for a minute")] = 0,
    port: Annotated[int, typer.Option(help="the app's; the other app takes the next")] = 7990,
) -> None:
    print(describe_machine())
    rows = questions()
    with tempfile.TemporaryDirectory() as folder:
        plain = export_model(STARTERS / TASK.name, Path(folder) / "plain")
        model_alone(plain, rows, rounds)
        workspace = Path(folder) / "workspace"
        with running(["app.py", "--port", str(port), "--workspace", str(workspace)], port) as (app, started):
            url = f"http://127.0.0.1:{port}/"
            first = until_answered(url, rows[0], started)
            print(f"\nStart, warm disk: first answered probe after {first:.1f} s")
            with running(["-m", "benchmarks.peer", str(plain), str(port + 1)], port + 1):
                peer = f"http://127.0.0.1:{port + 1}/"
                clients_table(url, peer, rows, rounds, seconds)
                overhead_table(url, peer, rows, rounds, seconds, events)
            resident = psutil.Process(app.pid).memory_info().rss
            print(f"\nMemory of the app with three starters: {resident / 2**20:.0f} MiB resident")
            if users:
                crowd(url, workspace, rows, users)


def questions() -> list[dict[str, Any]]:
    """Different inference pairs, as many as the project has rows of its own."""
    rows = [row["example"] for kind in KINDS for row in seed_rows(TASK, kind)]
    for suite in load_suites(TASK.name):
        rows += [row["example"] for row in expand(suite, 60, 0, fewer=True)]
    unique = list({TASK.content_hash(row): row for row in rows}.values())
    random.Random(0).shuffle(unique)
    return unique


@contextmanager
def running(
    command: list[str], port: int, project: Path = PROJECT
) -> Iterator[tuple[subprocess.Popen[bytes], float]]:
    """The process and when it was started, once it shows its page."""
    started = time.perf_counter()
    environment = {**os.environ, "BLINDSPOT_QUEUE_LENGTH": str(2 * max(CLIENTS))}  # none is to be refused
    process = subprocess.Popen([sys.executable, *command], cwd=project, stderr=subprocess.DEVNULL, env=environment)
    try:
        limit = time.monotonic() + START_LIMIT_S
        while time.monotonic() < limit and process.poll() is None:
            try:
                httpx.get(f"http://127.0.0.1:{port}/", timeout=10)
                break
            except httpx.HTTPError:
                time.sleep(0.05)
        else:
            raise RuntimeError(f"{' '.join(command)} did not start")
        yield process, started
    finally:
        process.terminate()
        process.wait(30)


def until_answered(url: str, example: dict[str, Any], started: float) -> float:
    httpx.post(f"{url}api/predict", json={"task": TASK.name, "examples": [example]}, timeout=120).raise_for_status()
    return time.perf_counter() - started


def settled(predictor: Predictor, threads: int) -> Engine:
    """An engine that computes in the format that suits it."""
    engine = Engine(predictor, threads)
    if not engine.is_settled:
        engine.settle()
    return engine


def model_alone(plain: Path, rows: list[dict[str, Any]], rounds: int) -> None:
    from transformers import pipeline

    torch.set_num_threads(usable_cores())
    pipe = pipeline("text-classification", model=str(plain), top_k=None, device="cpu")
    predictor = Predictor.load(STARTERS / TASK.name, choose_device("auto"))
    threads = usable_cores() if predictor.device.type == "cpu" else 1
    engine = settled(predictor, threads)
    batcher = Batcher(threads, usable_cores())
    texts = [{"text": row["premise"], "text_pair": row["hypothesis"]} for row in rows[:COMPARED]]

    def ours(count: int) -> None:
        for answer in [batcher.submit(engine, row) for row in rows[:count]]:
            answer.result()

    print(f"\nThe model alone, {engine.precision}, milliseconds (median of {rounds} rounds, spread)")
    print(f"{'rows at once':>14} {'pipeline':>20} {'here':>20} {'times':>7}")
    for count, theirs in ((1, lambda: pipe(texts[0])), (32, lambda: pipe(texts[:32], batch_size=32))):
        theirs()
        pairs = [(timed(theirs), timed(lambda count=count: ours(count))) for _ in range(max(rounds, 5))]
        before, now = ([1000 * pair[side] for pair in pairs] for side in (0, 1))
        times = statistics.median(before) / statistics.median(now)
        print(f"{count:>14} {spread(before):>20} {spread(now):>20} {times:>7.1f}")
    if engine.precision != "fp32":
        asked = rows[:COMPARED]
        exact, said = predictor.predict(asked), [batcher.submit(engine, row).result() for row in asked]
        changed = sum(a.label != b.label for a, b in zip(exact, said, strict=True))
        pairs = zip(exact, said, strict=True)
        worst = max(abs(p - q) for a, b in pairs for p, q in zip(a.probabilities, b.probabilities, strict=True))
        print(f"Of {len(asked)} answers {changed} differ from float32; probabilities by at most {worst:.4f}")
    batcher.stop()


def clients_table(url: str, peer: str, rows: list[dict[str, Any]], rounds: int, seconds: float) -> None:
    ways = {
        "gr.Interface": queued(peer, "predict", lambda row: [row["premise"], row["hypothesis"]]),
        "Gradio endpoint": queued(url, "predict", lambda row: [TASK.name, row, ""]),
        "route": routed(url, TASK.name),
    }
    print(f"\nProbes/s / p50 / p95 in ms (medians of {rounds} rounds of {seconds:g} s, asked in turn)")
    print(f"{'clients':>8}" + "".join(f"{name:>26}" for name in ways) + f"{'route : Interface':>20}")
    for clients in CLIENTS:
        loads: dict[str, list[Load]] = {name: [] for name in ways}
        for _ in range(rounds):
            for name, ask in ways.items():
                loads[name].append(measure(ask, rows, clients, seconds))
        found = {name: median_load(some) for name, some in loads.items()}
        cells = "".join(f"{f'{one.rate:.0f} / {one.p50_ms:.0f} / {one.p95_ms:.0f}':>26}" for one in found.values())
        ratio = found["route"].rate / found["gr.Interface"].rate
        print(f"{clients:>8}{cells}{ratio:>19.1f}x", flush=True)


def overhead_table(url: str, peer: str, rows: list[dict[str, Any]], rounds: int, seconds: float, events: int) -> None:
    """The app's share of a probe: what is left of it when the model's time is taken off."""
    predictor = Predictor.load(STARTERS / TASK.name)
    engine, ways = settled(predictor, 1), {}
    ways["empty handler"] = queued(peer, "empty", lambda row: ["x"])
    ways["Gradio endpoint"] = queued(url, "predict", lambda row: [TASK.name, row, ""])
    ways["route"] = routed(url, TASK.name)
    alone = statistics.median(timed(lambda row=row: engine.answer(predictor.encode([row]))) for row in rows[:100])

    def show(title: str) -> None:
        cells = []
        for name, ask in ways.items():
            p50 = statistics.median(measure(ask, rows, 1, seconds).p50_ms for _ in range(rounds))
            cells.append(f"{name} {p50 - (0 if name == 'empty handler' else 1000 * alone):.1f}")
        print(f"{title}: " + ", ".join(cells))

    print(f"\nMilliseconds of a probe beside the model's {1000 * alone:.1f} (p50, 1 client)")
    show("at the start")
    if events:
        asked = 0
        while asked < events:
            asked += int(measure(ways["Gradio endpoint"], rows, 4, 10).rate * 10)
        show(f"after {asked} events")


def crowd(url: str, workspace: Path, rows: list[dict[str, Any]], users: int) -> None:
    """A minute of people who probe, flag and browse, with one run training."""
    probe, flags = (
        routed(url, TASK.name),
        queued(url, "flag", lambda row: [TASK.name, row, "neutral", "crowd", "", ""]),
    )
    browse = queued(url, "list_examples", lambda row: [TASK.name, "", "", 50, 0])
    taken: list[float] = []
    flagged: set[str] = set()
    errors: list[str] = []

    async def person(client: httpx.AsyncClient, number: int, end: float) -> None:
        rng = random.Random(number)
        while time.perf_counter() < end:
            row = rng.choice(rows)
            await asyncio.sleep(rng.expovariate(0.5))
            try:
                start = time.perf_counter()
                await probe(client, row)
                taken.append(time.perf_counter() - start)
                if rng.random() < 0.3:
                    await flags(client, row)
                    flagged.add(TASK.content_hash(row))
                if rng.random() < 0.2:
                    await browse(client, row)
            except (httpx.HTTPError, RuntimeError) as error:
                errors.append(repr(error))

    async def all_of_them() -> None:
        async with httpx.AsyncClient(timeout=60) as client:
            for row in rows[:40]:
                await flags(client, row)
            await queued(url, "retrain", lambda _: [TASK.name, "crowd", "quick"])(client, None)
            end = time.perf_counter() + 60
            await asyncio.gather(*(person(client, number, end) for number in range(users)))

    asyncio.run(all_of_them())
    db = open_store(workspace / "blindspot.db")
    kept = {row["content_hash"] for row in db["examples"].rows}
    p95_ms = 1000 * quantile(taken, 0.95)
    print(
        f"\n{users} people for a minute beside a run: {len(taken)} probes, p95 {p95_ms:.0f} ms; "
        f"{len(flagged)} inputs flagged, {len(flagged - kept)} lost; {len(errors)} errors {errors[:2]}"
    )


def timed(act: Callable[[], Any]) -> float:
    start = time.perf_counter()
    act()
    return time.perf_counter() - start


def spread(values: list[float]) -> str:
    return f"{statistics.median(values):.1f} ({min(values):.1f}-{max(values):.1f})"


if __name__ == "__main__":
    typer.run(main)
