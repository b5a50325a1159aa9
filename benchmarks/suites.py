"""How long all suites take on a starter, and how many it fails: `python -m benchmarks.suites`.

Every shipped suite is expanded to a hundred rows and answered, as the page's Run the suites does.
"""

from __future__ import annotations

import statistics
import time
from typing import Annotated

import typer

from benchmarks.machine import describe_machine
from data.suites import load_suites
from data.tasks import TASKS
from models.folders import STARTERS
from models.predictor import Predictor
from models.suites import run_suites

HALF = 0.5


def main(rounds: Annotated[int, typer.Option(help="Rounds a task", min=1)] = 3) -> None:
    print(describe_machine(), end="\n\n")
    print("| task | suites | rows | failed by half or more | seconds, median | least to most |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |", flush=True)
    for name in [name for name in TASKS if (STARTERS / name).is_dir()]:
        predictor, suites, seconds = Predictor.load(STARTERS / name), load_suites(name), []
        run_suites(predictor, suites[:1], rows=5)  # the first answers are slower
        for _ in range(rounds):
            started = time.perf_counter()
            results = run_suites(predictor, suites)
            seconds.append(time.perf_counter() - started)
        half = sum(result["rate"] >= HALF for result in results)
        print(
            f"| {name} | {len(suites)} | {sum(result['rows'] for result in results)} | {half} "
            f"| {statistics.median(seconds):.1f} | {min(seconds):.1f} to {max(seconds):.1f} |",
            flush=True,
        )


if __name__ == "__main__":
    typer.run(main)
