"""Verdicts in and out, in the Review tab: a file is looked through before anything is stored."""

from __future__ import annotations

import dataclasses
from collections import Counter
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import gradio as gr

from components import highlight
from components.context import Lab
from components.errors import known_errors
from components.filter_form import read_filters
from components.languages import t
from components.stored import stored_text
from components.toast import show_toast
from data.formats import SUFFIXES
from data.steps import step_of
from data.tasks import Task, get_task
from data.transfer import Parsed, import_rows, parse_file, without_known

MOST_ANSWERED = 5_000
"""More rows are not put to the live model at import: it would take longer than anybody waits."""
EXPORTS = {"zip": "datasets", "md": "card"}
"""Endings of downloads whose format is called otherwise."""
TITLES = {
    "jsonl": "JSON Lines",
    "csv": "CSV",
    "parquet": "Parquet",
    "zip": "Hugging Face datasets folder",
    "md": "data card",
}


def build_files(
    lab: Lab, task: gr.Radio, annotator: gr.Textbox, filters: list[Any], toast_outputs: list[Any]
) -> list:
    """Returns the events after which rows have changed."""
    quiet = {"queue": False, "show_progress": "hidden"}
    with gr.Row(equal_height=False):
        with gr.Column(), gr.Accordion("Import", open=False):
            gr.HTML(
                '<div class="hint">JSON Lines, CSV or Parquet with the task\'s fields and <code>label</code>, a '
                "zipped <code>datasets</code> folder, or what ANLI, Dynabench, Label Studio and Argilla export. "
                "Nothing is stored before you have seen what was found.</div>"
            )
            upload = gr.File(
                label="File", file_types=list(SUFFIXES), type="filepath", height=120, elem_id="review-file"
            )
            with gr.Row():
                skip = gr.Checkbox(label="Leave out what is stored already", value=True, min_width=150)
                strict = gr.Checkbox(label="All or nothing", value=False, min_width=110)
                ask = gr.Checkbox(label="Ask the live model what it says", value=True, min_width=150)
            preview = gr.HTML()
            bring_in = gr.Button("Import", variant="primary", visible=False)
        with gr.Column(), gr.Accordion("Export", open=False) as export:
            masked = gr.Checkbox(
                label="Mask e-mail addresses, phone, card and identity numbers, and URLs", value=False
            )
            links = gr.HTML()
    shown = [masked, *filters]
    export.expand(lab.bind(export_links), shown, [links], **quiet)
    gr.on([one.change for one in shown], lab.bind(export_links), shown, [links], **quiet)
    gr.on([upload.change, skip.input], lab.bind(preview_import), [task, upload, annotator, skip], [preview, bring_in])
    done = bring_in.click(
        lab.bind(import_upload),
        [task, upload, annotator, skip, strict, ask],
        [*toast_outputs, upload, preview, bring_in],
    )
    return [done]


@known_errors
def preview_import(lab: Lab, task_name: str, path: str | None, annotator: str, skip: bool = True) -> list[Any]:
    """What a file holds, before anything is stored."""
    if not path:
        return ["", gr.update(visible=False)]
    task = get_task(task_name)
    parsed, known = parse_file(Path(path), task), 0
    if skip:
        parsed, known = without_known(lab.db(), task, parsed, annotator)
    return [
        import_summary(task, parsed, known),
        gr.update(visible=bool(parsed.rows), value=t("Import {count} rows", count=f"{len(parsed.rows):,}")),
    ]


def import_summary(task: Task, parsed: Parsed, known: int) -> str:
    """How many rows there are of each label, what was renamed, left out and refused."""
    good, bad = (f"<b>{len(rows):,}</b>" for rows in (parsed.rows, parsed.refused))
    words = t("{count} rows can be imported, {refused} are refused.", count=good, refused=bad)
    if known:
        words += t(" {count} are stored already, or twice in the file, and are left out.", count=f"{known:,}")
    html = [f"<p>{words}</p>"]
    if parsed.mapping:
        renamed = ", ".join(
            t("{theirs} as {ours}", theirs=escape(theirs), ours=escape(ours))
            for ours, theirs in parsed.mapping.items()
        )
        html.append(f'<div class="hint">{t("Read {columns}.", columns=renamed)}</div>')
    labels = Counter(str(task.format_label(row.label)) for row in parsed.rows)
    if labels:
        counts = ", ".join(f"{count:,} {escape(t(label))}" for label, count in labels.most_common())
        html.append(f'<div class="hint">{t("Labels: {counts}.", counts=counts)}</div>')
    refused = "\n".join(map(stored_text, parsed.summary().splitlines()))
    return "".join(html) + (highlight.problem(refused) if refused else "")


@known_errors
def import_upload(
    lab: Lab,
    task_name: str,
    path: str | None,
    annotator: str,
    skip: bool = True,
    strict: bool = False,
    ask: bool = True,
    progress: gr.Progress = gr.Progress(),  # noqa: B008 - how Gradio hands it over
) -> list[Any]:
    """Stores the good rows of the uploaded file; the live model's answer tells which are corrections."""
    from models.answers import answer_rows

    if not path:
        raise ValueError("Choose a file first.")
    task = get_task(task_name)
    parsed = parse_file(Path(path), task)
    if strict and parsed.refused:
        raise ValueError(f"{len(parsed.refused):,} rows are malformed: nothing was imported. Mend them, or allow it.")
    known = 0
    if skip:
        parsed, known = without_known(lab.db(), task, parsed, annotator)
    answers, unasked = None, ""
    if ask and len(parsed.rows) <= MOST_ANSWERED:
        answers = answer_rows(lab.serving.predictor(task_name), parsed.rows)
    elif any(row.kind is None for row in parsed.rows):
        unasked = t(" Rows that do not say what they are count as corrections: the model was not asked.")
    ids = import_rows(
        lab.db(),
        task,
        parsed,
        annotator=annotator,
        answers=answers,
        on_progress=lambda done, total: progress((done, total), desc="Importing", unit="rows"),
    )
    message = t("Imported {count} rows.", count=f"{len(ids):,}")
    if parsed.refused:
        message += t(" {count} were refused.", count=f"{len(parsed.refused):,}")
    if known:
        message += t(" {count} were stored already.", count=f"{known:,}")
    step = step_of(lab.db(), ids[0]) if ids else None
    return [*show_toast(message + unasked, step), None, "", gr.update(visible=False)]


def export_links(lab: Lab, masked: bool, task_name: str, *values: Any) -> str:
    """Links that download what the filters show."""
    filters, _ = read_filters(task_name, *values)
    chosen = {name: value for name, value in dataclasses.asdict(filters).items() if value not in (None, "", False)}
    query = urlencode(
        {name: value for name, value in chosen.items() if name != "task"} | ({"masked": 1} if masked else {})
    )
    links = " · ".join(
        f'<a href="export/{task_name}.{format}?{escape(query)}" download>{t(title)}</a>'
        for format, title in TITLES.items()
    )
    return f'<div class="hint">{t("Download what the filters above show")}: {links}</div>'
