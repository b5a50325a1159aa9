"""Does blame by gradients find the group that broke an example? `python -m benchmarks.blame`.

Corrections of four suites are trained on together. For each example that newly breaks, the truth is found by leaving
one group out at a time and training again: the culprit is the group without which the right label is most probable.
Printed is how often blame's first category is that group, beside chance and beside the group whose removal helps the
most broken examples (one culprit for all); and what each way takes.
"""

from __future__ import annotations

import collections
import statistics
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks.machine import describe_machine
from benchmarks.repair import repair
from data.examples import Selection
from data.seed import seed_rows
from data.suites import expand, load_suites
from data.tasks import get_task
from models.blame import blame, by_category
from models.folders import STARTERS
from models.predictor import Predictor
from models.recipe import Recipe
from models.repair import retention_split

RECIPE = Recipe(data="replay", retention_rows=60, epochs=6)
GROUP = 8
MOST_BROKEN = 24


def groups_of(task_name: str, starter: Predictor, seed: int) -> dict[str, list[dict[str, Any]]]:
    """Four suites with rows that the starter fails, each suite a category of its own."""
    found = {}
    for suite in load_suites(task_name):
        if len(found) < 4 and all(template.label is not None for template in suite.templates):
            rows = expand(suite, 4 * GROUP, seed, fewer=True)
            said = starter.predict([row["example"] for row in rows])
            wrong = [r for r, p in zip(rows, said, strict=True) if p.label != r["label"]][:GROUP]
            if len(wrong) == GROUP:
                found[suite.name] = [
                    {**r, "category": suite.name, "kind": "correction", "example_id": 0} for r in wrong
                ]
    return found


def run(task_name: str, seed: int) -> dict[str, float]:
    """Shares of broken examples whose culprit each way names, in percent, and seconds."""
    task, parent = get_task(task_name), STARTERS / task_name
    starter = Predictor.load(parent)
    groups = groups_of(task_name, starter, seed)
    kept = seed_rows(task, "validation") + retention_split(task)[1]
    for suite in load_suites(task_name):
        kept += expand(suite, 10, seed, kind="contrasts", fewer=True) if suite.contrasts else []
    with tempfile.TemporaryDirectory() as work:

        def train_without(left_out: str | None) -> list[float]:
            rows = [row for name, group in groups.items() if name != left_out for row in group]
            made, _ = repair(parent, task, Selection(rows=rows), RECIPE, Path(work) / str(left_out))
            said = Predictor.load(made).predict([row["example"] for row in kept], batch_size=64)
            labels.append([p.label for p in said])
            return [p.probabilities[row["label"]] for p, row in zip(said, kept, strict=True)]

        labels: list[list[int]] = []
        before = [p.label for p in starter.predict([row["example"] for row in kept], batch_size=64)]
        train_without(None)
        after = labels[0]
        broken = [i for i, row in enumerate(kept) if before[i] == row["label"] != after[i]][:MOST_BROKEN]
        start = time.perf_counter()
        without = {name: train_without(name) for name in groups}
        seconds_retrained = time.perf_counter() - start
    truth = {i: max(groups, key=lambda name: without[name][i]) for i in broken}
    start = time.perf_counter()
    taught = [row for group in groups.values() for row in group]
    named = {
        i: by_category(blame(parent, RECIPE, kept[i]["example"], kept[i]["label"], taught))[0][0] for i in broken
    }
    seconds_blamed = time.perf_counter() - start
    most = collections.Counter(truth.values()).most_common(1)[0][1] if truth else 0
    count = max(len(broken), 1)
    return {
        "broken": float(len(broken)),
        "gradients": 100 * sum(named[i] == truth[i] for i in broken) / count,
        "chance": 100 / max(len(groups), 1),
        "one for all": 100 * most / count,
        "retrain s": seconds_retrained,
        "gradients s": seconds_blamed,
    }


def main(
    task: Annotated[str, typer.Option()] = "nli", seeds: Annotated[int, typer.Option(help="how many")] = 3
) -> None:
    results = [run(task, seed) for seed in range(seeds)]
    names = list(results[0])
    print(f"{describe_machine()}\n{task}, {seeds} seeds\n\n| seed | " + " | ".join(names) + " |")
    print("| --- |" + " ---: |" * len(names))
    for seed, result in enumerate(results):
        print(f"| {seed} | " + " | ".join(f"{result[name]:.0f}" for name in names) + " |")
    print("| mean | " + " | ".join(f"{statistics.mean(r[name] for r in results):.0f}" for name in names) + " |")


if __name__ == "__main__":
    typer.run(main)
