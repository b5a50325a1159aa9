"""What a run is judged by: rows that it never trained on, what changed on them, and whether that may be promoted.

taught      the examples it was given
held_out    flags and confirmations kept out of training
siblings    unseen: the taught and held-out corrections with other words, same label
contrasts   unseen: near neighbours of those, with a label that a rule knows, and what was confirmed in other words
suites      a few rows of every behavioural suite
retention   the project's own general examples, never trained on
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Sequence
from typing import Any

from data.examples import Selection
from data.seed import seed_rows
from data.suites import expand, load_suites
from data.tasks import Task
from models import siblings as variants
from models.evaluation import compare, metrics
from models.intervals import difference_interval, mcnemar
from models.predictor import Prediction
from models.repair import in_turn, retention_split, unseen_variants

VARIANT_ROWS = 100
SUITE_ROWS = 8
"""Of each suite; with two rows the report sees which suite it must look at, with eight whether it got worse."""
FEW = 10
"""Fewer rows than this say nothing of a share."""

Sets = dict[str, list[dict[str, Any]]]


def evaluation_sets(
    task: Task, taught: Selection, held_out: Selection, trained: Collection[str], seed: int
) -> tuple[Sets, dict[str, int]]:
    """The rows that parent and child are compared on, and how many the run learns from.

    `trained` holds the content hashes of all training rows: no unseen row is among them.
    """
    # what people dispute has no label to be right by
    taught = dataclasses.replace(taught, rows=[row for row in taught.rows if "soft" not in row])
    known = set(trained) | {task.content_hash(row["example"]) for row in (*taught.rows, *held_out.rows)}
    corrections = [row for row in (*taught.rows, *held_out.rows) if row["kind"] == "correction"]
    confirmed = [row for row in (*taught.rows, *held_out.rows) if row["kind"] == "confirmation"]

    def unseen(rows: list[dict[str, Any]], make: Callable[..., list[variants.Variant]]) -> list[list[dict[str, Any]]]:
        return [_labelled(row, unseen_variants(task, row, make, known, seed + 1)) for row in rows]

    against, near = unseen(corrections, variants.contrasts), unseen(confirmed, variants.siblings)
    half = VARIANT_ROWS // 2
    sets = {
        "taught": taught.rows,
        "held_out": held_out.rows,
        "siblings": in_turn(unseen(corrections, variants.siblings), VARIANT_ROWS),
        "contrasts": in_turn(against, half if any(near) else VARIANT_ROWS) + in_turn(near, half),
        "suites": suite_rows(task),
        "retention": seed_rows(task, "validation") + retention_split(task)[1],
    }
    kinds = [row["kind"] for row in taught.rows]
    counts = {
        "corrections": kinds.count("correction"),
        "confirmations": kinds.count("confirmation"),
        "held_out": len(held_out.rows),
        "conflicts": len(taught.conflicts) + len(held_out.conflicts),
        "without_siblings": sum(row["kind"] == "correction" and not _has_siblings(task, row) for row in taught.rows),
    }
    return sets, counts


def suite_rows(task: Task) -> list[dict[str, Any]]:
    """A few rows of each suite that has labels; those of invariance and direction are the Blind spots tab's."""
    rows = []
    for suite in load_suites(task.name):
        if all(template.label is not None for template in suite.templates):
            rows += expand(suite, SUITE_ROWS, 0)
    return rows


def _labelled(row: dict[str, Any], made: Sequence[variants.Variant]) -> list[dict[str, Any]]:
    """Variants of a stored example as rows with its category and id."""
    kept = {"category": row["category"], "example_id": row["example_id"]}
    return [{"example": variant.example, "label": variant.label, **kept} for variant in made]


def _has_siblings(task: Task, row: dict[str, Any]) -> bool:
    """Whether any rule but another order of its choices fits the example."""
    made = variants.siblings(task, row["example"], row["label"], count=1)
    return bool(made) and made[0].rule != variants.REORDERED


def make_splits(
    task: Task, sets: Sets, before: dict[str, Sequence[Prediction]], after: dict[str, Sequence[Prediction]]
) -> dict[str, Any]:
    """For each set both versions' metrics, the rows that changed, and the change with its 95 % interval.

    `change`: points of accuracy (`points`, `low`, `high`; paired bootstrap) and McNemar's `p`.
    """
    splits = {}
    for name, rows in sets.items():
        labels = [row["label"] for row in rows]
        outcome = compare(rows, before[name], after[name])
        kept = len(outcome.pop("kept"))
        was, now = (
            [p.label == label for p, label in zip(side[name], labels, strict=True)] for side in (before, after)
        )
        low, high = difference_interval(was, now)
        splits[name] = {
            "parent": metrics(task, before[name], labels),
            "child": metrics(task, after[name], labels),
            "change": {
                "points": 100 * (sum(now) - sum(was)) / max(len(rows), 1),
                "low": 100 * low,
                "high": 100 * high,
                "p": mcnemar(len(outcome["fixed"]), len(outcome["broken"])),
            },
            "kept": kept,
            **outcome,
        }
    return splits


def gate_reasons(splits: dict[str, Any], *, retention: float, contrasts: float) -> list[str]:
    """Why the version should not be promoted as it is; empty where it may be. The budgets are points of accuracy."""
    falls = {
        name: -splits[name]["change"]["points"]
        for name in ("retention", "contrasts")
        if splits[name]["child"]["rows"] >= FEW
    }
    return reasons_against(falls, retention=retention, contrasts=contrasts)


def reasons_against(falls: dict[str, float], *, retention: float, contrasts: float) -> list[str]:
    """A sentence for each fall, in points, that is over its budget."""
    budgets = {
        "retention": ("general accuracy on the retention set", retention),
        "contrasts": ("accuracy on contrasts of the corrections", contrasts),
    }
    return [
        f"{budgets[name][0]} fell by {fall:.1f} points (at most {budgets[name][1]:g})"
        for name, fall in falls.items()
        if fall > budgets[name][1] + 1e-9
    ]


def reading(splits: dict[str, Any]) -> str:
    """What the run has learnt, in a word: `few`, `nothing`, `memorised`, `shortcut`, `learnt` or `partly`.

    Few: there are not enough unseen siblings to tell. Shortcut: the siblings are right now and the contrasts, which
    share their words, are wrong.
    """
    taught, siblings, contrasts = (splits[name] for name in ("taught", "siblings", "contrasts"))
    if siblings["child"]["rows"] < FEW:
        return "few"
    if taught["child"]["accuracy"] < 0.5:
        return "nothing"
    share = siblings["child"]["accuracy"]
    if share < 0.5:
        return "memorised"
    if contrasts["child"]["rows"] >= FEW and contrasts["change"]["points"] < -20:
        return "shortcut"
    return "learnt" if share >= 0.8 else "partly"
