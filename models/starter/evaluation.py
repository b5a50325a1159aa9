"""How good a version is on a folder of public data sets: the figures of a model card."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from data.seed import seed_rows
from data.tasks import Task
from data.tasks.spans import SpanTask
from models.calibration import expected_calibration_error, reliability
from models.evaluation import metrics
from models.intervals import share_interval
from models.predictor import Prediction, Predictor
from models.starter.datasets import Row, has_split, read_split, sample

SPLITS = ("validation", "test")


def score_sets(
    predictor: Predictor,
    data: Path,
    *,
    limit: int | None = None,
    on_row: Callable[[dict[str, Any]], None] = lambda row: None,
) -> list[dict[str, Any]]:
    """One row for each validation and test split that `data` holds for the task: see `score_rows`.

    `limit` takes a seeded sample of each split; `on_row` sees each row as soon as it is there.
    """
    table = []
    for name, split in find_splits(data, predictor.task):
        rows = sample(read_split(data, predictor.task, name, split), limit, 0)
        predictions = predictor.predict([example for example, _ in rows], batch_size=64)
        result = {"set": name, "split": split, **score_rows(predictor.task, rows, predictions)}
        table.append(result)
        on_row(result)
    return table


def find_splits(data: Path, task: Task) -> Iterator[tuple[str, str]]:
    for folder in sorted((data / task.name).iterdir()):
        for split in SPLITS:
            if has_split(data, task, folder.name, split):
                yield folder.name, split


def score_rows(task: Task, rows: list[Row], predictions: list[Prediction]) -> dict[str, Any]:
    """Accuracy with its 95 % interval, macro-F1, calibration error; and what the task asks for beside.

    `polar` (sentiment): accuracy where the right label is negative or positive. `binary` (the same rows): accuracy
    between negative and positive alone. `chance` (choices): a guesser's accuracy. `reliability` and `confusion` are
    as `models.calibration` and `models.evaluation` give them. Spans of a type that no row marks do not count: some
    sets lack one.
    """
    labels = [label for _, label in rows]
    if isinstance(task, SpanTask):
        known = {span.label for label in labels for span in label}
        predictions = [replace(p, spans=tuple(s for s in p.label if s.label in known)) for p in predictions]
    measured = metrics(task, predictions, labels)
    low, high = share_interval(measured["right"], len(rows))
    confidences = [p.confidence for p in predictions]
    hits = [p.label == y for p, y in zip(predictions, labels, strict=True)]
    result = {
        **measured,
        "low": low,
        "high": high,
        "ece": expected_calibration_error(confidences, hits),
        "reliability": reliability(confidences, hits),
    }
    if isinstance(task, SpanTask):
        result["by_type"] = {name: f1 for name, f1 in measured["by_type"].items() if name in known}
    if task.name == "sentiment":
        polar = [(p, y) for p, y in zip(predictions, labels, strict=True) if y != 1]
        result["polar"] = sum(p.label == y for p, y in polar) / max(len(polar), 1)
        result["binary"] = sum((p.probabilities[2] > p.probabilities[0]) == (y == 2) for p, y in polar) / max(
            len(polar), 1
        )
    if "choices" in (rows[0][0] if rows else ()):
        result["chance"] = sum(1 / len(example["choices"]) for example, _ in rows) / max(len(rows), 1)
    return result


def own_sets(predictor: Predictor) -> list[dict[str, Any]]:
    """The same figures for the project's own validation and retention sets."""
    table = []
    for kind in ("validation", "retention"):
        rows = [(row["example"], row["label"]) for row in seed_rows(predictor.task, kind)]
        predictions = predictor.predict([example for example, _ in rows], batch_size=64)
        table.append({"set": "own", "split": kind, **score_rows(predictor.task, rows, predictions)})
    return table


def above_chance(table: list[dict[str, Any]]) -> float:
    """Mean over the sets of accuracy less chance, in points; a set's test split counts, else its validation split."""
    best = {row["set"]: row for row in sorted(table, key=lambda row: row["split"] == "test") if row["set"] != "own"}
    return 100 * sum(row["accuracy"] - row["chance"] for row in best.values()) / max(len(best), 1)


def table_text(table: list[dict[str, Any]]) -> str:
    """The rows as a Markdown table, percentages with one decimal."""
    columns = ["f1", "precision", "recall", "accuracy", "macro_f1", "polar", "binary", "chance", "ece"]
    used = [c for c in columns if any(c in row for row in table)]
    lines = [
        "| set | split | rows | " + " | ".join(used) + " | 95 % interval |",
        "| --- | --- | ---: |" + " ---: |" * (len(used) + 1),
    ]
    for row in table:
        cells = [f"{100 * row[c]:.1f}" if c in row else "" for c in used]
        lines.append(
            f"| {row['set']} | {row['split']} | {row['rows']} | {' | '.join(cells)} "
            f"| {100 * row['low']:.1f} to {100 * row['high']:.1f} |"
        )
    return "\n".join(lines)
