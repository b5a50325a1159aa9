"""Strengths between parent and child: the ends are exact, every point is a whole version, the best one is allowed."""

import json

import pytest
import torch
from safetensors.torch import load_file

from data.seed import seed_rows
from data.tasks import TASKS
from models.dial import (
    ALPHAS,
    MEASURED,
    best_alpha,
    blend,
    load_ends,
    point_reasons,
    score_dial,
    weights_file,
    write_blend,
)
from models.folders import CARD, CheckpointError, read_card, write_json
from models.predictor import Predictor
from models.recipe import Recipe
from models.training import train

TASK = TASKS["nli"]
BUDGETS = {"retention": 1.0, "contrasts": 5.0}
COUNTS = {"retention": 100, "contrasts": 100}


def rows_of(start, count):
    return seed_rows(TASK, "retention")[start : start + count]


@pytest.fixture(scope="module")
def family(tmp_path_factory, tiny_checkpoints):
    """A bare parent, its adapter child, and that one's child; and a child with full weights."""
    root = tmp_path_factory.mktemp("family")
    (root / "bare").mkdir()
    write_json(root / "bare" / CARD, {"id": "bare", "task": "nli", "base": str(tiny_checkpoints["nli"])})

    def make(name, parent, start, **options):
        job = root / f"{name}-job"
        job.mkdir()
        (job / "parent").symlink_to(parent)
        recipe = Recipe(**{"rank": 4, "learning_rate": 5e-3, "epochs": 6, "batch_size": 4, **options}).to_dict()
        write_json(job / "job.json", {"task": "nli", "version": name, "parent": "p", "recipe": recipe})
        lines = [json.dumps({**row["example"], "label": 2}) for row in rows_of(start, 8)]
        (job / "train.jsonl").write_text("\n".join(lines))
        return train(job, "cpu")

    child = make("child", root / "bare", 0)
    return {
        "bare": root / "bare",
        "child": child,
        "grandchild": make("grandchild", child, 8),
        "full": make("full", root / "bare", 0, method="full"),
        "wider": make("wider", child, 8, method="adalora", rank=16, epochs=20),
    }


def probabilities(folder):
    said = Predictor.load(folder).predict([row["example"] for row in rows_of(0, 12)])
    return torch.tensor([p.probabilities for p in said])


@pytest.mark.parametrize(
    ("parent", "child"), [("bare", "child"), ("child", "grandchild"), ("child", "wider"), ("bare", "full")]
)
def test_ends_answer_as_parent_and_child_and_the_middle_lies_between(family, tmp_path, parent, child):
    ends = (family[parent], family[child])
    made = {alpha: write_blend(*ends, alpha, tmp_path / str(alpha), f"v-{alpha}") for alpha in (0.0, 0.5, 1.0)}
    assert torch.allclose(probabilities(made[0.0]), probabilities(ends[0]), atol=2e-3)
    assert torch.allclose(probabilities(made[1.0]), probabilities(ends[1]), atol=2e-3)
    taught = [float(probabilities(folder)[:8, 2].mean()) for folder in made.values()]
    assert taught[0] < taught[1] < taught[2] or parent == "child"
    assert weights_file(made[0.5]).stat().st_size == weights_file(ends[1]).stat().st_size
    card = read_card(made[0.5])
    assert (card["id"], card["strength"], card["strength_of"]) == ("v-0.5", 0.5, child)
    assert "strength 0.5" in (made[0.5] / "README.md").read_text()


def test_a_point_is_scored_as_the_version_that_would_be_promoted(family, tmp_path):
    ends = (family["child"], family["grandchild"])
    rows = [{"example": row["example"], "label": row["label"]} for row in rows_of(0, 30)]
    sets = dict.fromkeys(MEASURED, rows)
    said = [Predictor.load(folder).predict([row["example"] for row in rows]) for folder in ends]
    points = score_dial(*ends, sets, *({name: side for name in sets} for side in said))
    assert [point["alpha"] for point in points] == list(ALPHAS)
    half = Predictor.load(write_blend(*ends, 0.5, tmp_path / "half", "half"))
    right = sum(p.label == r["label"] for p, r in zip(half.predict([r["example"] for r in rows]), rows, strict=True))
    assert points[5]["retention"] == pytest.approx(100 * right / 30)


def test_blend_is_linear_in_what_training_moved(family):
    before, after = load_ends(family["child"], family["grandchild"])
    middle = blend(before, after, 0.25)
    for name in after:
        assert torch.allclose(middle[name], 0.75 * before[name] + 0.25 * after[name], atol=1e-6)
    assert before.keys() == load_file(weights_file(family["child"])).keys()


def test_a_version_without_weights_cannot_be_dialled(family):
    with pytest.raises(CheckpointError, match="found neither"):
        weights_file(family["bare"])


def point(alpha, siblings, contrasts=90.0, retention=80.0):
    return {"alpha": alpha, "taught": siblings, "siblings": siblings, "contrasts": contrasts, "retention": retention}


def test_the_best_strength_repairs_most_of_those_that_break_little():
    points = [point(0.0, 0), point(0.5, 80), point(0.8, 95, contrasts=88), point(1.0, 100, contrasts=40)]
    assert best_alpha(points, COUNTS, **BUDGETS) == 0.8
    assert "fell by 50.0 points" in point_reasons(points, 1.0, COUNTS, **BUDGETS)[0]
    assert best_alpha([point(0.0, 0), point(1.0, 100, retention=70)], COUNTS, **BUDGETS) is None


def test_a_strength_that_repairs_nothing_is_not_suggested():
    points = [point(0.0, 10), point(0.3, 10), point(1.0, 100, retention=70)]
    assert best_alpha(points, COUNTS, **BUDGETS) is None


def test_of_equals_the_one_that_keeps_most_then_the_strongest():
    assert best_alpha([point(0.0, 0), point(0.5, 90), point(1.0, 90)], COUNTS, **BUDGETS) == 1.0
    keeps = [point(0.0, 0), point(0.5, 90, retention=81), point(1.0, 90)]
    assert best_alpha(keeps, COUNTS, **BUDGETS) == 0.5


def test_sets_without_rows_say_nothing():
    points = [{**point(a, 90 * a), "contrasts": None} for a in (0.0, 1.0)]
    assert best_alpha(points, {**COUNTS, "contrasts": 0}, **BUDGETS) == 1.0
