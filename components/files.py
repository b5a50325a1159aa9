"""Verdicts in and out, in the Review tab: a file is looked through before anything is stored."""

from __future__ import annotations

import dataclasses
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import gradio as gr

from components import highlight
from components.context import Lab
from components.errors import known_errors
from components.filter_form import read_filters
from components.toast import show_toast
from data.steps import step_of
from data.tasks import get_task
from data.transfer import Parsed, import_rows, parse_file


def build_files(
    lab: Lab, task: gr.Radio, annotator: gr.Textbox, filters: list[Any], toast_outputs: list[Any]
) -> list:
    """Returns the events after which rows have changed."""
    quiet = {"queue": False, "show_progress": "hidden"}
    with gr.Row(equal_height=False):
        with gr.Column(), gr.Accordion("Import", open=False):
            gr.HTML(
                '<div class="hint">JSON Lines or CSV with the task\'s fields and <code>label</code>; optional are '
                "<code>phenomenon</code>, <code>note</code>, <code>annotator</code>. Nothing is stored before you "
                "have seen what was found.</div>"
            )
            upload = gr.File(
                label="File", file_types=[".jsonl", ".csv"], type="filepath", height=120, elem_id="review-file"
            )
            preview = gr.HTML()
            bring_in = gr.Button("Import", variant="primary", visible=False)
        with gr.Column(), gr.Accordion("Export", open=False) as export:
            links = gr.HTML()
    export.expand(lab.bind(export_links), filters, [links], **quiet)
    gr.on([one.change for one in filters], lab.bind(export_links), filters, [links], **quiet)
    upload.change(lab.bind(preview_import), [task, upload], [preview, bring_in], **quiet)
    done = bring_in.click(
        lab.bind(import_upload),
        [task, upload, annotator],
        [*toast_outputs, upload, preview, bring_in],
        queue=False,
    )
    return [done]


@known_errors
def preview_import(lab: Lab, task_name: str, path: str | None) -> list[Any]:
    """What a file holds, before anything is stored."""
    if not path:
        return ["", gr.update(visible=False)]
    parsed = parse_file(Path(path), get_task(task_name))
    return [
        import_summary(parsed),
        gr.update(visible=bool(parsed.rows), value=f"Import {len(parsed.rows):,} rows"),
    ]


def import_summary(parsed: Parsed) -> str:
    html = f"<p><b>{len(parsed.rows):,}</b> rows can be imported, <b>{len(parsed.refused):,}</b> are refused.</p>"
    return html + (highlight.problem(parsed.summary()) if parsed.refused else "")


@known_errors
def import_upload(lab: Lab, task_name: str, path: str | None, annotator: str) -> list[Any]:
    """Stores the good rows of the uploaded file; the live model's answer tells which are corrections."""
    from models.answers import answer_rows

    if not path:
        raise ValueError("Choose a file first.")
    task = get_task(task_name)
    parsed = parse_file(Path(path), task)
    answers = answer_rows(lab.serving.predictor(task_name), parsed.rows)
    ids = import_rows(lab.db(), task, parsed, annotator=annotator, answers=answers)
    message = f"Imported {len(ids):,} rows." + (f" {len(parsed.refused):,} were refused." if parsed.refused else "")
    step = step_of(lab.db(), ids[0]) if ids else None
    return [*show_toast(message, step), None, "", gr.update(visible=False)]


def export_links(lab: Lab, task_name: str, *values: Any) -> str:
    """Links that download what the filters show."""
    filters, _ = read_filters(task_name, *values)
    chosen = {name: value for name, value in dataclasses.asdict(filters).items() if value not in (None, "", False)}
    query = urlencode({name: value for name, value in chosen.items() if name != "task"})
    links = " · ".join(
        f'<a href="export/{task_name}.{format}?{escape(query)}" download>{title}</a>'
        for format, title in (("jsonl", "JSON Lines"), ("csv", "CSV"), ("parquet", "Parquet"))
    )
    return f'<div class="hint">Download what the filters above show: {links}</div>'
