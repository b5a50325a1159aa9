"""The Figures tab: what the store holds and how the versions do, each figure with what to do where it is empty."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr
import plotly.graph_objects as go

from components import highlight, store_figures
from components.context import Lab
from components.errors import known_errors
from components.figures import confusion
from components.languages import t
from data.hunting import economics
from data.queries import judged_confidences, weekly_failures
from data.second_look import agreement
from data.seed import seed_rows
from data.tasks import get_task
from data.versions import lineage, list_versions, live_version

STORED = (
    ("Failures kept", "Flag a wrong answer in the Probe tab, or import a file in the Review tab."),
    ("How sure it was", "Say Right or Wrong to some answers in the Probe tab."),
    ("What a failure has cost", "Probe some inputs and flag what is wrong: tries and seconds are counted."),
    ("Agreement", "Two people have to judge five of the same examples: Second look, in the Review tab."),
    ("Repair curves", "Retrain once: each run measures its version on what it was and was not taught."),
)
"""Title and advice of the figures that take the store alone, in their order."""
MEASURED = (
    ("Right and predicted labels", "Both versions answer the validation set now: some seconds."),
    ("Reliability", "Both versions answer the validation set now: some seconds."),
)
"""Title and advice of those for which two versions answer the validation set."""
NO_MATRIX = "Choices have no fixed labels, so that no matrix can be drawn of them."
Slot = tuple[gr.HTML, gr.Plot]


def build_dashboard(lab: Lab, task: gr.Radio, tab: gr.Tab) -> None:
    measured_of = gr.State(())
    with gr.Row(equal_height=True):
        before = gr.Dropdown([], label="Before", filterable=False, elem_id="figures-before")
        after = gr.Dropdown([], label="After", filterable=False, elem_id="figures-after")
    measured = _build_slots(MEASURED)
    stored = _build_slots(STORED)

    quiet = {"queue": False, "show_progress": "hidden"}
    measure = {
        "fn": lab.bind(show_measured),
        "inputs": [task, before, after, measured_of],
        "outputs": [measured_of, *_parts(measured)],
        **quiet,
    }
    gr.on([tab.select, task.change], lab.bind(show_stored), [task], [before, after, *_parts(stored)], **quiet).then(
        **measure
    )
    gr.on([before.input, after.input], **measure)


def _build_slots(figures: Sequence[tuple[str, str]]) -> list[Slot]:
    """A place for each figure, two in a row where there is room."""
    slots = []
    for start in range(0, len(figures), 2):
        with gr.Row(equal_height=False):
            for title, advice in figures[start : start + 2]:
                with gr.Column(min_width=380):
                    slots.append(
                        (
                            gr.HTML(highlight.empty(title, advice), container=False),
                            gr.Plot(show_label=False, visible=False),
                        )
                    )
    return slots


def _parts(slots: list[Slot]) -> list[Any]:
    return [part for slot in slots for part in slot]


def _fill(texts: Sequence[tuple[str, str]], figures: Sequence[go.Figure | None]) -> list[Any]:
    """Updates for the slots: the figure, or what to do to get one."""
    updates: list[Any] = []
    for (title, advice), figure in zip(texts, figures, strict=True):
        updates += [
            gr.update(value=t(highlight.empty(title, advice)), visible=figure is None),
            gr.update(value=figure, visible=figure is not None),
        ]
    return updates


@known_errors
def show_stored(lab: Lab, task_name: str) -> list[Any]:
    """The versions to compare, the live one and its parent chosen, and the figures of the store."""
    db, task = lab.db(), get_task(task_name)
    live = live_version(db, task_name)
    versions = list_versions(db, task_name)
    line = [row["id"] for row in lineage(db, live)]
    ids = [row["id"] for row in versions]
    weekly, judged = weekly_failures(db, task_name), judged_confidences(db, task_name)
    costs = [row for row in economics(db, task) if row["tries"]]
    pairs = agreement(db, task)["pairs"]
    curves = repair_rows(line, {row["id"]: row["metrics"] for row in versions})
    figures = [
        store_figures.failures_by_week(weekly) if weekly else None,
        store_figures.confidences(judged) if judged else None,
        store_figures.hunt(costs) if costs else None,
        store_figures.agreement(pairs) if pairs else None,
        store_figures.repair_curves(curves) if curves else None,
    ]
    menus = [gr.update(choices=ids, value=line[-2] if len(line) > 1 else live), gr.update(choices=ids, value=live)]
    return [*menus, *_fill(STORED, figures)]


def repair_rows(line: Sequence[str], metrics: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """For each version of the line that was measured its accuracy on each split with rows."""
    rows = []
    for version_id in line:
        found = metrics.get(version_id, {})
        shares = {split: one["accuracy"] for split, one in found.items() if one.get("rows")}
        if shares:
            rows.append({"version": version_id, **shares})
    return rows


@known_errors
def show_measured(
    lab: Lab, task_name: str, before: str | None, after: str | None, seen: tuple[str, ...] | list[str]
) -> list[Any]:
    """Confusion matrices and reliability of both versions on the validation set; nothing new where they are shown."""
    from models.calibration import expected_calibration_error
    from models.calibration import reliability as bins_of
    from models.evaluation import metrics

    if not before or not after or list(seen) == [before, after]:
        return [gr.skip()] * (1 + 2 * len(MEASURED))
    task = get_task(task_name)
    rows = seed_rows(task, "validation")
    labels = [row["label"] for row in rows]
    curves, matrices = {}, []
    for version_id in dict.fromkeys((before, after)):
        said = lab.serving.predictor(task_name, version_id).predict([row["example"] for row in rows], batch_size=64)
        sure = [max(p.probabilities) for p in said]
        right = [p.label == label for p, label in zip(said, labels, strict=True)]
        curves[version_id] = (bins_of(sure, right, 10), expected_calibration_error(sure, right, 10))
        matrices.append(metrics(task, said, labels).get("confusion"))
    matrix = None
    if matrices[0]:
        titles = (before, after)
        matrix = confusion(list(task.labels), matrices[0], matrices[-1], titles)
    texts = [(MEASURED[0][0], NO_MATRIX), MEASURED[1]]
    return [(before, after), *_fill(texts, [matrix, store_figures.reliability(curves)])]
