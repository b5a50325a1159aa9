"""The gallery of hard cases: the project's own examples by category, one click from the form."""

from __future__ import annotations

from html import escape
from typing import Any

import gradio as gr

from components import highlight
from components.context import Lab
from components.task_form import fill_form
from data.seed import seed_rows
from data.tasks import get_task

ALL = "all categories"


def gallery_categories(task_name: str) -> list[str]:
    found = {row["category"] for row in seed_rows(get_task(task_name), "gallery")}
    return [*(c for c in get_task(task_name).categories if c in found), ALL]


def gallery_choices(task_name: str, category: str) -> list[tuple[str, int]]:
    """The gallery's rows of a category, each with its place in the whole gallery."""
    task = get_task(task_name)
    return [
        (highlight.one_line(task, row["example"]), i)
        for i, row in enumerate(seed_rows(task, "gallery"))
        if category in (ALL, row["category"])
    ]


def filter_gallery(lab: Lab, task_name: str, category: str) -> Any:
    return gr.update(choices=gallery_choices(task_name, category), value=None)


def pick_sample(lab: Lab, task_name: str, picked: int) -> list[Any]:
    """Fills the form with a gallery row and says what it is about."""
    task = get_task(task_name)
    row = seed_rows(task, "gallery")[picked]
    truth = escape(str(highlight.label_text(task, row["example"], row["label"])))
    about = f"<b>{escape(row['category'])}.</b> {escape(row['note'])} Right answer: <b>{truth}</b>."
    note = f'<div class="hint">{about}</div>'
    return [*fill_form(task_name, row["example"]), row["category"], note]
