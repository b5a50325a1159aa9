"""The built page in the language of each browser: Gradio's own I18n, without a word of it in the components."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr
from gradio.routes import templates
from jinja2 import ChoiceLoader, DictLoader

from components.languages import SOURCE, catalogue, put
from settings import LANGUAGES

NAME_CHINESE = Path(__file__).with_name("browser.js").read_text(encoding="utf-8")
"""Has to run before Gradio's own script."""
START = "frontend/index.html"
"""Gradio's template of the page."""

TEXTS = ("label", "placeholder", "info")
SPEAKING = (gr.Button, gr.DownloadButton, gr.HTML, gr.Markdown, gr.UploadButton)
"""Components whose value is the page's own text."""


def translate_page(page: gr.Blocks, language: str = "") -> None:
    """Puts the page's texts at rest into the language, or where that is empty into the one of each browser."""
    marks: dict[str, str] = {}

    def mark(text: Any) -> Any:
        if not isinstance(text, str) or all(put(text, catalogue(one)) == text for one in LANGUAGES):
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
    spoken = {SOURCE: language} if language else {one: one for one in LANGUAGES}
    page.i18n_instance = gr.I18n(
        **{code: {key: put(text, catalogue(one)) for text, key in marks.items()} for code, one in spoken.items()}
    )


def greet_browsers() -> None:
    """Puts `NAME_CHINESE` in front of the scripts of Gradio's pages, in which Gradio has no place for one.

    Raises RuntimeError where Gradio's template is another than it was.
    """
    env = templates.env
    source = env.loader.get_source(env, START)[0]  # type: ignore[union-attr]
    script = f"<head>\n<script>\n{NAME_CHINESE}</script>"
    if script in source:
        return
    if "<head>" not in source:
        raise RuntimeError(
            f"Expected <head> in Gradio's {START}; found none. Put the script of browser.js elsewhere."
        )
    mine = DictLoader({START: source.replace("<head>", script, 1)})
    env.loader = ChoiceLoader([mine, env.loader])  # type: ignore[list-item]
