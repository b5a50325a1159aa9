"""Spans as a person marks them: a text in which `[Anna](PER)` is one, and buttons that mark what is selected."""

from __future__ import annotations

import json
from pathlib import Path

import gradio as gr

from components.theme import SPAN_COLORS
from data.tasks import Example
from data.tasks.spans import Spans, SpanTask, read_marked

_SCRIPT = Path(__file__).with_name("marks.js").read_text(encoding="utf-8")
MARK_SELECTION = _SCRIPT.replace("TYPES", json.dumps([*SPAN_COLORS]))
"""Puts a button for each type under a text of `build_marks`."""


def build_marks(label: str, elem_id: str) -> gr.Textbox:
    """A text to mark spans in, hidden until it is given one. `elem_id` has to end with "-marks"."""
    return gr.Textbox(label=label, lines=3, max_lines=12, visible=False, elem_id=elem_id)


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
