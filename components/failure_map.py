"""A map of what was flagged, in the Review tab: like examples lie near each other; a lasso filters the table."""

from __future__ import annotations

from typing import Any

import gradio as gr

from components import figures, highlight
from components.context import Lab
from components.errors import known_errors
from data.queries import Filters, find_verdicts
from data.tasks import get_task

MOST = 1000
FEWEST = 3
COLOURS = {
    "category": "category",
    "expected label": "expected_label",
    "model said": "predicted_label",
    "cluster": "cluster",
    "live version now": "now",
}
"""What the menu offers, and the column that it shows."""


def build_failure_map(lab: Lab, task: gr.Radio) -> None:
    with gr.Accordion("Map of failures", open=False, elem_id="review-map-box"):
        with gr.Row(equal_height=True):
            colour = gr.Dropdown(list(COLOURS), value="category", label="Coloured by", filterable=False, scale=3)
            draw = gr.Button("Draw the map", scale=2, elem_id="review-map-draw")
        words = gr.HTML(
            highlight.empty("Not drawn yet", "Corrections as points: like ones lie near each other. Draw the map.")
        )
        plot = gr.Plot(show_label=False, visible=False, elem_id="review-map")
    gr.on([draw.click, colour.input], lab.bind(show_map), [task, colour], [words, plot], queue=False)
    task.change(lambda: [gr.update(), gr.update(visible=False)], None, [words, plot], queue=False)


@known_errors
def show_map(lab: Lab, task_name: str, colour: str) -> list[Any]:
    """The newest corrections of the task in two dimensions."""
    from models.embedding import cluster, embed, lay_out

    task = get_task(task_name)
    rows = find_verdicts(lab.db(), Filters(task=task_name, kind="correction"), limit=MOST)
    if len(rows) < FEWEST:
        few = highlight.empty(
            "Too few corrections", f"The map takes at least {FEWEST}; flag some wrong answers first."
        )
        return [few, gr.update(visible=False)]
    texts = [highlight.one_line(task, row["example"], 10**6) for row in rows]
    vectors = embed(texts)
    for row, number in zip(rows, cluster(vectors), strict=True):
        row["cluster"] = f"cluster {number + 1}"
    if COLOURS[colour] == "now":
        said = lab.serving.predictor(task_name).predict([row["example"] for row in rows], batch_size=64)
        for row, prediction in zip(rows, said, strict=True):
            right = str(task.format_label(prediction.label)) == row["expected_label"]
            row["now"] = "right now" if right else "still wrong"
    groups = [str(row[COLOURS[colour]]) for row in rows]
    figure = figures.scatter_map(
        lay_out(vectors), groups, [highlight.shorten(t, 120) for t in texts], [r["id"] for r in rows], colour
    )
    hint = '<div class="hint">Draw round some points with the lasso: the table above shows them.</div>'
    return [hint, gr.update(value=figure, visible=True)]
