"""Change many rows at once, in the Review tab: what would change, then the change, undone as a whole."""

from __future__ import annotations

from html import escape
from typing import Any

import gradio as gr

from components import highlight
from components.context import Lab
from components.errors import known_errors
from components.filter_form import read_filters
from components.languages import named, t
from components.toast import show_toast
from data.bulk import apply, preview
from data.queries import facets
from data.tasks import get_task
from data.tasks.spans import SpanTask

ACTS = {
    "Give another label": "relabel",
    "Move to a category": "recategorise",
    "Assign the second look": "assign",
    "Delete": "archive",
}
HEAD = '<tr><th>from</th><th>to</th><th class="num">rows</th></tr>'
HINT = (
    '<div class="hint">Acts on all rows that the filters above find, not on the page alone. You see what changes '
    "before anything does, and can undo it whole.</div>"
)


def build_bulk(lab: Lab, task: gr.Radio, annotator: gr.Textbox, filters: list[Any], toast_outputs: list[Any]) -> Any:
    """Returns the event after which rows have changed."""
    planned = gr.State(None)
    with gr.Accordion("Change many", open=False, elem_id="review-bulk"):
        gr.HTML(HINT)
        with gr.Row(equal_height=True):
            act = gr.Dropdown(list(ACTS), value=next(iter(ACTS)), label="What to do", filterable=False)
            value = gr.Dropdown([], label="To", allow_custom_value=True, elem_id="review-bulk-value")
            look = gr.Button("Preview", scale=0, min_width=120, elem_id="review-bulk-preview")
        shown = gr.HTML()
        do = gr.Button("Apply", variant="primary", visible=False, elem_id="review-bulk-apply")
    quiet = {"queue": False, "show_progress": "hidden"}
    gr.on([act.change, task.change], lab.bind(offer_values), [task, act], [value, shown, do], **quiet)
    value.focus(lab.bind(offer_values), [task, act], [value, shown, do], **quiet)
    look.click(lab.bind(show_preview), [act, value, *filters], [shown, do, planned], queue=False)
    return do.click(lab.bind(apply_plan), [planned, annotator], [*toast_outputs, shown, do, planned], queue=False)


def offer_values(lab: Lab, task_name: str, act: str) -> list[Any]:
    """What the rows can be changed to."""
    task, act = get_task(task_name), ACTS[act]
    choices = {
        "relabel": list(task.labels) or (["none"] if isinstance(task, SpanTask) else [str(i) for i in range(5)]),
        "recategorise": list(task.categories),
        "assign": facets(lab.db(), task_name)["annotator"],
        "archive": [],
    }[act]
    return [gr.update(choices=named(choices), visible=act != "archive"), "", gr.update(visible=False)]


@known_errors
def show_preview(lab: Lab, act: str, value: str | None, task_name: str, *filters: Any) -> list[Any]:
    """How many rows go from what to what, before anything is written."""
    found = preview(lab.db(), read_filters(task_name, *filters)[0], ACTS[act], value or "")
    count = sum(found["changes"].values())
    lines = "".join(
        f"<tr><td>{escape(t(before or 'nobody'))}</td><td>{escape(t(after or 'nobody'))}</td>"
        f'<td class="num">{n:,}</td></tr>'
        for (before, after), n in sorted(found["changes"].items(), key=lambda item: -item[1])
    )
    found_rows = t("Of {found} rows found, {count} change.", found=f"{found['matching']:,}", count=f"{count:,}")
    html = f'<div class="hint">{found_rows}</div>'
    if lines:
        html += f'<table class="plain">{t(HEAD)}{lines}</table>'
    if found["refused"]:
        reasons = "\n".join(
            t("{count} rows cannot: {reason}", count=f"{n:,}", reason=t(reason))
            for reason, n in found["refused"].items()
        )
        html += highlight.problem(reasons)
    plan = {"ids": found["ids"], "act": ACTS[act], "value": value or ""} if count else None
    return [html, gr.update(visible=bool(count), value=t("Change {count} rows", count=f"{count:,}")), plan]


@known_errors
def apply_plan(lab: Lab, plan: dict[str, Any] | None, annotator: str) -> list[Any]:
    """Does what the preview showed."""
    if plan is None:
        raise ValueError("Look at the preview first.")
    step = apply(lab.db(), plan["ids"], plan["act"], plan["value"], by=annotator)
    message = t("Rows changed." if step else "Nothing was left to change.")
    return [*show_toast(message, step), "", gr.update(visible=False), None]
