"""A version's answers to the behavioural suites: how often it fails each capability."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from data.suites import Suite, expand, passes
from models.intervals import share_interval
from models.predictor import Predictor

ROWS = 100


def run_suite(
    predictor: Predictor, suite: Suite, rows: int = ROWS, seed: int = 0, kind: str = "templates"
) -> dict[str, Any]:
    """How often the version fails the suite, with its 95 % interval, and the failing rows.

    A row of `failures` is a row of the suite with what the version said: `answer` and `probability` of that.
    Raises ValueError where the suite's words do not give so many rows.
    """
    drawn = expand(suite, rows, seed, kind=kind)
    paired = [row for row in drawn if "second" in row]
    predictions = predictor.predict(
        [row["example"] for row in drawn] + [row["second"] for row in paired], batch_size=64
    )
    seconds = iter(predictions[len(drawn) :])
    failures = []
    for row, first in zip(drawn, predictions, strict=False):
        second = next(seconds).probabilities if "second" in row else None
        if not passes(row, first.probabilities, second):
            failures.append({**row, "answer": first.label, "probability": max(first.probabilities)})
    low, high = share_interval(len(failures), len(drawn))
    return {
        "suite": suite.name,
        "category": suite.category,
        "tests": suite.tests,
        "rows": len(drawn),
        "failed": len(failures),
        "rate": len(failures) / len(drawn),
        "low": low,
        "high": high,
        "failures": failures,
    }


def run_suites(
    predictor: Predictor,
    suites: Iterable[Suite],
    rows: int = ROWS,
    seed: int = 0,
    on_suite: Callable[[dict[str, Any]], None] = lambda result: None,
) -> list[dict[str, Any]]:
    """`run_suite` of each, the most failed first; `on_suite` sees each result as soon as it is there."""
    results = []
    for suite in suites:
        results.append(run_suite(predictor, suite, rows, seed))
        on_suite(results[-1])
    return sorted(results, key=lambda result: -result["rate"])
