"""A map of what was flagged, in the Review tab: like examples lie near each other; a lasso filters the table."""

from __future__ import annotations

from typing import Any

import gradio as gr

from components import figures, highlight
from components.context import Lab
from components.errors import known_errors
from components.languages import t
from data.queries import Filters, find_verdicts
from data.tasks import Task, get_task
from data.versions import lineage, live_version

MOST = 1000
MOST_VERSIONS = 6
"""So far back the line of the live version is asked what it fixed."""
FEWEST = 3
STILL_WRONG = "still wrong"
COLOURS = {
    "category": "category",
    "expected label": "expected_label",
    "model said": "predicted_label",
    "cluster": "cluster",
    "version fixed in": "fixed_in",
}
"""What the menu offers, and the column that it shows."""
NOT_DRAWN = highlight.empty("Not drawn yet", "Corrections as points: like ones lie near each other. Draw the map.")


def build_failure_map(lab: Lab, task: gr.Radio) -> None:
    with gr.Accordion("Map of failures", open=False, elem_id="review-map-box"):
        with gr.Row(equal_height=True):
            colour = gr.Dropdown(list(COLOURS), value="category", label="Coloured by", filterable=False, scale=3)
            draw = gr.Button("Draw the map", scale=2, elem_id="review-map-draw")
        words = gr.HTML(NOT_DRAWN)
        plot = gr.Plot(show_label=False, visible=False, elem_id="review-map")
    gr.on([draw.click, colour.input], lab.bind(show_map), [task, colour], [words, plot], queue=False)
    task.change(lab.bind(lambda _lab: [t(NOT_DRAWN), gr.update(visible=False)]), None, [words, plot], queue=False)


@known_errors
def show_map(lab: Lab, task_name: str, colour: str) -> list[Any]:
    """The newest corrections of the task in two dimensions."""
    from models.embedding import cluster, embed, lay_out

    task = get_task(task_name)
    rows = find_verdicts(lab.db(), Filters(task=task_name, kind="correction"), limit=MOST)
    if len(rows) < FEWEST:
        few = highlight.empty(
            t("Too few corrections"),
            t("The map takes at least {count}; flag some wrong answers first.", count=FEWEST),
        )
        return [few, gr.update(visible=False)]
    texts = [highlight.one_line(task, row["example"], 10**6) for row in rows]
    vectors = embed(texts)
    for row, number in zip(rows, cluster(vectors), strict=True):
        row["cluster"] = t("cluster {number}", number=number + 1)
    if COLOURS[colour] == "fixed_in":
        for row, version_id in zip(rows, fixed_in(lab, task, rows), strict=True):
            row["fixed_in"] = version_id
    groups = [str(row[COLOURS[colour]]) for row in rows]
    figure = figures.scatter_map(
        lay_out(vectors), groups, [highlight.shorten(t, 120) for t in texts], [r["id"] for r in rows], colour
    )
    hint = t('<div class="hint">Draw round some points with the lasso: the table above shows them.</div>')
    return [hint, gr.update(value=figure, visible=True)]


def fixed_in(lab: Lab, task: Task, rows: list[dict[str, Any]]) -> list[str]:
    """For each correction the version of the live one's line from which on it is right, or that it still is not."""
    line = [row["id"] for row in lineage(lab.db(), live_version(lab.db(), task.name))][-MOST_VERSIONS:]
    found, open_rows = [t(STILL_WRONG)] * len(rows), list(range(len(rows)))
    for version_id in reversed(line):
        if not open_rows:
            break
        said = lab.serving.predictor(task.name, version_id).predict(
            [rows[i]["example"] for i in open_rows], batch_size=64
        )
        open_rows = [
            i
            for i, prediction in zip(open_rows, said, strict=True)
            if str(task.format_label(prediction.label)) == rows[i]["expected_label"]
        ]
        for i in open_rows:
            found[i] = t("right in {version} already", version=version_id) if version_id == line[0] else version_id
    return found
