"""Every figure has a title, names and units on its axes, and colours that the colour-blind tell apart."""

import plotly.graph_objects as go
import pytest

from components import dashboard, figures, store_figures
from data.examples import Answer, flag_example
from data.hunting import log_probe
from data.tasks import TASKS
from data.versions import live_version
from tests.conftest import nli, premises

RESULTS = [
    {"version_id": v, "suite": "swap", "rate": rate, "failed": 9, "rows": 10, "low": rate - 0.1, "high": rate + 0.1}
    for v, rate in (("nli-a", 0.9), ("nli-b", 0.2))
]
SHORT = {"nli-a": "a", "nli-b": "b"}
PAIR = {"first": "ann", "second": "bob", "kappa": 0.4, "rows": 7}
COST = {"category": "negation", "tries": 4, "failures": 2, "tries_each": 2.0, "seconds_each": 30.0}
POINT = {"k": 5, "before": 10.0, "after": 60.0, "retention": -0.5, "contrasts": 0.0}
STEP = {"step": 1, "steps": 2, "loss": 1.0, "twins_loss": 0.9}
DIAL = {"alpha": 0.0, "taught": 50, "siblings": None, "contrasts": 90, "retention": 80}
GUIDED = {"suite": "role_swap", "rows": 10, "failed": 8, "failed_guided": 3}
NEEDLE = {"words": 100, "depth": 0.5, "rows": 12, "right": 9}
WEEK = {"week": "2026-01-05", "category": "negation", "count": 3}
MATRIX = [[4, 1], [0, 5]]
DRAWN = {
    "loss": (lambda: figures.loss_curve([STEP, STEP]), "training step", "nats"),
    "confusion": (
        lambda: figures.confusion(["a", "b"], MATRIX, MATRIX, ("x", "y")),
        "predicted<br>label",
        "right label",
    ),
    "dial": (lambda: figures.dial([DIAL, {**DIAL, "alpha": 1.0}], 1.0), "strength", "%"),
    "inoculation": (lambda: figures.inoculation([POINT]), "corrections", "percent"),
    "failure map": (lambda: figures.failure_map(RESULTS, SHORT), "version", "capability"),
    "trend": (lambda: figures.failure_trend(RESULTS, SHORT), "version", "%"),
    "points": (lambda: figures.scatter_map([[0, 1]], ["x"], ["text"], [1], "category"), "no unit", None),
    "weeks": (lambda: store_figures.failures_by_week([WEEK]), "week", "corrections"),
    "confidences": (lambda: store_figures.confidences({"correction": [0.8]}), "%", "judged answers"),
    "reliability": (lambda: store_figures.reliability({"v": ([(0.9, 0.8, 20)], 0.1)}), "%", "%"),
    "curves": (lambda: store_figures.repair_curves([{"version": "v", "siblings": 0.9}]), "version", "%"),
    "agreement": (lambda: store_figures.agreement([PAIR]), "annotator", "annotator"),
    "guidance": (lambda: figures.guidance_map([GUIDED]), "same rows", "capability"),
    "needle": (lambda: figures.needle_map([NEEDLE]), "words", "depth"),
    "hunt": (lambda: store_figures.hunt([COST]), "tries a failure", "category"),
}
READABLE = {*figures.PALETTE, figures.ACCENT, figures.OPPOSE, figures.MUTED}


@pytest.mark.parametrize("name", DRAWN)
def test_every_figure_says_what_it_shows_in_what_units(name):
    draw, across, up = DRAWN[name]
    figure = draw()
    assert figure.layout.title.text
    assert across in figure.layout.xaxis.title.text
    assert up is None or up in figure.layout.yaxis.title.text


@pytest.mark.parametrize("name", DRAWN)
def test_colours_are_those_that_the_colour_blind_tell_apart(name):
    cividis = go.Figure(go.Heatmap(z=[[0]], colorscale="Cividis")).data[0].colorscale
    for trace in DRAWN[name][0]().data:
        if trace.type == "heatmap":
            assert trace.colorscale == cividis
            assert trace.colorbar.title.text or trace.showscale is False
        else:
            assert {trace.marker.color, getattr(trace, "line", None) and trace.line.color} & READABLE


def test_a_dial_leaves_out_what_was_not_measured():
    dial = figures.dial([DIAL, {**DIAL, "alpha": 1.0}], 1.0)
    assert {trace.name for trace in dial.data} == {"taught", "unseen contrasts", "retention set"}


def test_repair_curves_leave_out_splits_without_rows():
    metrics = {"v0": {"siblings": {"rows": 0, "accuracy": 0.0}}, "v1": {"siblings": {"rows": 4, "accuracy": 0.5}}}
    assert dashboard.repair_rows(["v0", "v1"], metrics) == [{"version": "v1", "siblings": 0.5}]


def test_an_empty_store_says_what_to_do_for_each_figure(lab):
    _, after, *slots = dashboard.show_stored(lab, "commonsense")
    assert after["value"] == live_version(lab.db(), "commonsense")
    for (title, advice), words, plot in zip(dashboard.STORED, slots[::2], slots[1::2], strict=True):
        assert title in words["value"]
        assert advice.split(":")[0] in words["value"]
        assert (words["visible"], plot["visible"]) == (True, False)


def test_figures_are_drawn_of_what_is_stored(lab):
    db, live = lab.db(), live_version(lab.db(), "nli")
    for premise, annotators in zip(premises("train", 5), [("ann", "bob")] * 5, strict=True):
        log_probe(db, TASKS["nli"], live, "negation", 0.8)
        for annotator in annotators:
            said = Answer(0, [0.8, 0.1, 0.1], live)
            flag_example(db, TASKS["nli"], nli(premise), 1, annotator=annotator, answer=said, category="negation")
    _, _, *slots = dashboard.show_stored(lab, "nli")
    weeks, sure, cost, pairs, curves = slots[1::2]
    assert [sum(trace.y) for trace in weeks["value"].data] == [10]
    assert [len(trace.x) for trace in sure["value"].data] == [0, 10]
    assert list(cost["value"].data[0].y) == ["negation"]
    assert pairs["value"].data[0].z[0][1] == 1.0
    assert not curves["visible"]


def test_versions_answer_the_validation_set_once(lab):
    live = live_version(lab.db(), "nli")
    seen, _, matrix, _, curve = dashboard.show_measured(lab, "nli", live, live, ())
    counts = matrix["value"].data[0].z
    assert sum(map(sum, counts)) == 210
    assert sum(curve["value"].data[1].customdata) == 210
    assert all("value" not in update for update in dashboard.show_measured(lab, "nli", live, live, list(seen)))
    live = live_version(lab.db(), "commonsense")
    _, words, matrix, _, curve = dashboard.show_measured(lab, "commonsense", live, live, ())
    assert (words["visible"], matrix["visible"], curve["visible"]) == (True, False, True)


def test_a_figure_taken_away_carries_its_own_library():
    assert "newPlot" in figures.plotly_source()
