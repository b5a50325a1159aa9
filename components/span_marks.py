"""Spans as a person judges them: a text in which `[Anna](PER)` is one, and buttons that mark what is selected."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gradio as gr

from components.context import Lab
from components.languages import t
from components.theme import SPAN_COLORS
from data.tasks import Example, get_task
from data.tasks.spans import Spans, SpanTask, read_marked

_SCRIPT = Path(__file__).with_name("marks.js").read_text(encoding="utf-8")
MARK_SELECTION = _SCRIPT.replace("TYPES", json.dumps([*SPAN_COLORS]))
"""Puts a button for each type under a text of `build_marks`."""
HOW = "Select a name, or put the cursor in it; then its type below, or Alt and the type's first letter (Alt+0: none)."


def build_marks(label: str, elem_id: str) -> gr.Textbox:
    """A text to mark spans in, hidden until it is given one. `elem_id` has to end with "-marks"."""
    return gr.Textbox(label=label, info=HOW, lines=3, max_lines=12, visible=False, elem_id=elem_id)


def to_marks(text: str, spans: Spans) -> str:
    """The text with its spans marked."""
    parts, place = [], 0
    for start, end, name in spans:
        parts += [text[place:start], f"[{text[start:end]}]({name})"]
        place = end
    return "".join([*parts, text[place:]])


def from_marks(task: SpanTask, example: Example, marks: str | None) -> Spans:
    """What a person marked in the example's text. Raises ValueError where that cannot be."""
    plain, spans = read_marked(marks or "")
    if plain.strip() != example[task.fields[0].name]:
        raise ValueError(
            "Expected the text that was run, with marks such as [Anna](PER) alone; found another text. "
            "Take the change back, or run the new text first."
        )
    return task.parse_label(spans, example)


def judge_spans(task: SpanTask, answer: dict[str, Any], category: str) -> list[Any]:
    """Updates for the parts that judge an answer, which is given for a person to correct its spans in."""
    choices = explained_spans(task, answer)
    return [
        gr.update(visible=True),
        gr.update(visible=False),
        gr.update(choices=[], value=None, visible=False),
        category if category in task.categories else "other",
        "",
        gr.update(visible=bool(choices)),
        gr.update(choices=choices, value=choices[0][1] if choices else None),
        "",
        gr.update(value=to_marks(answer["example"][task.fields[0].name], answer["label"]), visible=True),
    ]


def explained_spans(task: SpanTask, answer: dict[str, Any]) -> list[tuple[str, str]]:
    """For the menu of what is explained: the spans found, and words that nearly were one."""
    example = answer["example"]
    found = [((span,), task.label_text((span,), example)) for span in answer["label"]]
    found += [
        ((span,), task.label_text((span,), example) + t(", not found: {share} %", share=f"{100 * p:.0f}"))
        for span, p in answer["nearly"]
    ]
    return [(words, task.format_label(label)) for label, words in found]


def show_spans(lab: Lab, answer: dict[str, Any] | None) -> list[Any]:
    """The spans of a text that was read another way, to correct and to explain."""
    if answer is None or not isinstance(task := get_task(answer["task"]), SpanTask):
        return [gr.skip(), gr.skip()]
    updates = judge_spans(task, answer, "")
    return [updates[-1], updates[-3]]
