"""Figures of what is in the store, in the Review tab: failures by week and category, and how sure the model was."""

from __future__ import annotations

from typing import Any

import gradio as gr

from components import figures, highlight
from components.context import Lab
from components.errors import known_errors
from data.queries import judged_confidences, weekly_failures

NOTHING = highlight.empty("Nothing to draw yet", "Flag a wrong answer in the Probe tab, or import a file below.")
HINT = '<div class="hint">The camera above a figure saves it as PNG.</div>'


def build_dashboard(lab: Lab, task: gr.Radio, tab: gr.Tab) -> None:
    with gr.Accordion("Figures", open=False, elem_id="review-figures") as box:
        words = gr.HTML(NOTHING)
        with gr.Row():
            weeks = gr.Plot(show_label=False, visible=False)
            sure = gr.Plot(show_label=False, visible=False)
    gr.on(
        [tab.select, task.change, box.expand],
        lab.bind(show_figures),
        [task],
        [words, weeks, sure],
        queue=False,
        show_progress="hidden",
    )


@known_errors
def show_figures(lab: Lab, task_name: str) -> list[Any]:
    """Both figures; where there is nothing to draw, what to do about it."""
    weekly, judged = weekly_failures(lab.db(), task_name), judged_confidences(lab.db(), task_name)
    if not weekly:
        return [NOTHING, gr.update(visible=False), gr.update(visible=False)]
    return [
        HINT,
        gr.update(value=figures.failures_by_week(weekly), visible=True),
        gr.update(value=figures.confidences(judged), visible=bool(judged)),
    ]
