"""Two versions side by side in the Versions tab: on one input, on the store, on the suites; and bisect."""

from __future__ import annotations

import json
from html import escape
from typing import Any

import gradio as gr

from components import highlight
from components.context import Lab
from components.errors import known_errors
from components.report_view import cases_html
from components.task_form import build_forms, read_form, show_group
from data.examples import select_examples
from data.tasks import Example, Task, get_task
from data.versions import lineage, list_versions

MOST_ROWS = 1000
"""Of the store, the newest."""
CULPRITS = 3
NOTHING = highlight.empty(
    "Nothing compared yet",
    "Type an example and press Compare, or compare on all that is stored, or on the suites.",
)


def build_compare(lab: Lab, task: gr.Radio, tab: gr.Tab) -> None:
    gr.HTML(
        '<h3 style="margin:18px 0 2px">Side by side</h3><div class="hint">Two versions on one input, on all that was '
        "flagged or confirmed, or on the suites. Bisect finds the version that changed its mind.</div>"
    )
    with gr.Row(equal_height=False):
        with gr.Column(scale=5, min_width=330):
            with gr.Row():
                left = gr.Dropdown([], label="First version", filterable=False)
                right = gr.Dropdown([], label="Second version", filterable=False)
            forms = build_forms("versions")
            with gr.Row(elem_classes="tight"):
                one = gr.Button("Compare", variant="primary", elem_id="versions-compare")
                bisect = gr.Button("Bisect", elem_id="versions-bisect")
            with gr.Row(elem_classes="tight"):
                store = gr.Button("Compare on the store", size="sm", elem_id="versions-compare-store")
                suites = gr.Button("Compare on the suites", size="sm", elem_id="versions-compare-suites")
        with gr.Column(scale=6, min_width=360):
            answers = gr.HTML(NOTHING, elem_id="versions-answers")
    quiet = {"queue": False, "show_progress": "hidden"}
    gr.on([tab.select, task.change], lab.bind(show_menus), [task], [left, right], **quiet)
    task.change(
        lab.bind(lambda _lab, name: [*show_group(name), NOTHING]), [task], [*forms.all_groups, answers], **quiet
    )
    both = [task, left, right]
    one.click(lab.bind(compare_versions), [*both, *forms.all_inputs], [answers], queue=False)
    store.click(lab.bind(compare_on_store), both, [answers], queue=False)
    suites.click(lab.bind(compare_on_suites), both, [answers], queue=False)
    bisect.click(lab.bind(bisect_versions), [task, right, *forms.all_inputs], [answers], queue=False)


def show_menus(lab: Lab, task_name: str) -> list[Any]:
    """The task's versions twice: one beside the live one, and the live one."""
    rows = list_versions(lab.db(), task_name)
    ids = [row["id"] for row in rows]
    live = next((row["id"] for row in rows if row["live"]), ids[0] if ids else None)
    other = next((i for i in ids if i != live), live)
    return [gr.update(choices=ids, value=other), gr.update(choices=ids, value=live)]


@known_errors
def compare_versions(lab: Lab, task_name: str, left: str, right: str, *values: Any) -> str:
    """Both versions' answers to what the form holds."""
    task = get_task(task_name)
    example = read_form(task_name, values)
    html = []
    for version_id in (left, right):
        served = lab.serving.predict(task_name, example, version_id)
        prediction = served.prediction
        html.append(
            highlight.answer(
                task, example, prediction.probabilities, version_id, served.milliseconds, prediction.tokens_dropped
            )
        )
    return '<div style="height:14px"></div>'.join(html)


@known_errors
def compare_on_store(lab: Lab, task_name: str, left: str, right: str) -> str:
    """Both versions on everything that was flagged or confirmed, disagreements left out."""
    rows = select_examples(lab.db(), get_task(task_name), None).rows[-MOST_ROWS:]
    if not rows:
        raise ValueError("Nothing is stored yet: flag or confirm some answers in the Probe tab first.")
    return _compare_rows(lab, task_name, left, right, "the store", rows)


@known_errors
def compare_on_suites(lab: Lab, task_name: str, left: str, right: str) -> str:
    """Both versions on a few rows of every suite that has right labels."""
    from models.report import suite_rows

    return _compare_rows(lab, task_name, left, right, "suites", suite_rows(get_task(task_name)))


def _compare_rows(lab: Lab, task_name: str, left: str, right: str, name: str, rows: list[dict[str, Any]]) -> str:
    from models.evaluation import compare
    from models.intervals import difference_interval

    if left == right:
        raise ValueError("Expected two versions; both are the same. Choose another, or retrain to get one.")
    task = get_task(task_name)
    said = [lab.serving.predictor(task_name, v).predict([r["example"] for r in rows]) for v in (left, right)]
    outcome = compare(rows, *said)
    hits = [[p.label == row["label"] for p, row in zip(side, rows, strict=True)] for side in said]
    low, high = difference_interval(*hits)
    agree = sum(a.label == b.label for a, b in zip(*said, strict=True))
    first, second = (escape(version) for version in (left, right))
    table = (
        f'<table class="plain"><tr><th></th><th class="num">{second} right</th>'
        f'<th class="num">{second} wrong</th></tr>'
        f'<tr><th>{first} right</th><td class="num">{len(outcome["kept"])}</td>'
        f'<td class="num">{len(outcome["broken"])}</td></tr>'
        f'<tr><th>{first} wrong</th><td class="num">{len(outcome["fixed"])}</td>'
        f'<td class="num">{len(outcome["failing"])}</td></tr></table>'
    )
    points = 100 * (sum(hits[1]) - sum(hits[0])) / len(rows)
    words = (
        f"On {len(rows)} rows of {name} they give the same answer to <b>{agree}</b>; {second} is right "
        f"{points:+.1f} points more often (95 % interval {100 * low:+.1f} to {100 * high:+.1f})."
    )
    cases = [
        cases_html(task, kind, title, [(name, case) for case in outcome[kind]])
        for kind, title in (
            ("broken", f"{left} alone is right"),
            ("fixed", f"{right} alone is right"),
            ("failing", "Both are wrong"),
        )
    ]
    return f'<div class="panel"><p class="lead">{words}</p>{table}</div>{"".join(cases)}'


@known_errors
def bisect_versions(lab: Lab, task_name: str, version_id: str, *values: Any) -> str:
    """What each version from the first to the chosen one said, where that changed, and the corrections behind it."""
    task, example = get_task(task_name), read_form(task_name, values)
    line = lineage(lab.db(), version_id)
    names = task.label_names(example)
    before, rows, causes = None, [], []
    for version in line:
        prediction = lab.serving.predict(task_name, example, version["id"]).prediction
        changed = before is not None and prediction.label != before
        mark = ' <span class="pill">changed here</span>' if changed else ""
        rows.append(
            f"<tr><td><b>{escape(version['id'])}</b>{mark}</td><td>{escape(names[prediction.label])}</td>"
            f'<td class="num">{100 * max(prediction.probabilities):.0f} %</td></tr>'
        )
        if changed:
            causes.append(_causes(lab, task, example, prediction.label, version))
        before = prediction.label
    head = '<tr><th>version</th><th>answer</th><th class="num">probability</th></tr>'
    none = "" if causes else '<div class="hint">No version changed the answer.</div>'
    return f'<div class="panel"><table class="plain">{head}{"".join(rows)}</table>{none}</div>{"".join(causes)}'


def _causes(lab: Lab, task: Task, example: Example, label: int, version: dict[str, Any]) -> str:
    """The taught rows whose gradients at the parent point most to the new answer."""
    from models.blame import blame
    from models.recipe import Recipe
    from models.registry import folder_of

    taught = select_examples(lab.db(), task, None, json.loads(version["example_ids"])).rows
    if not taught or not version["parent_id"]:
        return ""
    parent = folder_of(lab.settings, lab.db(), version["parent_id"])
    found = blame(parent, Recipe.from_dict(json.loads(version["recipe"])), example, label, taught)
    lines = "".join(
        f"<tr><td>{highlight.example_text(task, one.row['example'], 240)}</td>"
        f"<td>{escape(highlight.label_text(task, one.row['example'], one.row['label']))}</td>"
        f'<td class="num">{-one.score:+.2f}</td></tr>'
        for one in found[: -CULPRITS - 1 : -1]
    )
    return (
        f'<div class="panel" style="margin-top:12px"><b>What {escape(version["id"])} was taught that points to it</b>'
        '<table class="plain"><tr><th>example</th><th>label</th><th class="num">cosine</th></tr>'
        f"{lines}</table></div>"
    )
