"""Hunt here next, in the Blind spots tab: what to try, what the version is least sure of, and what failures cost."""

from __future__ import annotations

from html import escape
from typing import Any

import gradio as gr

from components import highlight, store_figures
from components.context import Lab
from components.errors import known_errors
from data.hunting import economics, suggestions
from data.seed import seed_rows
from data.tasks import get_task
from data.versions import live_version

SHOWN = 8
NOTHING = highlight.empty("Nothing tried yet", "Probe some inputs: tries and seconds per failure are counted here.")


def build_hunt(lab: Lab, task: gr.Radio, tab: gr.Tab) -> None:
    with gr.Accordion("Hunt here next", open=False, elem_id="hunt") as box:
        places = gr.HTML()
        unsure = gr.Button("What is it least sure of?", size="sm", elem_id="hunt-unsure")
        rows = gr.HTML()
        costs = gr.HTML()
        plot = gr.Plot(show_label=False, visible=False)
    quiet = {"queue": False, "show_progress": "hidden"}
    gr.on([tab.select, task.change, box.expand], lab.bind(show_hunt), [task], [places, rows, costs, plot], **quiet)
    unsure.click(lab.bind(show_unsure), [task], [rows], queue=False)


@known_errors
def show_hunt(lab: Lab, task_name: str) -> list[Any]:
    """Where to look, an empty place for the uncertain rows, and what failures have cost so far."""
    task, db = get_task(task_name), lab.db()
    places = suggestions(db, task, live_version(db, task_name))[:SHOWN]
    lines = "".join(f"<li><b>{escape(p['where'])}</b>: {escape(p['why'])}</li>" for p in places)
    words = (
        f"<ul>{lines}</ul>" if places else '<div class="hint">Every category was tried; run the suites again.</div>'
    )
    costs = economics(db, task)
    if not costs:
        return [words, "", NOTHING, gr.update(visible=False)]
    tried = [row for row in costs if row["tries"]]
    body = "".join(
        f'<tr><td>{escape(row["category"])}</td><td class="num">{row["tries"]}</td>'
        f'<td class="num">{row["failures"]}</td><td class="num">{_number(row["tries_each"])}</td>'
        f'<td class="num">{_number(row["seconds_each"])}</td></tr>'
        for row in costs
    )
    table = (
        '<table class="plain"><tr><th>category</th><th class="num">tries</th><th class="num">failures kept</th>'
        f'<th class="num">tries a failure</th><th class="num">seconds a failure</th></tr>{body}</table>'
    )
    return [
        words,
        "",
        table,
        gr.update(value=store_figures.hunt(tried), visible=True) if tried else gr.update(visible=False),
    ]


@known_errors
def show_unsure(lab: Lab, task_name: str) -> str:
    """The project's own examples that the live version is least sure of."""
    task = get_task(task_name)
    rows = seed_rows(task, "gallery") + seed_rows(task, "validation")
    said = lab.serving.predictor(task_name).predict([row["example"] for row in rows])
    unsure = sorted(zip(rows, said, strict=True), key=lambda pair: max(pair[1].probabilities))[:SHOWN]
    lines = "".join(
        f"<tr><td>{highlight.example_text(task, row['example'], 300)}</td>"
        f"<td>{escape(highlight.label_text(task, row['example'], p.label))}</td>"
        f'<td class="num">{100 * max(p.probabilities):.0f} %</td></tr>'
        for row, p in unsure
    )
    head = '<tr><th>example</th><th>answer</th><th class="num">sure</th></tr>'
    return f'<table class="plain">{head}{lines}</table><div class="hint">Try these, or more of their kind.</div>'


def _number(value: float | None) -> str:
    return "·" if value is None else f"{value:.1f}"
