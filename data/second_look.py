"""A second person's look at what somebody flagged, blind; and how far people agree.

Of the failures that people claimed for ANLI (Nie et al. 2020) 38 to 51 % were not confirmed by a second person: an
unverified store trains noise.
"""

from __future__ import annotations

import json
from collections import Counter
from itertools import combinations
from typing import Any

from sqlite_utils import Database

from data.examples import Answer, flag_example, settle
from data.roles import sign
from data.tasks import Task

ORIGIN = "second look"
FEWEST = 5
"""Fewer examples in common say nothing of agreement."""


def looks(db: Database, task: Task) -> list[dict[str, Any]]:
    """Every flagged example: `example_id`, `example`, `labels` (annotator to newest label, in the order they came),
    `claim` (the first correction's row) and `state`, one of

    claimed     one person's word
    confirmed   two or more agree, and more of them than say otherwise: the claim holds
    refuted     they agree on another label than the claim's
    open        two differ: a third is asked
    disputed    three or more, and no label has more voices than every other
    """
    found: dict[int, dict[str, Any]] = {}
    for row in db.query(
        "SELECT v.*, e.fields FROM verdicts v JOIN examples e ON e.id = v.example_id "
        "WHERE v.archived_at IS NULL AND e.task = ? ORDER BY v.id",
        [task.name],
    ):
        one = found.setdefault(
            row["example_id"],
            {"example_id": row["example_id"], "example": json.loads(row["fields"]), "labels": {}, "claim": None},
        )
        one["labels"].pop(row["annotator"], None)
        one["labels"][row["annotator"]] = row["expected_label"]
        if row["kind"] == "correction" and one["claim"] is None:
            one["claim"] = row
    flagged = [one for one in found.values() if one["claim"] is not None]
    return [{**one, "state": _state(one["labels"], one["claim"]["expected_label"])} for one in flagged]


def _state(labels: dict[str, str], claimed: str) -> str:
    if len(labels) == 1:
        return "claimed"
    settled = settle(list(labels.values()))
    if settled is None:
        return "open" if len(labels) == 2 else "disputed"
    return "confirmed" if settled == claimed else "refuted"


def waiting(db: Database, task: Task, annotator: str) -> list[dict[str, Any]]:
    """What the annotator may look at: claimed or open, and not their own; open ones first, then the oldest."""
    name = sign(annotator)
    found = [one for one in looks(db, task) if one["state"] in ("claimed", "open") and name not in one["labels"]]
    return sorted(found, key=lambda one: (one["state"] != "open", one["example_id"]))


def give_second_look(db: Database, task: Task, example_id: int, label: int, *, annotator: str) -> int:
    """Stores what the annotator says of somebody else's flag; returns the verdict's id.

    Raises ValueError where it is their own, or nobody's.
    """
    name = sign(annotator)
    one = next((one for one in looks(db, task) if one["example_id"] == example_id), None)
    if one is None:
        raise ValueError("That flag is gone; take the next one.")
    if name in one["labels"]:
        raise ValueError(f"Expected somebody else's look; {name} judged this example already.")
    claim = one["claim"]
    answer = None
    if claim["predicted_label"] is not None and claim["probabilities"]:
        said = task.parse_label(claim["predicted_label"], one["example"])
        answer = Answer(said, json.loads(claim["probabilities"]), claim["version_id"])
    return flag_example(
        db,
        task,
        one["example"],
        label,
        annotator=name,
        answer=answer,
        category=claim["category"],
        origin=ORIGIN,
    )


def agreement(db: Database, task: Task) -> dict[str, Any]:
    """How far people agree: `states` (how many flags are in each), `pairs` and `fleiss`.

    A pair is two annotators with five or more examples in common: `first`, `second`, `rows`, `kappa` (Cohen 1960),
    `confusion` (labels of the first by labels of the second; None for choices). `fleiss` (Fleiss 1971) is over the
    examples that as many people judged as most were by; None under five of them.
    """
    from sklearn.metrics import cohen_kappa_score, confusion_matrix
    from statsmodels.stats.inter_rater import aggregate_raters, fleiss_kappa

    rows = looks(db, task)
    by_annotator: dict[str, dict[int, str]] = {}
    for row in rows:
        for annotator, label in row["labels"].items():
            by_annotator.setdefault(annotator, {})[row["example_id"]] = label
    pairs = []
    for first, second in combinations(sorted(by_annotator), 2):
        common = sorted(by_annotator[first].keys() & by_annotator[second].keys())
        if len(common) >= FEWEST:
            sides = [[by_annotator[name][i] for i in common] for name in (first, second)]
            kappa = 1.0 if sides[0] == sides[1] else float(cohen_kappa_score(*sides))
            matrix = confusion_matrix(*sides, labels=list(task.labels)).tolist() if task.labels else None
            pairs.append({"first": first, "second": second, "rows": len(common), "kappa": kappa, "confusion": matrix})
    judged = [list(row["labels"].values()) for row in rows if len(row["labels"]) > 1]
    usual = Counter(map(len, judged)).most_common(1)
    same = [labels for labels in judged if len(labels) == usual[0][0]] if usual else []
    fleiss = None
    if len(same) >= FEWEST:
        fleiss = float(fleiss_kappa(aggregate_raters(same)[0])) if len({x for row in same for x in row}) > 1 else 1.0
    return {"states": dict(Counter(row["state"] for row in rows)), "pairs": pairs, "fleiss": fleiss}
