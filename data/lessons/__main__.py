"""Some rows of lesson files, to be read: `python -m data.lessons data/lessons/nli/causality.json [--seed N]`."""

from __future__ import annotations

import random
import sys
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from data.lessons import read_lessons
from data.suites.base import SuiteError


def main(
    paths: Annotated[list[Path], typer.Argument(help="lesson files")],
    seed: Annotated[int, typer.Option()] = 0,
    pairs: Annotated[int, typer.Option(help="pairs of each lesson")] = 2,
) -> None:
    try:
        lessons = [lesson for path in paths for lesson in read_lessons(path)]
    except SuiteError as error:
        sys.exit(f"error: {error}")
    for lesson in lessons:
        print(f"\n{lesson.suite.name}")
        for rows in islice(lesson.pairs(random.Random(seed)), pairs):
            for row in rows:
                label = lesson.suite.task.label_text(row["label"], row["example"])
                print(f"  {label:<14}", *row["example"].values(), sep=" | ")
    print(f"\n{len(lessons)} lessons, {sum(len(lesson.suite.templates) for lesson in lessons)} texts")


if __name__ == "__main__":
    typer.run(main)
