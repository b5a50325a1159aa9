"""What was done, in the Review tab: the newest steps, each of which can be undone, and a row's history."""

from __future__ import annotations

from html import escape
from typing import Any

import gradio as gr

from components import highlight
from components.context import Lab
from components.errors import known_errors
from components.languages import t
from components.toast import show_toast
from data.steps import history, recent_steps, undo_last, undo_step

WORDS = {
    "flag": "judged",
    "edit": "edited",
    "archive": "deleted",
    "restore": "took back",
    "import": "imported",
    "relabel": "relabelled",
    "recategorise": "recategorised",
    "assign": "assigned",
    "undo": "undid",
}
COLUMNS = {
    "expected_label": "label",
    "kind": "kind",
    "category": "category",
    "note": "note",
    "assigned_to": "assigned to",
    "annotator": "annotator",
}
NAMED = ("expected_label", "kind", "category")
"""Columns whose values are names of ours; the others hold a person's words."""
NOTHING = highlight.empty("Nothing done yet", "Each flag, edit, import and bulk act appears here and can be undone.")


def build_steps(lab: Lab, annotator: gr.Textbox, tab: gr.Tab, toast_outputs: list[Any]) -> Any:
    """Returns the event after which rows have changed."""
    with gr.Accordion("What was done", open=False, elem_id="review-steps") as box:
        empty = gr.HTML(NOTHING)
        steps = gr.Radio([], label="Newest steps", visible=False, elem_id="review-steps-list")
        with gr.Row(elem_classes="tight"):
            undo = gr.Button("Undo this step", visible=False, elem_id="review-steps-undo")
            last = gr.Button("Undo my last step", elem_id="review-undo-last")
    quiet = {"queue": False, "show_progress": "hidden"}
    view = [empty, steps, undo]
    again = {"fn": lab.bind(show_steps), "inputs": None, "outputs": view, **quiet}
    gr.on([tab.select, box.expand], **again)
    one = undo.click(lab.bind(undo_chosen), [steps, annotator], toast_outputs, **quiet)
    mine = last.click(lab.bind(undo_mine), [annotator], toast_outputs, **quiet)
    done = [one.success(**again), mine.success(**again)]
    return done


@known_errors
def show_steps(lab: Lab) -> list[Any]:
    rows = recent_steps(lab.db())
    if not rows:
        return [t(NOTHING), gr.update(visible=False), gr.update(visible=False)]
    choices = [(step_text(row), row["id"]) for row in rows]
    return ["", gr.update(choices=choices, value=None, visible=True), gr.update(visible=True)]


def step_text(step: dict[str, Any]) -> str:
    undone = t(" (undone)") if step["undone_by"] else ""
    what = (
        t("step {number}", number=step["undoes"])
        if step["undoes"]
        else t("1 row" if step["verdicts"] == 1 else "{count} rows", count=f"{step['verdicts']:,}")
    )
    time = step["created_at"][:16].replace("T", " ")
    return f"{step['id']} · {time} · {step['who']} {t(WORDS.get(step['act'], step['act']))} {what}{undone}"


@known_errors
def undo_chosen(lab: Lab, step_id: int | None, annotator: str) -> list[Any]:
    if step_id is None:
        raise ValueError("Choose a step first.")
    return undone_toast(undo_step(lab.db(), int(step_id), by=annotator))


@known_errors
def undo_mine(lab: Lab, annotator: str) -> list[Any]:
    return undone_toast(undo_last(lab.db(), by=annotator))


def undone_toast(found: dict[str, Any]) -> list[Any]:
    left = t(" {count} were changed since and stay.", count=f"{found['left']:,}") if found["left"] else ""
    return show_toast(t("Undone: {count} rows.", count=f"{found['undone']:,}") + left, found["step"])


def value_text(name: str, value: Any) -> str:
    """A column's value, escaped, as a person reads it."""
    text = str(value or "")
    return escape(t(text) if name in NAMED else text)


def history_html(lab: Lab, verdict_id: int) -> str:
    """Who did what to a row, when, and what it was before."""
    lines = []
    for event in history(lab.db(), verdict_id):
        changes = ""
        if event["before"] is not None:
            changes = "; ".join(
                f"{t(COLUMNS[name])}: <s>{value_text(name, before)}</s> {value_text(name, event['after'][name])}"
                for name, before in event["before"].items()
                if name in COLUMNS
            )
        time = event["created_at"][:16].replace("T", " ")
        words = WORDS.get(event["act"], event["act"])
        lines.append(f"<li>{time} UTC · <b>{escape(event['who'])}</b> {escape(t(words))}. {changes}</li>")
    listed = f'<ol style="margin:4px 0 0; padding-left:20px">{"".join(lines)}</ol>'
    return f'<div class="hint"><b>{t("History")}</b>{listed}</div>'
