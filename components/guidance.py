"""Reasoning guidance: beside a probe, the answer with and without it; over the suites, what it alone repairs."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Any

import gradio as gr

from components import figures, highlight
from components.context import Lab
from components.errors import known_errors
from components.languages import t
from components.report_view import interval_text
from data.guidance import KINDS, guidance_for, guided
from data.guided_results import guided_results, save_guided
from data.suite_results import taught_hashes
from data.suites import all_suites
from data.tasks import get_task
from data.tasks.spans import SpanTask
from data.versions import live_version

KIND_CHOICES = [(title[:1].upper() + title[1:], kind) for kind, title in KINDS.items()]
HONEST = (
    "This model was not made to follow instructions: it reads guidance as more text before its input, and what it "
    "says then is no better thought out."
)
VERDICTS = {
    "repairs": "guidance repairs it",
    "helps": "guidance helps",
    "training": "needs training",
    "harms": "guidance harms",
    "little": "little to repair",
}
ABOUT = (
    '<div class="hint">Each suite without and with the library\'s guidance for its category, on the same rows: what '
    "guidance alone repairs, and what needs training.</div>"
)
HEAD = (
    '<tr><th>category</th><th>capability</th><th class="num">fails without</th><th class="num">with guidance</th>'
    '<th class="num">change, points (95 %)</th><th></th></tr>'
)
NOTHING = highlight.empty("Not run yet", "Choose a kind of guidance and press Run with guidance.")


def build_guidance(lab: Lab, answer: gr.State, shown: gr.HTML, category: gr.Dropdown) -> gr.State:
    """The optional field beside a probe; returns what was tried, for the verdict."""
    tried = gr.State(None)
    with gr.Accordion("Guidance (optional)", open=False):
        with gr.Row():
            kind = gr.Dropdown(KIND_CHOICES, value="question", label="From the library", scale=3, filterable=False)
            take = gr.Button("Take it for this blind spot", size="sm", scale=2, elem_id="guidance-take")
        text = gr.Textbox(
            label="Guidance",
            lines=2,
            max_lines=8,
            placeholder="What to think of before answering; the answer with and without it stand side by side",
            elem_id="guidance-text",
        )
        ask = gr.Button("Answer with guidance", size="sm", elem_id="guidance-ask")
        beside = gr.HTML(elem_id="guidance-answer")
    quiet = {"queue": False, "show_progress": "hidden"}
    take.click(lab.bind(take_guidance), [category, kind], [text], **quiet)
    both = {"fn": lab.bind(answer_guided), "inputs": [answer, text], "outputs": [beside, tried], **quiet}
    gr.on([shown.change, ask.click, text.submit], **both)
    return tried


@known_errors
def take_guidance(lab: Lab, category: str, kind: str) -> str:
    """The library's text for the category that is chosen."""
    return guidance_for(category or "other", kind)


@known_errors
def answer_guided(lab: Lab, answer: dict[str, Any] | None, text: str) -> list[Any]:
    """The same version's answer with guidance, beside the one without; nothing where there is no guidance."""
    if answer is None or not (text or "").strip():
        return ["", None]
    task = get_task(answer["task"])
    if isinstance(task, SpanTask):
        raise ValueError("Guidance is for tasks with labels; a model that marks spans reads the text alone.")
    served = lab.serving.predict(answer["task"], guided(answer["example"], text), answer["version_id"])
    with_it = served.prediction
    names = highlight.label_names(task, answer["example"])
    columns = [
        f'<div style="flex:1;min-width:220px"><div class="hint">{t(title)}</div>'
        f'<div class="verdict">{escape(highlight.shorten(names[label], 80))}</div>'
        f"{highlight.bars(names, probabilities)}</div>"
        for title, label, probabilities in (
            ("without guidance", answer["label"], answer["probabilities"]),
            ("with guidance", with_it.label, with_it.probabilities),
        )
    ]
    from models.generation import can_speak

    speaks = can_speak(lab.serving.predictor(answer["task"], answer["version_id"]))
    honest = "" if speaks else f'<div class="hint">{t(HONEST)}</div>'
    html = (
        f'<div class="panel"><div style="display:flex;gap:24px;flex-wrap:wrap">{"".join(columns)}</div>{honest}</div>'
    )
    return [html, {"guidance": text.strip(), "guided": with_it.label}]


def build_guided_suites(lab: Lab, task: gr.Radio, version: gr.Dropdown, tab: gr.Tab) -> None:
    """What guidance alone repairs of the version that is chosen in the tab."""
    with gr.Accordion("What guidance alone repairs", open=False):
        gr.HTML(ABOUT)
        with gr.Row(equal_height=True):
            kind = gr.Dropdown(KIND_CHOICES, value="question", label="Guidance", scale=3, filterable=False)
            run = gr.Button("Run with guidance", scale=2, elem_id="guided-run")
            stop = gr.Button("Stop", scale=1)
        progress = gr.HTML()
        table = gr.HTML(NOTHING, elem_id="guided-table")
        plot = gr.Plot(show_label=False, visible=False)
    shown = {"fn": lab.bind(show_guided), "inputs": [task, version, kind], "outputs": [table, plot]}
    quiet = {"queue": False, "show_progress": "hidden"}
    gr.on([tab.select, task.change, version.change, kind.change], **shown, **quiet)
    going = run.click(
        lab.bind(run_guided_suites), [task, version, kind], [progress], concurrency_limit=1, show_progress="hidden"
    )
    going.then(**shown, **quiet)
    stop.click(lambda: "", None, [progress], cancels=[going], queue=False).then(**shown, **quiet)


@known_errors
def run_guided_suites(lab: Lab, task_name: str, version_id: str | None, kind: str) -> Iterator[str]:
    """Runs every suite without and with guidance; each result is stored as soon as it is there."""
    from models.suites import run_guided

    db, task = lab.db(), get_task(task_name)
    version_id = version_id or live_version(db, task_name)
    suites = all_suites(task_name, lab.settings.suites)
    if not suites:
        raise ValueError(f"Task {task_name!r} has no suite yet: write one below.")
    predictor, taught = lab.serving.predictor(task_name, version_id), taught_hashes(db, version_id)
    for number, suite in enumerate(suites):
        going = t("{count} of {rows} suites: {suite}", count=number, rows=len(suites), suite=escape(suite.name))
        yield f'<div class="hint" role="status">{going}</div>'
        save_guided(db, task, version_id, run_guided(predictor, suite, kind, taught=taught))
    done = t("{count} suites without and with guidance.", count=len(suites))
    yield f'<div class="hint" role="status">{done}</div>'


@known_errors
def show_guided(lab: Lab, task_name: str, version_id: str | None, kind: str) -> list[Any]:
    """The version's figures with that kind of guidance: a table by category with a verdict, and a picture."""
    from models.suites import guidance_verdict

    rows = guided_results(lab.db(), task_name, version_id or live_version(lab.db(), task_name), kind)
    if not rows:
        return [t(NOTHING), gr.update(visible=False)]
    lines = "".join(
        f"<tr><td>{escape(t(r['category']))}</td><td>{escape(r['suite'].replace('_', ' '))}</td>"
        f'<td class="num">{100 * r["failed"] / r["rows"]:.0f} %</td>'
        f'<td class="num">{100 * r["failed_guided"] / r["rows"]:.0f} %</td>'
        f'<td class="num">{interval_text(100 * r["low"], 100 * r["high"])}</td>'
        f"<td>{t(VERDICTS[guidance_verdict(r)])}</td></tr>"
        for r in sorted(rows, key=lambda r: (r["category"], -r["failed"]))
    )
    table = f'<div class="panel"><table class="plain">{t(HEAD)}{lines}</table></div>'
    return [table, gr.update(value=figures.guidance_map(rows), visible=True)]
