"""Predictions against right answers: metrics of one version, and what changed between two."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from data.tasks import Task
from models.predictor import Prediction


def accuracy(predictions: Sequence[Prediction], labels: Sequence[int]) -> float:
    """Share of predictions whose most probable label is the right one; 0 where there are none."""
    right = sum(p.label == label for p, label in zip(predictions, labels, strict=True))
    return right / len(labels) if labels else 0.0


def metrics(task: Task, predictions: Sequence[Prediction], labels: Sequence[int]) -> dict[str, Any]:
    """Accuracy with `right` of `rows`, and where the task has fixed labels macro-F1 over those that are right for
    some row and a confusion matrix (rows: right label, columns: predicted)."""
    from sklearn.metrics import confusion_matrix, f1_score

    predicted = [p.label for p in predictions]
    right = sum(a == b for a, b in zip(predicted, labels, strict=True))
    result: dict[str, Any] = {
        "rows": len(labels),
        "right": right,
        "accuracy": accuracy(predictions, labels),
    }
    if task.labels and labels:
        known = list(range(len(task.labels)))
        result["macro_f1"] = float(
            f1_score(labels, predicted, labels=sorted(set(labels)), average="macro", zero_division=0)
        )
        result["confusion"] = confusion_matrix(labels, predicted, labels=known).tolist()
    return result


def compare(
    rows: Sequence[dict[str, Any]], parent: Sequence[Prediction], child: Sequence[Prediction]
) -> dict[str, list[dict[str, Any]]]:
    """The rows as `fixed`, `failing`, `broken` (right before, wrong now) and `kept` (right before and now).

    Each row keeps its `example`, `label`, `category` and `example_id`, and gains what both versions said.
    """
    outcome: dict[str, list[dict[str, Any]]] = {"fixed": [], "failing": [], "broken": [], "kept": []}
    for row, before, after in zip(rows, parent, child, strict=True):
        was_right, is_right = before.label == row["label"], after.label == row["label"]
        name = {
            (False, True): "fixed",
            (False, False): "failing",
            (True, False): "broken",
            (True, True): "kept",
        }[was_right, is_right]
        outcome[name].append(
            {
                "example": row["example"],
                "label": row["label"],
                "category": row["category"],
                "example_id": row.get("example_id"),
                "before": before.label,
                "after": after.label,
                "before_p": round(before.probabilities[row["label"]], 4),
                "after_p": round(after.probabilities[row["label"]], 4),
            }
        )
    return outcome
