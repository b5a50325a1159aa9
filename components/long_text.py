"""Long texts: read in windows instead of cut, in the Probe tab; and a needle in them, in the Blind spots tab."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Any

import gradio as gr
from gradio.events import Dependency

from components import figures, highlight
from components.context import Lab
from components.errors import known_errors
from components.languages import t
from data.suites.needle import DEPTHS, LENGTHS, has_needles
from data.tasks import get_task
from data.versions import add_evaluation, list_versions, live_version

CHOICES = [
    ("Cut at the end of the window", "truncate"),
    ("Windows, mean of their probabilities", "mean"),
    ("Windows, the surest one answers", "surest"),
]
"""What a person chooses between, and its name in `models.long_context`."""
SHOWN = 12
WINDOWS = '<tr><th></th><th>window</th><th>says</th><th class="num">sure</th></tr>'
NEEDLE = (
    '<div class="hint">One sentence decides, hidden at 0 to 100 % of a text of 100 to 5,000 words of plain facts. '
    "The map shows how often the version still finds it.</div>"
)
NOTHING = highlight.empty("Not run yet", "Choose how long texts are read and press Hide the needle.")


def build_long_text(lab: Lab, answer: gr.State, shown: gr.HTML) -> Dependency:
    """The choice that follows an answer to a text which does not fit the model; returns the event of its reading."""
    with gr.Group(visible=False) as box:
        pooling = gr.Radio(CHOICES, value="truncate", label="How the long text is read", elem_id="long-pooling")
        windows = gr.HTML(elem_id="long-answer")
    quiet = {"queue": False, "show_progress": "hidden"}
    shown.change(show_choice, [answer], [box, pooling, windows], **quiet)
    return pooling.input(lab.bind(read_long), [answer, pooling], [windows, answer], queue=False)


def show_choice(answer: dict[str, Any] | None) -> list[Any]:
    """Shown where tokens were left out."""
    return [gr.update(visible=bool(answer and answer.get("dropped"))), "truncate", ""]


@known_errors
def read_long(lab: Lab, answer: dict[str, Any] | None, pooling: str) -> list[Any]:
    """The answer with the text read that way, which takes the place of the one that is judged."""
    from models.long_context import predict_long

    if answer is None:
        raise ValueError("Run an example first.")
    task, example = get_task(answer["task"]), answer["example"]
    predictor = lab.serving.predictor(answer["task"], answer["version_id"])
    (found,) = predict_long(predictor, [example], pooling)
    said = found.prediction
    changed = {**answer, "label": said.label, "probabilities": said.probabilities, "reading": pooling}
    field = task.fields[0].name
    lines = "".join(
        f'<tr><td class="num">{number}</td><td>{escape(highlight.shorten(text, 160))}</td>'
        f"<td>{escape(highlight.shorten(highlight.label_text(task, {**example, field: text}, one.label), 90))}</td>"
        f'<td class="num">{100 * one.confidence:.0f} %</td></tr>'
        for number, (text, one) in enumerate(found.windows[:SHOWN], 1)
    )
    table = f'<table class="plain">{t(WINDOWS)}{lines}</table>' if lines else ""
    more = len(found.windows) - SHOWN
    rest = f'<div class="hint">{t("and {count} more windows", count=more)}</div>' if more > 0 else ""
    html = f'<div class="panel">{highlight.said(task, example, said.label, said.probabilities)}{table}{rest}</div>'
    return [html, changed]


def build_needle(lab: Lab, task: gr.Radio, version: gr.Dropdown, tab: gr.Tab) -> None:
    with gr.Accordion("Needle in a long text", open=False):
        gr.HTML(NEEDLE)
        with gr.Row(equal_height=True):
            pooling = gr.Dropdown(CHOICES, value="truncate", label="Long texts are", scale=3, filterable=False)
            run = gr.Button("Hide the needle", scale=2, elem_id="needle-run")
            stop = gr.Button("Stop", scale=1)
        progress = gr.HTML(NOTHING, elem_id="needle-progress")
        plot = gr.Plot(show_label=False, visible=False, elem_id="needle-map")
    quiet = {"queue": False, "show_progress": "hidden"}
    shown = {"fn": lab.bind(show_needle), "inputs": [task, version, pooling], "outputs": [progress, plot], **quiet}
    gr.on([tab.select, task.change, version.change, pooling.change], **shown)
    going = run.click(
        lab.bind(run_needle), [task, version, pooling], [progress, plot], concurrency_limit=1, show_progress="hidden"
    )
    stop.click(None, None, None, cancels=[going])


@known_errors
def run_needle(lab: Lab, task_name: str, version_id: str | None, pooling: str) -> Iterator[list[Any]]:
    """Fills the map cell by cell, and keeps it when it is whole."""
    from models.long_context import needle_cells

    version_id = version_id or live_version(lab.db(), task_name)
    predictor = lab.serving.predictor(task_name, version_id)
    cells: list[dict[str, Any]] = []
    total = len(DEPTHS) * len(LENGTHS)
    yield [cells_done(0, total), gr.skip()]
    for cell in needle_cells(predictor, pooling):
        cells.append(cell)
        yield [cells_done(len(cells), total), gr.update(value=figures.needle_map(cells), visible=True)]
    right, rows = (sum(cell[name] for cell in cells) for name in ("right", "rows"))
    metrics = {"rows": rows, "right": right, "accuracy": right / rows, "cells": cells}
    add_evaluation(lab.db(), version_id, f"needle, {pooling}", rows, metrics)
    yield [needle_summary(metrics), gr.skip()]


@known_errors
def show_needle(lab: Lab, task_name: str, version_id: str | None, pooling: str) -> list[Any]:
    """The version's newest map with that reading."""
    if not has_needles(get_task(task_name)):
        return [t(highlight.empty("No needles", "This task has none yet.")), gr.update(visible=False)]
    rows = [row for row in list_versions(lab.db(), task_name) if row["id"] == version_id]
    metrics = rows[0]["metrics"].get(f"needle, {pooling}") if rows else None
    if not metrics:
        return [t(NOTHING), gr.update(visible=False)]
    return [needle_summary(metrics), gr.update(value=figures.needle_map(metrics["cells"]), visible=True)]


def cells_done(done: int, total: int) -> str:
    return f'<div class="hint" role="status">{t("{count} of {rows} cells", count=done, rows=total)}</div>'


def needle_summary(metrics: dict[str, Any]) -> str:
    share = f"{100 * metrics['accuracy']:.0f}"
    found = t(
        "Found in {count} of {rows} texts ({share} %).", count=metrics["right"], rows=metrics["rows"], share=share
    )
    return f'<div class="hint" role="status">{found}</div>'
