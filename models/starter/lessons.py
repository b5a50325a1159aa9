"""Teaches a starter all of its task's lessons: `python -m models.starter.lessons --task nli`.

Rows are pairs of each lesson (`data.lessons`), and the retention half that is trained on, which keeps the starter's
answers; the recipe is the quick preset with more steps. What that moved the weights by goes to
`models/starter/primers/<task>.safetensors`, where a repair begins (`models.priming`). No other data are needed. An
interrupted run goes on from its last checkpoint when called again.
"""

from __future__ import annotations

import dataclasses
import random
import shutil
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer

from data.lessons import load_lessons
from data.tasks import Task, get_task
from models.folders import STARTERS, write_rows
from models.priming import PRIMERS, write_primer
from models.recipe import preset
from models.repair import retention_split
from models.starter.train import write_job
from models.training import train

PAIRS = 60
"""Of each lesson at most."""
STEPS = 3000


def lesson_rows(task: Task, pairs: int, seed: int) -> list[dict[str, Any]]:
    """Rows for `models.training`: so many pairs of each lesson, the two of a pair in one batch, and general rows."""
    rng = random.Random(seed)
    rows: list[dict[str, Any]] = []
    for lesson in load_lessons(task):
        for pair in islice(lesson.pairs(rng), pairs):
            number = len(rows)
            rows += [{**row["example"], "label": row["label"], "pair": number} for row in pair]
    rows += [{**row["example"], "label": row["label"], "distil": True} for row in retention_split(task)[0]]
    rng.shuffle(rows)
    return rows


def write_lessons_job(folder: Path, task: Task, pairs: int, steps: int, seed: int) -> None:
    """A job folder: the lessons' rows and a recipe of so many steps."""
    shutil.rmtree(folder, ignore_errors=True)
    recipe = dataclasses.replace(preset("quick", task), epochs=0.01, min_steps=steps, primed=0.0, seed=seed)
    write_job(folder, task, [], recipe, f"{task.name}-lessons", STARTERS / task.name)
    write_rows(folder / "train.jsonl", lesson_rows(task, pairs, seed))


def main(
    task: Annotated[str, typer.Option(help="nli, sentiment or commonsense")],
    work: Annotated[Path, typer.Option(help="where the job folder is kept")] = Path(".build/starter"),
    out: Annotated[Path | None, typer.Option(help="where the file goes")] = None,
    pairs: Annotated[int, typer.Option(help="of each lesson at most")] = PAIRS,
    steps: Annotated[int, typer.Option()] = STEPS,
    seed: Annotated[int, typer.Option()] = 0,
    device: Annotated[str, typer.Option()] = "auto",
) -> None:
    chosen, folder = get_task(task), work / f"{task}_lessons-seed{seed}"
    if not (folder / "train.jsonl").exists():
        write_lessons_job(folder, chosen, pairs, steps, seed)
    taught = folder / "version" if (folder / "version").exists() else train(folder, device)
    target = out or PRIMERS / f"{task}.safetensors"
    write_primer(STARTERS / task, taught, target)
    print(f"Wrote {target}")


if __name__ == "__main__":
    typer.run(main)
