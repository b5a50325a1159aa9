"""Versions side by side in the Versions tab, two or three: on one input, on the store, on suites; and bisect."""

from __future__ import annotations

import json
from html import escape
from itertools import combinations
from typing import Any

import gradio as gr

from components import highlight
from components.context import Lab
from components.errors import known_errors
from components.languages import named, t
from components.report_view import FIRST_CASES, SHOWN_CASES, interval_text
from components.task_form import build_forms, read_form, show_group
from data.examples import select_examples
from data.suite_results import taught_hashes
from data.suites import all_suites, expand
from data.tasks import Example, Task, get_task
from data.versions import lineage, list_versions

MOST_ROWS = 1000
"""Of the store, the newest."""
SUITE_ROWS, ROWS_OF_EACH = 100, 20
"""Of one suite, and of each where all are compared."""
MOST_VERSIONS = 3
CULPRITS = 3
STORE, SUITES = "everything stored", "all suites"
SAME = "On {rows} rows of {where} they all give the same answer to {same}, {share} %."
RIGHT = '<tr><th>version</th><th class="num">right</th><th class="num">95 % interval</th></tr>'
PAIRS = (
    '<tr><th>pair</th><th class="num">both right</th><th class="num">first alone</th>'
    '<th class="num">second alone</th><th class="num">both wrong</th>'
    '<th class="num">second − first, points, 95 % interval</th></tr>'
)
TAUGHT = "What {version} was taught that points to it"
CAUSES = '<tr><th>example</th><th>label</th><th class="num">cosine</th></tr>'
NOTHING = highlight.empty(
    "Nothing compared yet",
    "Choose two or three versions. Then type an example and press Compare, or choose rows that are there.",
)


def build_compare(lab: Lab, task: gr.Radio, tab: gr.Tab) -> None:
    gr.HTML(
        '<h2 class="part">Side by side</h2><div class="hint">Two or three versions on one input, on all that was '
        "flagged or confirmed, or on suites. Bisect goes through the last chosen version's line and finds where the "
        "answer to an input changed, and what was taught there.</div>"
    )
    with gr.Row(equal_height=False):
        with gr.Column(scale=5, min_width=330):
            versions = gr.Dropdown(
                [], label="Versions", multiselect=True, max_choices=MOST_VERSIONS, elem_id="versions-compared"
            )
            forms = build_forms("versions-form")
            with gr.Row(elem_classes="tight"):
                one = gr.Button("Compare", variant="primary", elem_id="versions-compare")
                bisect = gr.Button("Bisect", elem_id="versions-bisect")
            where = gr.Dropdown([STORE, SUITES], value=STORE, label="Rows", filterable=False, elem_id="versions-rows")
            many = gr.Button("Compare on these rows", elem_id="versions-compare-rows")
        with gr.Column(scale=6, min_width=360):
            answers = gr.HTML(NOTHING, elem_id="versions-answers")
    quiet = {"queue": False, "show_progress": "hidden"}
    gr.on([tab.select, task.change], lab.bind(show_menus), [task], [versions, where], **quiet)
    task.change(
        lab.bind(lambda _lab, name: [*show_group(name), t(NOTHING)]), [task], [*forms.all_groups, answers], **quiet
    )
    one.click(lab.bind(compare_on_input), [task, versions, *forms.all_inputs], [answers], queue=False)
    many.click(lab.bind(compare_on_rows), [task, versions, where], [answers], queue=False)
    bisect.click(lab.bind(bisect_versions), [task, versions, *forms.all_inputs], [answers], queue=False)


@known_errors
def show_menus(lab: Lab, task_name: str) -> list[Any]:
    """The task's versions, the live one beside another, and what rows there are."""
    rows = list_versions(lab.db(), task_name)
    ids = [row["id"] for row in rows]
    live = next((row["id"] for row in rows if row["live"]), None)
    other = next((row["parent_id"] for row in rows if row["live"] and row["parent_id"]), None)
    other = other or next((i for i in ids if i != live), None)
    names = [suite.name for suite in all_suites(task_name, lab.settings.suites)]
    return [
        gr.update(choices=ids, value=[i for i in (other, live) if i]),
        gr.update(choices=named([STORE, SUITES, *names]), value=STORE),
    ]


@known_errors
def compare_on_input(lab: Lab, task_name: str, versions: list[str], *values: Any) -> str:
    """The versions' answers to what the form holds."""
    task = get_task(task_name)
    example = read_form(task_name, values)
    html = []
    for version_id in _several(versions):
        served = lab.serving.predict(task_name, example, version_id)
        said = served.prediction
        html.append(
            highlight.answer(
                task,
                example,
                said.probabilities,
                version_id,
                served.milliseconds,
                said.tokens_dropped,
                "",
                said.label,
            )
        )
    return f'<div class="side">{"".join(html)}</div>'


@known_errors
def compare_on_rows(lab: Lab, task_name: str, versions: list[str], where: str) -> str:
    """How often each version is right on the rows, how often they agree, and where they differ."""
    from models.comparison import compare_versions

    task, db = get_task(task_name), lab.db()
    if where == STORE:
        rows = select_examples(db, task, None).rows[-MOST_ROWS:]
        if not rows:
            raise ValueError("Nothing is stored yet: flag or confirm some answers in the Probe tab first.")
    else:
        taught = set().union(*(taught_hashes(db, version_id) for version_id in _several(versions)))
        rows = [
            row
            for suite in all_suites(task_name, lab.settings.suites)
            if where in (SUITES, suite.name)
            for row in expand(suite, ROWS_OF_EACH if where == SUITES else SUITE_ROWS, 0, fewer=True)
            if task.content_hash(row["example"]) not in taught
        ]
    predictors = [lab.serving.predictor(task_name, version_id) for version_id in _several(versions)]
    return comparison_html(task, compare_versions(predictors, rows), where)


def _several(versions: list[str] | None) -> list[str]:
    if len(versions or []) < 2:
        raise ValueError("Expected two or three versions. Choose another, or retrain to get one.")
    return list(versions)


def comparison_html(task: Task, found: Any, where: str) -> str:
    """A `models.comparison.Comparison` in words, tables and cases."""
    from models.intervals import difference_interval, share_interval

    count, names = len(found.rows), [escape(version) for version in found.versions]
    same = sum(len(set(said)) == 1 for said in zip(*found.answers, strict=True))
    words = t(SAME, rows=count, where=escape(t(where)), same=same, share=round(100 * same / count))
    html = [
        f'<div class="panel"><p class="lead">{words}</p>',
        f'<table class="plain">{t(RIGHT)}',
    ]
    for name, hits in zip(names, found.hits, strict=True):
        low, high = share_interval(sum(hits), count)
        html.append(
            f'<tr><td>{name}</td><td class="num">{100 * sum(hits) / count:.1f} %<br>{sum(hits)}</td>'
            f'<td class="num">{t("{low} to {high} %", low=f"{100 * low:.1f}", high=f"{100 * high:.1f}")}</td></tr>'
        )
    html.append(f"</table>{agreement_html(names, found.agreement())}")
    html.append(f'<table class="plain">{t(PAIRS)}')
    for a, b in combinations(range(len(names)), 2):
        pairs = list(zip(found.hits[a], found.hits[b], strict=True))
        low, high = difference_interval(found.hits[a], found.hits[b])
        cells = "".join(
            f'<td class="num">{pairs.count(kind)}</td>'
            for kind in ((True, True), (True, False), (False, True), (False, False))
        )
        points = 100 * (sum(found.hits[b]) - sum(found.hits[a])) / count
        html.append(
            f'<tr><td>{names[a]}, {names[b]}</td>{cells}<td class="num">{points:+.1f}<br>'
            f"{interval_text(100 * low, 100 * high)}</td></tr>"
        )
    html.append("</table></div>")
    html += [_differing(task, found, right, places) for right, places in found.differing().items()]
    return "".join(html)


def agreement_html(names: list[str], shares: list[list[float]]) -> str:
    """The agreement matrix: the share of rows to which two versions give the same answer, the deeper the more."""
    head = "".join(f'<th class="num">{name}</th>' for name in names)
    lines = "".join(
        f"<tr><th>{name}</th>"
        + "".join(
            f'<td class="num" style="background:rgba(79,105,223,{0.3 * share:.2f})">{100 * share:.1f} %</td>'
            for share in line
        )
        + "</tr>"
        for name, line in zip(names, shares, strict=True)
    )
    return (
        f'<table class="plain agreement"><caption>{t("Same answer (% of rows)")}</caption><tr><th></th>{head}</tr>'
        f"{lines}</table>"
    )


def _differing(task: Task, found: Any, right: tuple[bool, ...], places: list[int]) -> str:
    """The rows on which these versions are right and the others are not."""
    who = [version for version, is_right in zip(found.versions, right, strict=True) if is_right]
    if len(who) == len(right):
        title = t("All are right, with different answers")
    elif not who:
        title = t("None is right, and they differ")
    else:
        title = t("{who} alone is right" if len(who) == 1 else "{who} are right", who=t(" and ").join(who))
    items = []
    for place in places[:SHOWN_CASES]:
        row = found.rows[place]
        example = row["example"]
        second = f" <b>⇄</b> {highlight.example_text(task, row['second'], 300)}" if "second" in row else ""
        truth = "" if row["label"] is None else f"{t('right')}: <b>{_short(task, example, row['label'])}</b> · "
        said = " · ".join(
            f"{escape(version)}: {_short(task, example, answers[place])}"
            for version, answers in zip(found.versions, found.answers, strict=True)
        )
        items.append(
            f'<div class="case {"fixed" if who else "failing"}">{highlight.example_text(task, example, 300)}{second}'
            f'<div class="said">{truth}{said}</div></div>'
        )
    more = "".join(items[FIRST_CASES:])
    if more:
        more = f"<details><summary>{t('Show {count} more', count=len(items) - FIRST_CASES)}</summary>{more}</details>"
    return (
        f'<details class="panel" style="margin-top:12px"><summary><b>{escape(title)}</b> ({len(places)})</summary>'
        f"{''.join(items[:FIRST_CASES])}{more}</details>"
    )


@known_errors
def bisect_versions(lab: Lab, task_name: str, versions: list[str], *values: Any) -> str:
    """What each version down to the last chosen one said, where that changed, and the corrections behind it.

    Where the example is stored its label tells which change fixed it and which broke it.
    """
    if not versions:
        raise ValueError("Choose a version first; its line is gone through.")
    task, example = get_task(task_name), read_form(task_name, values)
    content = task.content_hash(example)
    stored = select_examples(lab.db(), task, None).rows
    truth = next((row["label"] for row in stored if task.content_hash(row["example"]) == content), None)
    before, rows, causes = None, [], []
    for version in lineage(lab.db(), versions[-1]):
        prediction = lab.serving.predict(task_name, example, version["id"]).prediction
        changed = before is not None and prediction.label != before
        words = "changed here" if truth not in (before, prediction.label) else "fixed here"
        words = "broken here" if truth is not None and truth == before else words
        mark = f' <span class="pill {words.split()[0]}">{t(words)}</span>' if changed else ""
        rows.append(
            f"<tr><td><b>{escape(version['id'])}</b>{mark}</td><td>{_short(task, example, prediction.label)}</td>"
            f'<td class="num">{100 * max(prediction.probabilities):.0f} %</td></tr>'
        )
        if changed:
            causes.append(_causes(lab, task, example, prediction.label, version))
        before = prediction.label
    head = t('<tr><th>version</th><th>answer</th><th class="num">probability</th></tr>')
    known = (
        ""
        if truth is None
        else f'<div class="hint">{t("Stored as {label}.", label=f"<b>{_short(task, example, truth)}</b>")}</div>'
    )
    none = "" if causes else t('<div class="hint">No version changed the answer.</div>')
    return (
        f'<div class="panel"><table class="plain">{head}{"".join(rows)}</table>{known}{none}</div>{"".join(causes)}'
    )


def _short(task: Task, example: Example, label: Any) -> str:
    return escape(highlight.shorten(highlight.label_text(task, example, label), 60))


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
        f'<div class="panel" style="margin-top:12px"><b>{t(TAUGHT, version=escape(version["id"]))}</b>'
        f'<table class="plain">{t(CAUSES)}{lines}</table></div>'
    )
