"""Small edits that flip an answer: `python -m benchmarks.counterfactuals` says how long they take, and shows some.

Times are for inputs of about 20 words, the median of five rounds. The sample is drawn over all tasks and rules but
slips of the finger, which are meant to be wrong; `docs/counterfactuals.md` holds one, judged.
"""

from __future__ import annotations

import random
import statistics
import time
from typing import Annotated

import typer

from benchmarks.machine import describe_machine
from components.highlight import one_line
from data.seed import seed_rows
from data.tasks import TASKS
from models.counterfactuals import SLIP, counterfactuals, neighbours, suggest_edits
from models.folders import STARTERS
from models.predictor import Predictor

INPUTS = {
    "nli": {
        "premise": "The doctor who was not tired paid the lawyer two times because she liked the old house.",
        "hypothesis": "The lawyer paid the doctor.",
    },
    "sentiment": {
        "text": "I can't say that the three actors were bad, but the film was slow and Maria left before the end."
    },
    "commonsense": {
        "context": "Anna gave Paul five apples on Monday because his sister was ill.",
        "question": "Who has the apples now?",
        "choices": ["Anna", "Paul", "the teacher"],
    },
}
ROUNDS = 5


def main(count: Annotated[int, typer.Option(help="how many suggestions to print")] = 50) -> None:
    print(f"{describe_machine()}\n\n| task | edits tried | seconds |\n| --- | ---: | ---: |")
    sample: list[str] = []
    rng = random.Random(0)
    for name, task in TASKS.items():
        predictor = Predictor.load(STARTERS / name)
        example = task.parse_example(INPUTS[name])
        before, nearest = predictor.predict([example])[0], neighbours(predictor)
        seconds = []
        for _ in range(ROUNDS):
            start = time.perf_counter()
            counterfactuals(predictor, example, before)
            seconds.append(time.perf_counter() - start)
        tried = len(list(suggest_edits(task, example, nearest)))
        print(f"| {name} | {tried} | {statistics.median(seconds):.2f} |")
        rows = seed_rows(task, "gallery") + seed_rows(task, "validation")
        drawn: list[str] = []
        for row in rng.sample(rows, len(rows)):
            edits = [e for e in suggest_edits(task, row["example"], nearest) if e.rule != SLIP]
            if edits and len(drawn) < -(-count // len(TASKS)):
                edit = rng.choice(edits)
                drawn.append(f"{edit.rule}: {one_line(task, edit.example, 400)}")
        sample += drawn
    print("\n" + "\n".join(f"{i}. {text}" for i, text in enumerate(sample[:count], 1)))


if __name__ == "__main__":
    typer.run(main)
