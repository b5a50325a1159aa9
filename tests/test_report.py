"""What a run is judged by: rows it never saw, the change on them, the gate and the reading."""

import pytest

from components.report_view import READINGS, SPLITS, finding, report_html
from data.examples import Selection
from data.tasks import TASKS
from models.predictor import Prediction
from models.recipe import Recipe
from models.repair import training_rows
from models.report import evaluation_sets, gate_reasons, make_splits, reading, suite_rows
from tests.conftest import STARTED, nli

TASK = TASKS["nli"]
BUDGETS = {"retention": 1.0, "contrasts": 5.0}


def correction(example, label=1, kind="correction"):
    return {"example": example, "label": label, "kind": kind, "category": "other", "example_id": 1}


def split(rows, before, after):
    """A split of which so many rows were and are right; the right ones overlap as far as they can."""
    examples = [{"example": nli(str(i)), "label": 0, "category": "other"} for i in range(rows)]
    hit, miss = Prediction([1.0, 0.0, 0.0], 0), Prediction([0.0, 1.0, 0.0], 0)
    said = [{"x": [hit] * right + [miss] * (rows - right)} for right in (before, after)]
    return make_splits(TASK, {"x": examples}, *said)["x"]


def splits(**changed):
    return {**{name: split(50, 40, 40) for name in SPLITS}, **changed}


@pytest.mark.parametrize("name", STARTED)
def test_every_task_has_suite_rows_with_labels(name):
    rows = suite_rows(TASKS[name])
    assert len(rows) >= 50
    assert all(row["label"] is not None for row in rows)


def test_unseen_rows_are_not_among_those_trained_on():
    taught = Selection(rows=[correction(nli())])
    held_out = Selection(rows=[correction(nli("The queen called the pilot.", "The pilot called the queen."))])
    rows = training_rows(TASK, taught, Recipe())
    trained = {TASK.content_hash(row) for row in rows}
    sets, counts = evaluation_sets(TASK, taught, held_out, trained, seed=0)
    for name in ("siblings", "contrasts", "retention"):
        assert sets[name]
        assert not trained & {TASK.content_hash(row["example"]) for row in sets[name]}
    assert {row["label"] for row in sets["siblings"]} == {1}
    assert {row["label"] for row in sets["contrasts"]} >= {0, 2}
    assert (counts["corrections"], counts["held_out"], counts["without_siblings"]) == (1, 1, 0)
    assert sets == evaluation_sets(TASK, taught, held_out, trained, seed=0)[0]


def test_what_was_confirmed_is_among_the_contrasts_in_other_words():
    confirmed = {
        **correction(nli("The pilot thanked the baker at noon.", "The pilot thanked the baker.")),
        "label": 0,
    }
    taught = Selection(rows=[correction(nli()), {**confirmed, "kind": "confirmation"}])
    sets, _ = evaluation_sets(TASK, taught, Selection(), set(), seed=0)
    near = [row for row in sets["contrasts"] if "at noon" in row["example"]["premise"]]
    assert 10 <= len(near) <= len(sets["contrasts"]) - 10
    assert {row["label"] for row in near} == {0}
    assert confirmed["example"] not in [row["example"] for row in near]


def test_corrections_that_no_rule_fits_are_counted():
    taught = Selection(rows=[correction(nli("Zzyx qua plim.", "Plim qua zzyx."))])
    sets, counts = evaluation_sets(TASK, taught, Selection(), set(), seed=0)
    assert counts["without_siblings"] == 1
    assert sets["siblings"] == []


def test_change_has_its_interval_and_p_value():
    change = split(100, 50, 70)["change"]
    assert change["points"] == pytest.approx(20)
    assert 0 < change["low"] < 20 < change["high"]
    assert change["p"] < 0.001
    assert split(0, 0, 0)["change"] == {"points": 0.0, "low": 0.0, "high": 0.0, "p": 1.0}


def test_the_gate_holds_back_what_breaks_neighbours_or_the_rest():
    assert gate_reasons(splits(), **BUDGETS) == []
    assert gate_reasons(splits(retention=split(100, 80, 79)), **BUDGETS) == []
    (reason,) = gate_reasons(splits(retention=split(100, 80, 78)), **BUDGETS)
    assert "retention set fell by 2.0 points (at most 1)" in reason
    (reason,) = gate_reasons(splits(contrasts=split(20, 18, 16)), **BUDGETS)
    assert "contrasts of the corrections fell by 10.0 points (at most 5)" in reason
    assert gate_reasons(splits(contrasts=split(5, 5, 0)), **BUDGETS) == []  # too few rows to speak
    assert gate_reasons(splits(retention=split(100, 80, 78)), retention=3.0, contrasts=5.0) == []


@pytest.mark.parametrize(
    ("expected", "changed"),
    [
        ("few", {"siblings": split(4, 0, 4)}),
        ("nothing", {"taught": split(20, 0, 2)}),
        ("memorised", {"taught": split(20, 0, 20), "siblings": split(50, 0, 10)}),
        ("shortcut", {"taught": split(20, 0, 20), "siblings": split(50, 0, 50), "contrasts": split(50, 49, 2)}),
        ("learnt", {"taught": split(20, 0, 20), "siblings": split(50, 0, 45), "contrasts": split(50, 49, 48)}),
        ("partly", {"taught": split(20, 0, 20), "siblings": split(50, 0, 30)}),
    ],
)
def test_reading_tells_learning_from_memorising(expected, changed):
    found = splits(**changed)
    assert reading(found) == expected
    job = {
        "report": {
            "splits": found,
            "reading": expected,
            "gate": gate_reasons(found, **BUDGETS),
            "training": {"rows": 1, "seconds": 1, "rows_per_s": 1, "precision": "fp32", "device": "CPU"},
            "counts": {"without_siblings": 2, "conflicts": 0},
            "seconds": 2.0,
        }
    }
    html = report_html(job)
    assert READINGS[expected] in finding(job["report"])
    assert ("Held back" in html) == bool(job["report"]["gate"])
    assert "2 corrections were used as they are" in html
