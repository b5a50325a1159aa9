"""A version's answers to the behavioural suites: how often it fails each capability."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any

from data.suites import Suite, expand, passes
from models.intervals import share_interval
from models.predictor import Predictor

ROWS = 100


def run_suite(
    predictor: Predictor,
    suite: Suite,
    rows: int = ROWS,
    seed: int = 0,
    kind: str = "templates",
    taught: Collection[str] = frozenset(),
) -> dict[str, Any]:
    """How often the version fails the suite, with its 95 % interval, and the failing rows.

    A row of `failures` is a row of the suite with what the version said: `answer` and `probabilities`. Rows whose
    content hash is among those `taught` are left out, and a suite of few words has fewer rows. Raises ValueError
    where none is left.
    """
    drawn = [
        row
        for row in expand(suite, rows, seed, kind=kind, fewer=True)
        if not taught or suite.task.content_hash(row["example"]) not in taught
    ]
    if not drawn:
        raise ValueError(f"Suite {suite.name!r}: the version was trained on every row of it; ask for more rows.")
    paired = [row for row in drawn if "second" in row]
    predictions = predictor.predict(
        [row["example"] for row in drawn] + [row["second"] for row in paired], batch_size=64
    )
    seconds = iter(predictions[len(drawn) :])
    failures = []
    for row, first in zip(drawn, predictions, strict=False):
        second = next(seconds).probabilities if "second" in row else None
        if not passes(row, first.probabilities, second):
            failures.append({**row, "answer": first.label, "probabilities": first.probabilities})
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
    taught: Collection[str] = frozenset(),
) -> list[dict[str, Any]]:
    """`run_suite` of each, the most failed first; `on_suite` sees each result as soon as it is there."""
    results = []
    for suite in suites:
        results.append(run_suite(predictor, suite, rows, seed, taught=taught))
        on_suite(results[-1])
    return sorted(results, key=lambda result: -result["rate"])
