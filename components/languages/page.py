"""The built page in the language of each browser: Gradio's own I18n, without a word of it in the components."""

from __future__ import annotations

from typing import Any

import gradio as gr

from components.languages import BROWSERS, SOURCE, catalogue, put

TEXTS = ("label", "placeholder", "info")
SPEAKING = (gr.Button, gr.DownloadButton, gr.HTML, gr.Markdown, gr.UploadButton)
"""Components whose value is the page's own text."""


def translate_page(page: gr.Blocks, language: str = "") -> None:
    """Puts the page's texts at rest into the language, or where that is empty into the one of each browser."""
    marks: dict[str, str] = {}

    def mark(text: Any) -> Any:
        if not isinstance(text, str) or all(put(text, catalogue(one)) == text for one in set(BROWSERS.values())):
            return text
        return gr.I18n()(marks.setdefault(text, f"text-{len(marks)}"))

    for block in page.blocks.values():
        for name in TEXTS:
            if getattr(block, name, None):
                setattr(block, name, mark(getattr(block, name)))
        if isinstance(block, SPEAKING):
            block.value = mark(block.value)
        if getattr(block, "choices", None):
            block.choices = [(mark(name), value) for name, value in block.choices]
    spoken = {SOURCE: language} if language else {one: one for one in (SOURCE, *BROWSERS.values())}
    page.i18n_instance = gr.I18n(
        **{code: {key: put(text, catalogue(one)) for text, key in marks.items()} for code, one in spoken.items()}
    )
