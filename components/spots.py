"""The Blind spots tab: what a version fails at, capability by capability, and those rows into the store."""

from __future__ import annotations

import time
from collections.abc import Iterator
from html import escape
from typing import Any

import gradio as gr

from components import figures, highlight
from components.context import Lab
from components.errors import known_errors
from components.guidance import build_guided_suites
from components.hunt import build_hunt
from components.languages import t
from components.long_text import build_needle
from components.suite_form import build_suite_form, expected, row_html
from components.task_form import RUN, ProbeDoor, open_in_probe
from components.toast import build_toast, hide_toast, show_toast
from data.examples import archive_verdicts
from data.suite_results import failing_rows, flag_failures, save_result, suite_results, taught_hashes
from data.suites import Suite, SuiteError, all_suites, expand
from data.tasks import get_task
from data.versions import get_version, list_versions, live_version

SHOWN = 60
"""Failing rows in the list; the button for all takes every one."""
MANY = 20
"""How many rows `Take the first` takes: as many corrections as a repair is measured with."""
NOTHING = highlight.empty(
    "No suite has run yet",
    "Choose a version and press Run the suites: about a hundred rows for each capability, a minute on two cores.",
)
FAILS = "fails {share} %"
FAIL = "{failed} of {rows} fail, 95 % interval {low} to {high} %"
HALF = "<b>{half} of {count}</b> capabilities are failed by half or more."
NO_ROWS = highlight.empty("No capability chosen", "Click a cell of the map, or choose a capability.")


def build_spots(lab: Lab, task: gr.Radio, annotator: gr.Textbox, tab: gr.Tab, door: ProbeDoor) -> None:
    rows = gr.State([])  # the failing rows that are listed
    with gr.Row(equal_height=True):
        version = gr.Dropdown([], label="Version", scale=4, min_width=260, filterable=False, elem_id="spots-version")
        run = gr.Button("Run the suites", variant="primary", scale=2, elem_id="spots-run")
        stop = gr.Button("Stop", scale=1, interactive=False, elem_id="spots-stop")
    progress = gr.HTML()
    with gr.Row(equal_height=False):
        with gr.Column(scale=6, min_width=380):
            summary = gr.HTML(NOTHING, elem_id="spots-summary")
            everything = gr.Checkbox(label="All tasks in one map", value=False)
            plot = gr.Plot(show_label=False, visible=False, elem_id="spots-map")
            picked = gr.Textbox(label="Cell", elem_id="spots-picked", elem_classes="offscreen", container=False)
        with gr.Column(scale=5, min_width=360):
            suite = gr.Dropdown([], label="Capability", elem_id="spots-suite")
            about = gr.HTML(NO_ROWS)
            trend = gr.Plot(show_label=False, visible=False)
            with gr.Row(elem_classes="tight"):
                some = gr.Button("Take the ticked rows", size="sm", visible=False, elem_id="spots-flag")
                many = gr.Button(f"Take the first {MANY}", size="sm", visible=False, elem_id="spots-flag-many")
                look = gr.Button("Open in Probe", size="sm", visible=False, elem_id="spots-open")
            listed = gr.CheckboxGroup([], show_label=False, label="Failing rows", elem_id="spots-rows", visible=False)
    build_guided_suites(lab, task, version, tab)
    build_needle(lab, task, version, tab)
    build_hunt(lab, task, tab, door)
    with gr.Accordion("What the suites test", open=False, elem_id="suite-catalogue") as catalogue:
        tested = gr.HTML()
    build_suite_form(lab, task)
    toast = build_toast("spots")

    quiet = {"queue": False, "show_progress": "hidden"}
    board = [version, summary, plot, suite]
    chosen = [about, trend, rows, listed, some, many, look]
    again = {"fn": lab.bind(show_spots), "inputs": [task, version, everything, suite], "outputs": board, **quiet}
    detail = {"fn": lab.bind(show_suite), "inputs": [task, version, suite], "outputs": chosen, **quiet}
    gr.on([tab.select, task.change, everything.input], **again).then(**detail)
    gr.on([version.input], **again).then(**detail)
    suite.input(**detail)
    picked.input(lab.bind(pick_cell), [picked], [task, version, suite], **quiet).success(**detail)
    gr.on([catalogue.expand, task.change], lab.bind(show_catalogue), [task], [tested], **quiet)
    going = run.click(
        lab.bind(run_all), [task, version], [progress, run, stop], concurrency_limit=1, show_progress="hidden"
    )
    going.then(**again).then(**detail)
    stop.click(lab.bind(stopped), None, [progress, run, stop], cancels=[going], queue=False).then(**again).then(
        **detail
    )
    some.click(lab.bind(take_ticked), [task, version, rows, listed, annotator], toast.outputs, **quiet).success(
        **detail
    )
    many.click(lab.bind(take_first), [task, version, rows, annotator], toast.outputs, **quiet).success(**detail)
    look.click(lab.bind(open_ticked), [task, rows, listed], door.outputs, **quiet).success(None, None, None, js=RUN)
    toast.undo.click(lab.bind(undo), [toast.token], toast.outputs, **quiet).success(**detail)


@known_errors
def show_spots(lab: Lab, task_name: str, version_id: str | None, everything: bool, suite: str | None) -> list[Any]:
    """The versions' menu, the biggest blind spots in words, the map, and the capabilities' menu."""
    versions = list_versions(lab.db(), task_name)
    ids = [row["id"] for row in versions]
    if version_id not in ids:
        version_id = next((row["id"] for row in versions if row["live"]), ids[0] if ids else None)
    results = suite_results(lab.db(), task_name)
    shown = suite_results(lab.db()) if everything else results
    menu = gr.update(choices=ids, value=version_id)
    if not shown:
        return [menu, t(NOTHING), gr.update(visible=False), gr.update(choices=[], value=None)]
    own = sorted((r for r in results if r["version_id"] == version_id), key=lambda r: -r["rate"])
    names = [(f"{r['suite']} · {t(FAILS, share=round(100 * r['rate']))}", r["suite"]) for r in own]
    chosen = {} if suite in [name for _, name in names] else {"value": names[0][1] if names else None}
    name = str if everything else short_name
    plot = figures.failure_map(shown, {r["version_id"]: name(r["version_id"]) for r in shown})
    return [
        menu,
        summary_html(own, version_id),
        gr.update(value=plot, visible=True),
        gr.update(choices=names, **chosen),  # a late answer takes nothing back that was chosen since
    ]


def _shown(result: dict[str, Any]) -> dict[str, Any]:
    return {**result, **{name: f"{100 * result[name]:.0f}" for name in ("low", "high")}}


def short_name(version_id: str) -> str:
    """The version's id without its task."""
    return version_id.partition("-")[2] or version_id


def summary_html(results: list[dict[str, Any]], version_id: str | None) -> str:
    """The five biggest blind spots with their intervals."""
    if not results:
        return highlight.empty(t("{version} has not run yet", version=version_id), t("Press Run the suites."))
    half = sum(r["rate"] >= 0.5 for r in results)
    lines = [
        f'<div class="bar"><span class="name">{highlight.breakable(r["suite"])}</span>'
        f'<span class="track" role="img" aria-label="{100 * r["rate"]:.0f} %">'
        f'<span class="fill" style="display:block;width:{100 * r["rate"]:.1f}%;background:{figures.OPPOSE}"></span>'
        f'</span><span class="value">{100 * r["rate"]:.0f} %</span></div>'
        f'<div class="hint">{escape(t(r["category"]))} · {t(FAIL, **_shown(r))}</div>'
        for r in results[:5]
    ]
    return f'<div class="panel"><p class="lead">{t(HALF, half=half, count=len(results))}</p>{"".join(lines)}</div>'


@known_errors
def show_suite(lab: Lab, task_name: str, version_id: str | None, suite: str | None) -> list[Any]:
    """What a capability tests, its trend over versions and the rows that the version fails."""
    results = [r for r in suite_results(lab.db(), task_name) if r["suite"] == suite]
    hidden = gr.update(visible=False)
    if not results or version_id is None:
        return [t(NO_ROWS), hidden, [], gr.update(choices=[], value=[], visible=False), hidden, hidden, hidden]
    task = get_task(task_name)
    found = next((one for one in all_suites(task_name, lab.settings.suites) if one.name == suite), None)
    rows = failing_rows(lab.db(), version_id, suite)
    taken = sum(row["label"] is not None for row in rows)
    words = t("{count} failing rows.", count=len(rows)) if rows else t("This version fails no row of it.")
    if rows and not taken:
        words += t(
            " They compare two examples, so that none has a right label; open one in the Probe tab to judge it."
        )
    about = (
        f'<div class="panel"><b>{escape(suite)}</b>{about_html(found) if found else ""}'
        f'<div class="hint">{words}</div></div>'
    )
    short = {r["version_id"]: short_name(r["version_id"]) for r in results}
    trend = gr.update(value=figures.failure_trend(results, short), visible=True) if len(results) > 1 else hidden
    choices = [(row_text(task, row), i) for i, row in enumerate(rows[:SHOWN])]
    return [
        about,
        trend,
        rows,
        gr.update(choices=choices, value=[], visible=bool(rows)),
        gr.update(visible=taken > 0),
        gr.update(visible=taken > 0, value=t("Take the first {count}", count=min(taken, MANY))),
        gr.update(visible=bool(rows)),
    ]


def about_html(suite: Suite) -> str:
    """What a suite tests, and a row of it."""
    (row,) = expand(suite, 1, 0)
    return (
        f'<div>{escape(suite.tests)}</div><div class="hint">{t("For example:")} {row_html(suite.task, row)} '
        f"({t('expected')}: {escape(expected(suite.task, row))})</div>"
    )


def row_text(task: Any, row: dict[str, Any]) -> str:
    """A failing row in one line: the example, what was said and what is right."""
    text = highlight.one_line(task, row["example"], 260)
    answer = highlight.shorten(highlight.label_text(task, row["example"], row["answer"]), 60)
    said = t("said {answer} {share} %", answer=answer, share=f"{100 * max(row['probabilities']):.0f}")
    if row["label"] is None:
        other = t("otherwise than for: {text}", text=highlight.one_line(task, row["second"], 200))
    else:
        right = highlight.shorten(highlight.label_text(task, row["example"], row["label"]), 60)
        other = t("right: {label}", label=right)
    return f"{text} — {said}; {other}"


@known_errors
def pick_cell(lab: Lab, cell: str) -> list[Any]:
    """The task, version and capability of a cell that was clicked, `version|suite`."""
    version_id, _, suite = (cell or "").partition("|")
    task_name = get_version(lab.db(), version_id)["task"]
    versions = [row["id"] for row in list_versions(lab.db(), task_name)]
    suites = [row["suite"] for row in suite_results(lab.db(), task_name) if row["version_id"] == version_id]
    if suite not in suites:
        raise ValueError(f"{version_id} has not run {suite} yet; press Run the suites.")
    return [task_name, gr.update(choices=versions, value=version_id), gr.update(choices=suites, value=suite)]


@known_errors
def show_catalogue(lab: Lab, task_name: str) -> str:
    """What each suite tests, with an example."""
    lines = []
    for suite in all_suites(task_name, lab.settings.suites):
        row = expand(suite, 1, 0)[0]
        lines.append(
            f"<tr><td><b>{escape(suite.name)}</b><br><span class=hint>{escape(t(suite.category))}</span></td>"
            f"<td>{escape(suite.tests)}</td><td>{row_html(suite.task, row)}<br><span class=hint>{t('expected')}: "
            f"{escape(expected(suite.task, row))}</span></td></tr>"
        )
    head = t("<tr><th>capability</th><th>what it tests</th><th>example</th></tr>")
    return f'<table class="plain">{head}{"".join(lines)}</table>'


def run_all(lab: Lab, task_name: str, version_id: str | None) -> Iterator[list[Any]]:
    """Runs every suite of the task, one after the other; each result is stored as soon as it is there."""
    from models.suites import run_suite

    busy = [gr.update(interactive=False), gr.update(interactive=True)]
    idle = [gr.update(interactive=True), gr.update(interactive=False)]
    try:
        db, task = lab.db(), get_task(task_name)
        version_id = version_id or live_version(db, task_name)
        suites = all_suites(task_name, lab.settings.suites)
        if not suites:
            raise ValueError(f"Task {task_name!r} has no suite yet: write one below.")
        yield [progress_html(0, len(suites), "loading"), *busy]
        predictor = lab.serving.predictor(task_name, version_id)
        taught = taught_hashes(db, version_id)
        started = time.monotonic()
        for number, suite in enumerate(suites):
            yield [progress_html(number, len(suites), suite.name), *busy]
            save_result(db, task, version_id, run_suite(predictor, suite, taught=taught))
        done = t("{count} suites in {seconds} s.", count=len(suites), seconds=f"{time.monotonic() - started:.0f}")
        yield [f'<div class="hint" role="status">{done}</div>', *idle]
    except (ValueError, RuntimeError, SuiteError) as error:
        yield [highlight.problem(t(str(error))), *idle]


def stopped(lab: Lab) -> list[Any]:
    """What is shown after Stop; the results so far are kept."""
    words = '<div class="hint" role="status">Stopped. What ran is kept; Run starts again.</div>'
    return [t(words), gr.update(interactive=True), gr.update(interactive=False)]


def progress_html(done: int, total: int, name: str) -> str:
    return (
        f'<div class="progress" role="progressbar" aria-label="suites" aria-valuemin="0" aria-valuemax="{total}" '
        f'aria-valuenow="{done}"><div style="width:{100 * done / max(total, 1):.0f}%"></div></div>'
        f'<div class="hint">{t("{count} of {rows}", count=done, rows=total)}: {escape(name)}</div>'
    )


@known_errors
def take_ticked(
    lab: Lab, task_name: str, version_id: str, rows: list[dict[str, Any]], ticked: list[int], annotator: str
) -> list[Any]:
    """Stores the ticked rows as corrections."""
    if not ticked:
        raise ValueError("Tick some rows first.")
    return _take(lab, task_name, version_id, [rows[i] for i in ticked], annotator)


@known_errors
def take_first(lab: Lab, task_name: str, version_id: str, rows: list[dict[str, Any]], annotator: str) -> list[Any]:
    """Stores the first failing rows that have a right label as corrections."""
    labelled = [row for row in rows if row["label"] is not None]
    return _take(lab, task_name, version_id, labelled[:MANY], annotator)


def _take(lab: Lab, task_name: str, version_id: str, rows: list[dict[str, Any]], annotator: str) -> list[Any]:
    ids = flag_failures(lab.db(), get_task(task_name), version_id, rows, annotator)
    left = len(rows) - len(ids)
    more = t(" {left} were taken before or have no right label.", left=left) if left else ""
    if not ids:
        raise ValueError(t("Nothing to store.") + more)
    return show_toast(
        t("{count} corrections stored.{more} Retrain learns from them.", count=len(ids), more=more), ids
    )


@known_errors
def open_ticked(lab: Lab, task_name: str, rows: list[dict[str, Any]], ticked: list[int]) -> list[Any]:
    """The first ticked row in the Probe tab."""
    if not ticked:
        raise ValueError("Tick a row first.")
    return open_in_probe(task_name, rows[min(ticked)]["example"])


@known_errors
def undo(lab: Lab, ids: list[int] | None) -> list[Any]:
    """Takes back the corrections just stored."""
    if ids:
        archive_verdicts(lab.db(), ids)
    return hide_toast()
