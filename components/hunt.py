"""Hunt here next, in the Blind spots tab: what to try, what the version is least sure of, and what failures cost."""

from __future__ import annotations

from html import escape
from typing import Any

import gradio as gr

from components import highlight, store_figures
from components.context import Lab
from components.errors import known_errors
from components.languages import t
from components.task_form import RUN, ProbeDoor, open_in_probe
from data.hunting import economics, suggestions
from data.seed import seed_rows
from data.tasks import Task, get_task
from data.versions import live_version

SHOWN = 8
HEAD = (
    '<tr><th>category</th><th class="num">tries</th><th class="num">failures kept</th>'
    '<th class="num">tries a failure</th><th class="num">seconds a failure</th></tr>'
)
FAILS = "fails {share} % of {suite}; {corrections} corrections so far"
ALL_TRIED = '<div class="hint">Every category was tried; run the suites again.</div>'
NOTHING = highlight.empty("Nothing tried yet", "Probe some inputs: tries and seconds per failure are counted here.")


def build_hunt(lab: Lab, task: gr.Radio, tab: gr.Tab, door: ProbeDoor) -> None:
    with gr.Accordion("Hunt here next", open=False, elem_id="hunt") as box:
        places = gr.HTML()
        unsure = gr.Button("What is it least sure of?", size="sm", elem_id="hunt-unsure")
        rows = gr.Radio([], label="Choose one to try it in the Probe tab", visible=False, elem_id="hunt-rows")
        costs = gr.HTML()
        plot = gr.Plot(show_label=False, visible=False)
    quiet = {"queue": False, "show_progress": "hidden"}
    gr.on([tab.select, task.change, box.expand], lab.bind(show_hunt), [task], [places, rows, costs, plot], **quiet)
    unsure.click(lab.bind(show_unsure), [task], [rows], queue=False)
    rows.input(lab.bind(open_unsure), [task, rows], door.outputs, **quiet).success(None, None, None, js=RUN)


def why(place: dict[str, Any]) -> str:
    """Why to look there, of a row of `data.hunting.suggestions`."""
    return t(FAILS, **place) if "suite" in place else t("nobody has tried it yet")


@known_errors
def show_hunt(lab: Lab, task_name: str) -> list[Any]:
    """Where to look, an empty place for the uncertain rows, and what failures have cost so far."""
    task, db = get_task(task_name), lab.db()
    places = suggestions(db, task, live_version(db, task_name))[:SHOWN]
    lines = "".join(f"<li><b>{escape(t(p['where']))}</b>: {escape(why(p))}</li>" for p in places)
    words = f"<ul>{lines}</ul>" if places else t(ALL_TRIED)
    hidden, costs = gr.update(visible=False), economics(db, task)
    if not costs:
        return [words, hidden, t(NOTHING), hidden]
    tried = [row for row in costs if row["tries"]]
    body = "".join(
        f'<tr><td>{escape(t(row["category"]))}</td><td class="num">{row["tries"]}</td>'
        f'<td class="num">{row["failures"]}</td><td class="num">{_number(row["tries_each"])}</td>'
        f'<td class="num">{_number(row["seconds_each"])}</td></tr>'
        for row in costs
    )
    table = f'<table class="plain">{t(HEAD)}{body}</table>'
    plot = gr.update(value=store_figures.hunt(tried), visible=True) if tried else hidden
    return [words, hidden, table, plot]


@known_errors
def show_unsure(lab: Lab, task_name: str) -> Any:
    """The project's own examples that the live version is least sure of, each named by its place among them."""
    task = get_task(task_name)
    rows = own_examples(task)
    said = lab.serving.predictor(task_name).predict([row["example"] for row in rows], batch_size=64)
    unsure = sorted(enumerate(said), key=lambda pair: max(pair[1].probabilities))[:SHOWN]
    choices = []
    for place, one in unsure:
        example = rows[place]["example"]
        label = highlight.shorten(highlight.label_text(task, example, one.label), 60)
        text = highlight.one_line(task, example)
        sure = t("{share} % sure", share=f"{100 * max(one.probabilities):.0f}")
        choices.append((f"{text} — {label}, {sure}", place))
    return gr.update(choices=choices, value=None, visible=True)


@known_errors
def open_unsure(lab: Lab, task_name: str, place: int) -> list[Any]:
    """The chosen example in the Probe tab."""
    return open_in_probe(task_name, own_examples(get_task(task_name))[place]["example"])


def own_examples(task: Task) -> list[dict[str, Any]]:
    """What the project itself wrote to be tried."""
    return seed_rows(task, "gallery") + seed_rows(task, "validation")


def _number(value: float | None) -> str:
    return "·" if value is None else f"{value:.1f}"
