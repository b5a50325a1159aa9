"""How good the shipped starters are: `python -m benchmarks.starter --data DIR [--task nli]`.

Prints the table of each model card from the shipped files and a folder of public data sets
(`<task>/<set>/<split>.jsonl.gz`), and beside them the project's own validation and retention sets.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmarks.machine import describe_machine
from data.tasks import TASKS, get_task
from models.device import choose_device
from models.folders import CARD, STARTERS
from models.predictor import Predictor
from models.starter.evaluation import above_chance, own_sets, score_sets, table_text


def main(
    data: Annotated[Path | None, typer.Option(help="folder of data sets; without it the own sets alone")] = None,
    task: Annotated[str | None, typer.Option(help="one task instead of all")] = None,
    limit: Annotated[int | None, typer.Option(help="rows scored of each split")] = None,
    device: Annotated[str, typer.Option()] = "auto",
) -> None:
    print(describe_machine())
    shipped = [one for one in TASKS.values() if (STARTERS / one.name / CARD).exists()]
    for chosen in [get_task(task)] if task else shipped:
        predictor = Predictor.load(STARTERS / chosen.name, choose_device(device))
        table = own_sets(predictor)
        if data is not None:
            table += score_sets(predictor, data, limit=limit)
        print(f"\n{chosen.name}, temperature {predictor.temperature:g}\n\n{table_text(table)}", flush=True)
        if data is not None and "chance" in table[0]:
            print(f"\nMean over the public sets: {above_chance(table):.1f} points above chance.")


if __name__ == "__main__":
    typer.run(main)
