"""Predictions against right answers: metrics of one version, and what changed between two."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from data.tasks import Task
from data.tasks.spans import Spans, SpanTask, span_errors
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
    if isinstance(task, SpanTask):
        result |= span_metrics(task, predicted, labels)
    if task.labels and labels:
        known = list(range(len(task.labels)))
        result["macro_f1"] = float(
            f1_score(labels, predicted, labels=sorted(set(labels)), average="macro", zero_division=0)
        )
        result["confusion"] = confusion_matrix(labels, predicted, labels=known).tolist()
    return result


def span_metrics(task: SpanTask, predicted: Sequence[Spans], labels: Sequence[Spans]) -> dict[str, Any]:
    """Precision, recall and F1 of whole spans (the same characters and label), over all texts together as CoNLL-2003
    counts them; F1 `by_type`; and how many spans had each of `data.tasks.spans.span_errors`."""
    pairs = list(zip(predicted, labels, strict=True))

    def scores(only: Sequence[str]) -> dict[str, float]:
        said = sum(s.label in only for found, _ in pairs for s in found)
        true = sum(s.label in only for _, expected in pairs for s in expected)
        both = sum(s.label in only for found, expected in pairs for s in set(found) & set(expected))
        precision, recall = both / said if said else 0.0, both / true if true else 0.0
        return {"precision": precision, "recall": recall, "f1": 2 * both / (said + true) if said + true else 0.0}

    errors: Counter[str] = Counter()
    for found, expected in pairs:
        errors += span_errors(expected, found)
    by_type = {name: scores([name])["f1"] for name in task.types}
    return {**scores(task.types), "by_type": by_type, "span_errors": dict(errors)}


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
                "before_p": round(before.probability(row["label"]), 4),
                "after_p": round(after.probability(row["label"]), 4),
            }
        )
    return outcome
