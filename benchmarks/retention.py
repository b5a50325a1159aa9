"""Does the retention set see damage? `python -m benchmarks.retention --data DIR [--task nli]`.

A repair is judged by the project's own retention set, since a user has no public test set at hand. So it has to
fall where the public ones fall. Here the starter is damaged on purpose: naive fine-tunes on a few corrections, from
weak to strong. Printed are the drops on the retention set and on the recipe's main test sets, and their rank
correlation.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer
from scipy.stats import spearmanr

from benchmarks.machine import describe_machine
from benchmarks.repair import corrections_of, measure, repair
from data.seed import seed_rows
from data.suites import Suite, load_suites
from data.tasks import TASKS, Task, get_task
from models.device import choose_device
from models.folders import STARTERS
from models.predictor import Predictor
from models.recipe import Recipe
from models.starter.datasets import read_split, sample
from models.starter.train import RECIPES, read_plan

STRENGTHS = ((2e-5, 2), (3e-5, 5), (5e-5, 8), (1e-4, 10), (2e-4, 14))
"""Learning rate and epochs of the naive fine-tunes."""
STRENGTHS_OF_CHOICES = ((1e-4, 8), (2e-4, 14), (3e-4, 14), (5e-4, 14), (1e-3, 14))
"""The same where the answer is one of several choices: no label can be learnt by heart, so damage takes more."""
CORRECTIONS = 20


def general_sets(task: Task, data: Path, rows: int) -> dict[str, list[dict[str, Any]]]:
    """A sample of each of the task's main test sets, as rows with `example` and `label`."""
    names = read_plan(RECIPES / f"{task.name}.json")["main"]
    found = {name: sample(read_split(data, task, name, "test"), rows, 0) for name in names}
    return {name: [{"example": e, "label": y} for e, y in chosen] for name, chosen in found.items()}


def failed_suites(starter: Predictor, count: int) -> list[tuple[Suite, Any]]:
    """The first suites that the starter fails at least half of, with corrections from each."""
    found = []
    for suite in load_suites(starter.task.name):
        if all(template.label is not None for template in suite.templates):
            selection = corrections_of(suite, starter, CORRECTIONS, 0)
            if selection is not None:
                found.append((suite, selection))
        if len(found) == count:
            break
    return found


def damage(task: Task, data: Path, rows: int) -> list[dict[str, Any]]:
    """For each damaged version the points that it lost on the retention set and on the general test sets."""
    folder = STARTERS / task.name
    starter = Predictor.load(folder, choose_device("auto"))
    sets = {"retention": seed_rows(task, "retention"), **general_sets(task, data, rows)}
    before = measure(starter, sets)
    table = []
    for suite, selection in failed_suites(starter, 2):
        for rate, epochs in STRENGTHS_OF_CHOICES if task.head == "multiple_choice" else STRENGTHS:
            recipe = Recipe(method="full", data="corrections", learning_rate=rate, epochs=epochs)
            with tempfile.TemporaryDirectory() as work:
                child, _ = repair(folder, task, selection, recipe, Path(work) / "job")
                after = measure(Predictor.load(child), sets)
            lost = {name: before[name] - after[name] for name in sets}
            general = [points for name, points in lost.items() if name != "retention"]
            row = {
                "suite": suite.name,
                "rate": rate,
                "epochs": epochs,
                **lost,
                "general": sum(general) / len(general),
            }
            print(
                f"{suite.name:<22} lr {rate:g}, {epochs:>2} epochs: "
                + ", ".join(f"{name} -{points:.1f}" for name, points in lost.items()),
                flush=True,
            )
            table.append(row)
    return table


def main(
    data: Annotated[Path, typer.Option(help="folder with <task>/<set>/<split>.jsonl.gz")],
    task: Annotated[str | None, typer.Option(help="one task instead of all")] = None,
    rows: Annotated[int, typer.Option(help="rows of each test set")] = 1000,
) -> None:
    print(describe_machine())
    for chosen in [get_task(task)] if task else [one for name, one in TASKS.items() if (STARTERS / name).is_dir()]:
        table = damage(chosen, data, rows)
        found = spearmanr([row["retention"] for row in table], [row["general"] for row in table])
        print(f"{chosen.name}: rank correlation over {len(table)} damaged versions {found.statistic:.2f}\n")


if __name__ == "__main__":
    typer.run(main)
