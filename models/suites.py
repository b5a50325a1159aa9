"""A version's answers to the behavioural suites: how often it fails each capability."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any

from data.guidance import guidance_for, guided
from data.suites import Suite, expand, passes
from models.intervals import difference_interval, share_interval
from models.predictor import Prediction, Predictor

ROWS = 100
LITTLE = 0.1


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
    drawn = _outcomes(predictor, suite, rows, seed, kind, taught)
    failures = [
        {**row, "answer": first.label, "probabilities": first.probabilities}
        for row, first, passed in drawn
        if not passed
    ]
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


def _outcomes(
    predictor: Predictor,
    suite: Suite,
    rows: int,
    seed: int,
    kind: str,
    taught: Collection[str],
    guidance: str = "",
) -> list[tuple[dict[str, Any], Prediction, bool]]:
    """The suite's rows, each with the answer and whether that passes. Raises ValueError where none is left."""
    drawn = [
        row
        for row in expand(suite, rows, seed, kind=kind, fewer=True)
        if not taught or suite.task.content_hash(row["example"]) not in taught
    ]
    if not drawn:
        raise ValueError(f"Suite {suite.name!r}: the version was trained on every row of it; ask for more rows.")
    asked = [row["example"] for row in drawn] + [row["second"] for row in drawn if "second" in row]
    predictions = predictor.predict([guided(example, guidance) for example in asked], batch_size=64)
    seconds = iter(predictions[len(drawn) :])
    found = []
    for row, first in zip(drawn, predictions, strict=False):
        second = next(seconds).probabilities if "second" in row else None
        found.append((row, first, passes(row, first.probabilities, second, first.label)))
    return found


def run_guided(
    predictor: Predictor,
    suite: Suite,
    kind: str,
    rows: int = ROWS,
    seed: int = 0,
    taught: Collection[str] = frozenset(),
) -> dict[str, Any]:
    """How often the version fails the suite without and with the library's guidance for its category, on one draw.

    `low`, `high`: the 95 % interval of the change in the share that fails (paired bootstrap). Rows that were taught
    are left out. Raises ValueError where none is left or the guidance does not fit the model.
    """
    guidance = guidance_for(suite.category, kind)
    outcomes = [_outcomes(predictor, suite, rows, seed, "templates", taught, words) for words in ("", guidance)]
    plain, with_it = ([not passed for *_, passed in outcome] for outcome in outcomes)
    low, high = difference_interval(plain, with_it)
    return {
        "suite": suite.name,
        "category": suite.category,
        "kind": kind,
        "rows": len(plain),
        "failed": sum(plain),
        "failed_guided": sum(with_it),
        "low": low,
        "high": high,
    }


def guidance_verdict(result: dict[str, Any]) -> str:
    """What the figures say: `little` to repair, guidance `repairs` it, `helps`, `harms`, or it needs `training`.

    Little: under a tenth fails. Repairs: at least half of the failures are gone. Helps and harms: the interval of the
    change leaves out nothing.
    """
    before, after = result["failed"] / result["rows"], result["failed_guided"] / result["rows"]
    if max(before, after) < LITTLE:
        return "little"
    if result["low"] > 0:
        return "harms"
    if result["high"] < 0:
        return "repairs" if after <= before / 2 else "helps"
    return "training"


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
