"""The Versions tab: lineage, which one answers, its card, promote and roll back."""

from __future__ import annotations

import base64
import json
import re
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from components import highlight
from components.compare import build_compare
from components.context import Lab
from components.errors import known_errors
from components.languages import t
from components.prompt_form import build_prompt_form, build_zero_shot
from components.stored import stored_text
from components.taking import build_taking
from components.toast import build_toast, hide_toast, show_toast
from data.versions import (
    get_version,
    list_versions,
    live_versions,
    promote_version,
    promotion_history,
    roll_back,
)

IMAGE = re.compile(r"!\[(?P<title>[^\]]*)\]\((?P<name>[\w-]+\.svg)\)")
HEAD = (
    '<tr><th>version</th><th>made by</th><th>when (UTC)</th><th class="num">retention set</th>'
    '<th class="num">contrasts</th><th class="num">unseen siblings</th><th class="num">held-out flags</th>'
    '<th class="num">taught</th></tr>'
)
NO_VERSION = highlight.empty(
    "No version of this task",
    "Start with --model TASK=PATH to bring a model of your own, or retrain one.",
)
NO_CARD = highlight.empty("No version chosen", "Choose a version to read its card.")


def build_versions(lab: Lab, task: gr.Radio, annotator: gr.Textbox, tab: gr.Tab) -> None:
    table = gr.HTML(elem_id="versions-table")
    with gr.Row(equal_height=True):
        chosen = gr.Dropdown([], label="Version", scale=3, min_width=240, filterable=False, elem_id="versions-choice")
        reason = gr.Textbox(
            label="Reason",
            placeholder="needed where the version is held back",
            scale=3,
            max_lines=1,
        )
        with gr.Column(scale=2, min_width=180):
            promote = gr.Button("Promote", variant="primary", elem_id="versions-promote")
            back = gr.Button("Roll back", elem_id="versions-rollback")
    with gr.Accordion("Card of the version", open=False):
        card = gr.Markdown(NO_CARD)
    build_taking(lab, chosen)
    save_prompt, saving = build_prompt_form(lab, chosen)
    zero_shot, making = build_zero_shot(lab, task, tab)
    with gr.Accordion("Promotions so far", open=False):
        history = gr.HTML()
    build_compare(lab, task, tab)
    toast = build_toast("versions")

    quiet = {"queue": False, "show_progress": "hidden"}
    shown = [table, chosen, card, history]
    again = {"fn": lab.bind(show_versions), "inputs": [task], "outputs": shown, **quiet}
    gr.on([tab.select, task.change], **again)
    chosen.change(lab.bind(show_card), [chosen], [card], **quiet)
    save_prompt.click(**saving).success(**again)
    zero_shot.click(**making).success(**again)
    promote.click(lab.bind(promote_chosen), [chosen, reason, annotator], toast.outputs, queue=False).success(**again)
    back.click(lab.bind(roll_task_back), [task, annotator], toast.outputs, queue=False).success(**again)
    toast.undo.click(lab.bind(undo), [toast.token, annotator], toast.outputs, queue=False).success(**again)


@known_errors
def show_versions(lab: Lab, task_name: str) -> list[Any]:
    """The table of the task's versions, their menu, the live one's card and the promotions."""
    rows = list_versions(lab.db(), task_name)
    if not rows:
        menu = gr.update(choices=[], value=None)
        return [t(NO_VERSION), menu, t(NO_CARD), ""]
    ids = [row["id"] for row in rows]
    live = next((row["id"] for row in rows if row["live"]), ids[0])
    return [
        versions_html(rows),
        gr.update(choices=ids, value=live),
        show_card(lab, live),
        history_html(promotion_history(lab.db(), task_name)),
    ]


def versions_html(rows: list[dict[str, Any]]) -> str:
    """A table, each version under its parent."""
    by_parent: dict[str | None, list[dict[str, Any]]] = {}
    known = {row["id"] for row in rows}
    for row in reversed(rows):
        by_parent.setdefault(row["parent_id"] if row["parent_id"] in known else None, []).append(row)
    lines = []

    def add(row: dict[str, Any], depth: int) -> None:
        live = f' <span class="pill live">{t("live")}</span>' if row["live"] else ""
        if json.loads(row["gate"] or "[]"):
            live += f' <span class="pill failed">{t("held back")}</span>'
        indent = f'<span style="padding-left:{depth * 18}px;opacity:.6">{"└ " if depth else ""}</span>'
        cells = []
        for split in ("retention", "contrasts", "siblings", "held_out", "taught"):
            metrics = row["metrics"].get(split)
            if not metrics or not metrics["rows"]:
                cells.append("·")
                continue
            rows_of = t("of {rows}", rows=metrics["rows"])
            cells.append(f"{100 * metrics['accuracy']:.1f} % <span class=hint>{rows_of}</span>")
        lines.append(
            f"<tr><td>{indent}<b>{escape(row['id'])}</b>{live}</td><td>{escape(t(row['note'] or 'repair'))}</td>"
            f"<td>{row['created_at'][:16].replace('T', ' ')}</td>"
            + "".join(f'<td class="num">{cell}</td>' for cell in cells)
            + "</tr>"
        )
        for child in by_parent.get(row["id"], []):
            add(child, depth + 1)

    for root in by_parent.get(None, []):
        add(root, 0)
    return f'<div class="panel"><table class="plain">{t(HEAD)}{"".join(lines)}</table></div>'


def history_html(rows: list[dict[str, Any]]) -> str:
    lines = "".join(
        f"<tr><td>{r['created_at'][:19].replace('T', ' ')}</td><td><b>{escape(r['version_id'])}</b></td>"
        f"<td>{escape(r['promoted_by'])}</td><td>{escape(stored_text(r['reason']))}{overrode(r)}</td></tr>"
        for r in rows
    )
    head = t("<tr><th>when (UTC)</th><th>version</th><th>by</th><th>reason</th></tr>")
    return f'<table class="plain">{head}{lines}</table>'


def overrode(row: dict[str, Any]) -> str:
    if not row["overrode"]:
        return ""
    reasons = "; ".join(map(stored_text, row["overrode"].split("; ")))
    return f'<br><span class="hint">{t("overrode: {reasons}", reasons=escape(reasons))}</span>'


def show_card(lab: Lab, version_id: str | None) -> str:
    """The version's model card, as its folder carries it."""
    if not version_id:
        return t(NO_CARD)
    folder = lab.settings.workspace / get_version(lab.db(), version_id)["folder"]
    try:
        return IMAGE.sub(
            lambda match: inline_image(folder, match), (folder / "README.md").read_text(encoding="utf-8")
        )
    except OSError:
        return t("`{version}` carries no card.", version=version_id)


def inline_image(folder: Path, match: re.Match[str]) -> str:
    """The card's picture as part of the page: the version's folder is not served."""
    try:
        data = base64.b64encode((folder / match["name"]).read_bytes()).decode()
    except OSError:
        return match["title"]
    return f"![{match['title']}](data:image/svg+xml;base64,{data})"


@known_errors
def promote_chosen(lab: Lab, version_id: str | None, reason: str, annotator: str) -> list[Any]:
    """Makes the chosen version the one that answers."""
    if not version_id:
        raise ValueError("Choose a version first.")
    before = promote_version(lab.db(), version_id, by=annotator, reason=reason or "")
    return _after_promotion(lab, version_id, before)


@known_errors
def roll_task_back(lab: Lab, task_name: str, annotator: str) -> list[Any]:
    """Makes the version before the live one the one that answers."""
    before, after = roll_back(lab.db(), task_name, by=annotator)
    return _after_promotion(lab, after, before)


@known_errors
def undo(lab: Lab, token: str | None, annotator: str) -> list[Any]:
    if token:
        promote_version(lab.db(), token, by=annotator, reason="undo", going_back=True)
        lab.serving.refresh()
    return hide_toast()


def _after_promotion(lab: Lab, version_id: str, before: str) -> list[Any]:
    lab.serving.refresh()
    task = get_version(lab.db(), version_id)["task"]
    message = lab.serving.problems.get(task)
    if message and live_versions(lab.db()).get(task) == version_id:
        promote_version(lab.db(), before, by="blindspot", reason=f"{version_id} cannot be loaded", going_back=True)
        lab.serving.problems.pop(task, None)  # the thread that watches may have found the other one loadable
        lab.serving.refresh()
        raise ValueError(message)
    return show_toast(t("{version} answers now.", version=escape(version_id)), before)
