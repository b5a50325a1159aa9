"""A suite of one's own in the Blind spots tab: templates with slots, a look at their rows, and saved."""

from __future__ import annotations

import json
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from components import highlight
from components.context import Lab
from components.errors import known_errors
from components.languages import named, t
from components.toast import build_toast, hide_toast, show_toast
from data.suites import all_suites, compose, expand, parse_suite, read_suite, remove_suite, save_suite
from data.tasks import TASKS, Task, get_task

PREVIEWED = 8
GOES = {
    "up": "{label} goes up from the first to the second",
    "down": "{label} goes down from the first to the second",
}
SAVED = "Suite {suite} saved for {task}; Run the suites takes it along."
SLOTS = "name: @women\ncity: @cities\nperson: nurse, pilot, baker, judge\nverb: praised, blamed, hired"
TEMPLATES = {
    "nli": "The {person1} {verb} the {person2}. | The {person2} {verb} the {person1}. | neutral\n"
    "The {person1} {verb} the {person2}. | The {person1} {verb} the {person2}. || "
    "Today the {person1} {verb} the {person2}. | The {person1} {verb} the {person2}.",
    "sentiment": "The {person} was not bad at all. | positive\nThe {person} was fine. || The {person} was superb. | "
    "positive up",
    "ner": "[{name}](PER) has left [{city}](LOC).\nNobody in [{city}](LOC) knew the {person}.",
    "labels": "The {person1} fixed the pump. | work / weather / music | 1",
    "commonsense": "The {person1} {verb} the {person2}. | Who was {verb}? | the {person1} / the {person2} | 2",
}
HELP = (
    '<div class="hint">One template a line: the fields and the right label with bars between them. A word in braces '
    "is a slot; {person1} and {person2} are different people. <b>FIELDS || FIELDS</b> says that both get the same "
    "answer; with <b>| positive up</b> behind, that this label's probability rises. A slot may take a list that is "
    "there: <code>person: @names</code>. Entities are marked in the text: <code>[{name}](PER) left.</code></div>"
)


def build_suite_form(lab: Lab, task: gr.Radio) -> None:
    first = next(iter(TASKS.values()))
    with gr.Accordion("Add a suite of your own", open=False, elem_id="suite-form"):
        with gr.Row():
            name = gr.Textbox(label="Name", placeholder="tall_tales", max_lines=1)
            category = gr.Dropdown(list(first.categories), value="other", label="Category", filterable=False)
        tests = gr.Textbox(
            label="What it tests", placeholder="One line: what is asked and why models fail", max_lines=2
        )
        slots = gr.Textbox(label="Slots", placeholder=SLOTS, lines=3, elem_id="suite-slots")
        templates = gr.Textbox(
            label="Templates", placeholder=TEMPLATES[first.name], lines=4, elem_id="suite-templates"
        )
        gr.HTML(HELP)
        with gr.Row(elem_classes="tight"):
            look = gr.Button("Preview its rows", elem_id="suite-preview")
            save = gr.Button("Save the suite", variant="primary", elem_id="suite-save")
        preview = gr.HTML()
        upload = gr.File(
            label="Or a suite as a file (JSON)",
            file_types=[".json"],
            type="filepath",
            height=120,
            elem_id="suite-file",
        )
    toast = build_toast("suite")
    quiet = {"queue": False, "show_progress": "hidden"}
    given = [task, name, category, tests, slots, templates]
    task.change(lab.bind(change_task), [task], [category, templates, preview], **quiet)
    look.click(lab.bind(preview_suite), given, [preview], **quiet)
    save.click(lab.bind(keep_suite), given, [*toast.outputs, preview], **quiet)
    upload.upload(lab.bind(keep_file), [upload], [*toast.outputs, preview, upload], **quiet)
    toast.undo.click(lab.bind(undo), [toast.token], toast.outputs, **quiet)


def change_task(lab: Lab, task_name: str) -> list[Any]:
    return [
        gr.update(choices=named(get_task(task_name).categories), value="other"),
        gr.update(placeholder=TEMPLATES[task_name]),
        "",
    ]


@known_errors
def preview_suite(lab: Lab, task_name: str, name: str, category: str, tests: str, slots: str, templates: str) -> str:
    """Some rows that the lines give."""
    task = get_task(task_name)
    raw = compose(task, name or "preview", category, tests, slots, templates or TEMPLATES[task_name])
    return rows_html(task, expand(parse_suite(raw, "This suite"), PREVIEWED, 0, fewer=True))


def rows_html(task: Task, rows: list[dict[str, Any]]) -> str:
    """Rows of a suite, each with what is expected."""
    lines = "".join(f"<tr><td>{row_html(task, row)}</td><td>{escape(expected(task, row))}</td></tr>" for row in rows)
    head = t("<tr><th>row</th><th>expected</th></tr>")
    return f'<div class="panel"><table class="plain">{head}{lines}</table></div>'


def row_html(task: Task, row: dict[str, Any]) -> str:
    """A row's example in one line, and the second one where two are compared."""
    second = f" <b>⇄</b> {highlight.example_text(task, row['second'])}" if "second" in row else ""
    return highlight.example_text(task, row["example"]) + second


def expected(task: Task, row: dict[str, Any]) -> str:
    """What is right for the row, in words."""
    if "direction" in row:
        label, change = row["direction"]
        words = GOES[change]
        return t(words, label=highlight.label_text(task, row["example"], label))
    if "second" in row:
        return t("the same answer")
    return highlight.label_text(task, row["example"], row["label"])


@known_errors
def keep_suite(
    lab: Lab, task_name: str, name: str, category: str, tests: str, slots: str, templates: str
) -> list[Any]:
    """Saves the suite in the workspace; the next run takes it along."""
    return [*_keep(lab, compose(get_task(task_name), name, category, tests, slots, templates)), ""]


@known_errors
def keep_file(lab: Lab, path: str | None) -> list[Any]:
    """Saves a suite file in the workspace, for the task that it names, and shows some of its rows."""
    if not path:
        raise ValueError("Choose a file first.")
    suite = read_suite(Path(path))
    saved = _keep(lab, json.loads(Path(path).read_text(encoding="utf-8")))
    return [*saved, rows_html(suite.task, expand(suite, PREVIEWED, 0, fewer=True)), None]


def _keep(lab: Lab, raw: dict[str, Any]) -> list[Any]:
    if raw["name"] in [suite.name for suite in all_suites(raw["task"], lab.settings.suites)]:
        raise ValueError(f"There is a suite {raw['name']!r} already; choose another name.")
    suite = save_suite(lab.settings.suites, raw)
    words = t(SAVED, suite=escape(suite.name), task=t(escape(suite.task.title)))
    return show_toast(words, (suite.task.name, suite.name))


@known_errors
def undo(lab: Lab, saved: tuple[str, str] | None) -> list[Any]:
    """Takes the suite just saved back."""
    if saved:
        task_name, name = saved
        for suite in all_suites(task_name, lab.settings.suites):
            if suite.name == name:
                remove_suite(lab.settings.suites, suite)
    return hide_toast()
