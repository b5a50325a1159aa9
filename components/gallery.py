"""The gallery of hard cases: the project's own examples by category, one click from the form."""

from __future__ import annotations

from html import escape
from typing import Any

import gradio as gr

from components import highlight
from components.context import Lab
from components.languages import t
from components.task_form import fill_form
from data.seed import CHINESE, seed_rows
from data.tasks import get_task

ALL = "all categories"
IN_CHINESE = "in Chinese"
MULTILINGUAL = "For multilingual models: the English starters read English alone."


def gallery_rows(task_name: str) -> list[dict[str, Any]]:
    """The task's hard cases, those in Chinese last, each with the menu's entries `under` which it stands."""
    task = get_task(task_name)
    english = [{**row, "under": (row["category"], ALL)} for row in seed_rows(task, "gallery")]
    return english + [{**row, "under": (IN_CHINESE,)} for row in seed_rows(task, CHINESE)]


def gallery_categories(task_name: str) -> list[str]:
    found = {name for row in gallery_rows(task_name) for name in row["under"]}
    return [*(c for c in get_task(task_name).categories if c in found), ALL, IN_CHINESE]


def gallery_choices(task_name: str, category: str) -> list[tuple[str, int]]:
    """The gallery's rows under an entry of the menu, each with its place in the whole gallery."""
    return [
        (highlight.one_line(get_task(task_name), row["example"]), i)
        for i, row in enumerate(gallery_rows(task_name))
        if category in row["under"]
    ]


def filter_gallery(lab: Lab, task_name: str, category: str) -> Any:
    return gr.update(choices=gallery_choices(task_name, category), value=None)


def pick_sample(lab: Lab, task_name: str, picked: int) -> list[Any]:
    """Fills the form with a gallery row and says what it is about."""
    task = get_task(task_name)
    row = gallery_rows(task_name)[picked]
    truth = escape(str(highlight.label_text(task, row["example"], row["label"])))
    about = f"<b>{escape(t(row['category']))}.</b> {escape(row['note'])} {t('Right answer')}: <b>{truth}</b>."
    if IN_CHINESE in row["under"]:
        about += f" {t(MULTILINGUAL)}"
    note = f'<div class="hint">{about}</div>'
    return [*fill_form(task_name, row["example"]), row["category"], note]
