"""In the Probe tab, while a person types: somebody flagged this, or nearly this, already; and the way to it."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr

from components import highlight
from components.context import Lab
from components.languages import t
from components.review import open_in_review
from components.task_form import read_form
from data.roles import sign
from data.tasks import get_task

log = logging.getLogger("blindspot.page")


@dataclass(frozen=True)
class Alike:
    row: gr.Row
    words: gr.HTML
    look: gr.Button
    """Pressed by `page.js` after a pause in typing."""
    show: gr.Button
    verdict_id: gr.State

    @property
    def outputs(self) -> list[Any]:
        return [self.row, self.words, self.verdict_id]


def build_alike() -> Alike:
    with gr.Row(visible=False, elem_id="probe-alike", equal_height=True) as row:
        words = gr.HTML()
        show = gr.Button("Open it", size="sm", scale=0, min_width=90, elem_id="probe-alike-open")
    look = gr.Button("Look for the same", elem_id="probe-alike-look", elem_classes="offscreen")
    return Alike(row, words, look, show, gr.State(None))


def join_alike(lab: Lab, alike: Alike, task: gr.Radio, review_outputs: list[Any]) -> None:
    """Joins the note's button to the Review tab, whose parts (the tabs first) are `review_outputs`."""
    alike.show.click(
        lab.bind(open_in_review),
        [task, alike.verdict_id],
        review_outputs,
        queue=False,
        show_progress="hidden",
    )


def look_for_alike(lab: Lab, task_name: str, annotator: str, *values: Any) -> list[Any]:
    """Says where what the form holds was flagged before; nothing where it was not, or the form is not filled yet.

    A help that fails is no hindrance: the reason goes to the log.
    """
    from models.alike import find_alike

    try:
        example = read_form(task_name, values)
    except ValueError:
        return hide_alike()
    try:
        found = find_alike(lab.db(), get_task(task_name), example)
    except RuntimeError as error:
        log.warning("look_for_alike: %s", error)
        return hide_alike()
    if found is None:
        return hide_alike()
    return [gr.update(visible=True), alike_html(task_name, found, sign(annotator)), found["id"]]


def hide_alike() -> list[Any]:
    return [gr.update(visible=False), "", None]


def alike_html(task_name: str, found: dict[str, Any], me: str) -> str:
    task, example = get_task(task_name), found["example"]
    index = task.parse_label(found["expected_label"], example)
    label = escape(highlight.shorten(highlight.label_text(task, example, index), 60))
    mine = found["annotator"] == me
    who = t("You") if mine else escape(found["annotator"])
    what = t(
        "corrected to {label}" if found["kind"] == "correction" else "{label} confirmed", label=f"<b>{label}</b>"
    )
    what += "" if mine else t(" by {who}", who=who)
    if found["exact"]:
        words = t("{who} flagged this very example already ({what}).", who=who, what=what)
    else:
        text = f"<q>{highlight.example_text(task, example, 160)}</q>"
        words = t("{who} flagged nearly the same already: {text} ({what}).", who=who, text=text, what=what)
    return f'<div class="alike" role="status">{words}</div>'
