"""Which recipe makes the better starter: `python -m benchmarks.recipes --task nli --data DIR --try rank=8 ...`.

Each `--try` changes options of `models/starter/recipes/<task>.json` ("name=value,name=value"; `parent=nli` goes on
from a starter, `parent=none` from the bare encoder). All are trained on the same rows of the recipe's mixture (of its
first run, where it averages several) and measured on its main test splits, with as many seeds as asked for: a row for
each, then means and the spread.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks.machine import describe_machine
from data.tasks import Task, get_task
from models.evaluation import accuracy
from models.folders import ADAPTER, STARTERS, WEIGHTS
from models.predictor import Predictor
from models.recipe import Recipe, parse_options
from models.starter.card import runs_of
from models.starter.datasets import read_split, sample
from models.starter.train import RECIPES, mixture, read_plan, write_job
from models.training import train


def parse_trial(text: str) -> tuple[str | None, dict[str, Any]]:
    """ "rank=8,parent=nli" as the parent to go on from (None: the recipe's) and options. Raises ValueError."""
    parts = text.split(",")
    parents = [part.partition("=")[2] for part in parts if part.startswith("parent=")]
    return (parents or [None])[0], parse_options([part for part in parts if not part.startswith("parent=")])


def run_trial(
    task: Task, plan: dict[str, Any], trial: str, rows: list[Any], tests: dict[str, list[Any]], seed: int
) -> dict[str, Any]:
    """Trains one recipe and scores it: percent right on each test, mean, seconds, and MB of its weights."""
    parent, options = parse_trial(trial)
    parent = parent or plan.get("parent")
    recipe = Recipe.from_dict({**plan["recipe"], **options, "seed": seed, "data": "corrections"})
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work) / "job"
        write_job(folder, task, rows, recipe, "trial", None if parent in (None, "none") else STARTERS / parent)
        start = time.perf_counter()
        version = train(folder)
        seconds = time.perf_counter() - start
        weights = next(version / name for name in (ADAPTER, WEIGHTS) if (version / name).exists())
        size = weights.stat().st_size / 1e6
        predictor = Predictor.load(version)
    scores = {
        name: 100 * accuracy(predictor.predict([e for e, _ in chosen], batch_size=64), [y for _, y in chosen])
        for name, chosen in tests.items()
    }
    return {**scores, "mean": statistics.mean(scores.values()), "seconds": seconds, "MB": size}


def main(
    task: Annotated[str, typer.Option(help="nli, sentiment or commonsense")],
    data: Annotated[Path, typer.Option(help="folder with <task>/<set>/<split>.jsonl.gz")],
    trials: Annotated[list[str], typer.Option("--try", help="options to change: name=value,name=value")],
    rows: Annotated[int, typer.Option(help="training rows, of the recipe's mixture")] = 10000,
    tests: Annotated[int, typer.Option(help="rows of each test split")] = 1500,
    seeds: Annotated[int, typer.Option(help="how many")] = 1,
) -> None:
    chosen, whole = get_task(task), read_plan(RECIPES / f"{task}.json")
    plan = runs_of(whole)[0]
    mixed = mixture(chosen, plan, data, 0)[:rows]
    measured = {name: sample(read_split(data, chosen, name, "test"), tests, 0) for name in whole["main"]}
    names = [*measured, "mean", "seconds", "MB"]
    table: dict[str, list[dict[str, Any]]] = {}
    for trial in trials:
        for seed in range(seeds):
            result = run_trial(chosen, plan, trial, mixed, measured, seed)
            table.setdefault(trial, []).append(result)
            print(f"{trial}, seed {seed}: " + ", ".join(f"{n} {result[n]:.1f}" for n in names), flush=True)
    print(f"\n{describe_machine()}\n{len(mixed)} rows, {seeds} seeds\n")
    print("| recipe | " + " | ".join(names) + " |\n| --- |" + " ---: |" * len(names))
    for trial, results in table.items():
        cells = []
        for name in names:
            values = [result[name] for result in results]
            spread = f" ± {statistics.stdev(values):.1f}" if len(values) > 1 and name not in ("seconds", "MB") else ""
            cells.append(f"{statistics.mean(values):.1f}{spread}")
        print(f"| {trial} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    typer.run(main)
