"""What guidance alone repairs: `python -m benchmarks.guidance --task nli`.

The task's starter, an encoder, and the tiny language model (`benchmarks.tiny_lm`, or `--model` for another) answer
each behavioural suite without and with the library's guidance for its category, on the same rows. Neither was made to
follow instructions; the table says what that comes to. `docs/guidance.md` holds one.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.machine import describe_machine
from benchmarks.tiny_lm import train_tiny
from data.store import open_store
from data.suites import load_suites
from data.tasks import get_task
from models.folders import STARTERS
from models.predictor import Predictor
from models.registry import folder_of, register_pretrained
from models.suites import guidance_verdict, run_guided
from settings import Settings


def main(
    task: str = "nli",
    kind: Annotated[str, typer.Option(help="question, goal, constraint or examples")] = "question",
    rows: int = 50,
    model: Annotated[str | None, typer.Option(help="a causal language model: a folder or a Hub name")] = None,
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(workspace=Path(folder) / "workspace")
        db = open_store(settings.store)
        source = model or str(train_tiny(Path(folder) / "lm"))
        language_model = register_pretrained(settings, db, get_task(task).name, source)
        predictors = [Predictor.load(STARTERS / task), Predictor.load(folder_of(settings, db, language_model))]
        db.close()
    print(f"{describe_machine()}\nGuidance {kind}; at most {rows} rows of each suite\n")
    print("| category | capability | encoder fails | with guidance | | language model fails | with guidance | |")
    print("| --- | --- | ---: | ---: | --- | ---: | ---: | --- |")
    totals = [[0, 0, 0] for _ in predictors]
    for suite in sorted(load_suites(task), key=lambda suite: (suite.category, suite.name)):
        cells = []
        for total, predictor in zip(totals, predictors, strict=True):
            found = run_guided(predictor, suite, kind, rows)
            for i, name in enumerate(("rows", "failed", "failed_guided")):
                total[i] += found[name]
            cells += [_share(found["failed"], found["rows"]), _share(found["failed_guided"], found["rows"])]
            cells.append(guidance_verdict(found))
        print(f"| {suite.category} | {suite.name.replace('_', ' ')} | {' | '.join(cells)} |", flush=True)
    sums = " | ".join(f"{_share(failed, n)} | {_share(guided, n)} | " for n, failed, guided in totals)
    print(f"| all | {totals[0][0]} rows | {sums}|")


def _share(count: int, rows: int) -> str:
    return f"{100 * count / rows:.0f} %"


if __name__ == "__main__":
    typer.run(main)
