"""A note at the foot of the page that says what was done, with a button that undoes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr


@dataclass(frozen=True)
class Toast:
    row: gr.Row
    message: gr.HTML
    undo: gr.Button
    token: gr.State
    """What the tab's undo handler needs; None where there is nothing to undo."""

    @property
    def outputs(self) -> list[Any]:
        return [self.row, self.message, self.token]


def build_toast(prefix: str) -> Toast:
    with gr.Row(visible=False, elem_classes="toast", elem_id=f"{prefix}-toast") as row:
        message = gr.HTML()
        undo = gr.Button("Undo", size="sm", elem_id=f"{prefix}-undo")
    return Toast(row, message, undo, gr.State(None))


def show_toast(message: str, token: Any) -> list[Any]:
    """Updates for `Toast.outputs`. The text is ours; what people wrote must be escaped before."""
    return [gr.update(visible=True), f'<span role="status">{message}</span>', token]


def hide_toast() -> list[Any]:
    return [gr.update(visible=False), "", None]
