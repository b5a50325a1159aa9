"""What a person chose last stays chosen: label, category and name, also when the page is loaded again."""

from __future__ import annotations

from typing import Any

import gradio as gr

from components.context import Lab
from data.roles import acting
from data.tasks import get_task

KEY = "blindspot-last"


def build_last() -> gr.BrowserState:
    """Kept by the browser: `annotator`, `category`, and by task the expected `labels`. Nothing in it is secret."""
    return gr.BrowserState({}, storage_key=KEY, secret=KEY)


def remember(
    lab: Lab,
    last: dict[str, Any] | None,
    answer: dict[str, Any] | None,
    expected: int | None,
    category: str,
    annotator: str,
) -> dict[str, Any]:
    """What was just submitted, over what was kept; choices are the example's own, so that only labels are kept."""
    last = last or {}
    labels = dict(last.get("labels") or {})
    if answer is not None and expected is not None and (names := get_task(answer["task"]).labels):
        labels[answer["task"]] = names[int(expected)]
    return {**last, "labels": labels, "category": category, "annotator": annotator}


def remember_right(lab: Lab, last: dict[str, Any] | None, category: str, annotator: str) -> dict[str, Any]:
    """What was confirmed tells nothing of the label that is expected next."""
    return remember(lab, last, None, None, category, annotator)


def remember_name(lab: Lab, last: dict[str, Any] | None, annotator: str) -> dict[str, Any]:
    return {**(last or {}), "annotator": annotator}


def restore(lab: Lab, last: dict[str, Any] | None, task_name: str) -> list[Any]:
    """Updates for name and category of a page just loaded; an account's name stays."""
    last = last or {}
    name = last.get("annotator") if acting().name is None else None
    category = last.get("category")
    return [name or gr.skip(), category if category in get_task(task_name).categories else gr.skip()]


def keep_label(lab: Lab, last: dict[str, Any] | None, answer: dict[str, Any] | None) -> Any:
    """An update for the expected labels of a new answer: the one chosen last, unless the model says so itself."""
    if answer is None:
        return gr.skip()
    labels, kept = get_task(answer["task"]).labels, ((last or {}).get("labels") or {}).get(answer["task"])
    return labels.index(kept) if kept in labels and labels.index(kept) != answer["label"] else gr.skip()
