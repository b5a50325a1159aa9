"""The inoculation verdict in the Retrain tab: what a blind spot is made of, told by runs on ever more corrections."""

from __future__ import annotations

from html import escape
from typing import Any

import gradio as gr

from components import figures, highlight
from components.context import Lab
from components.errors import known_errors
from components.languages import t
from data.tasks import get_task
from models.inoculation import FEWEST, corrections_in, curve, request_inoculation, sizes_for, verdict

NOT_MEASURED = highlight.empty(
    "Not measured yet", "Small runs show how many corrections it takes, and what that costs elsewhere."
)
LAST = (
    "unseen siblings right {before} % before, {after} % after {count} corrections; retention set {retention} points, "
    "contrasts {contrasts}."
)
READINGS = {
    "few": ("Too few to tell.", "It takes at least three corrections with unseen siblings to measure on."),
    "gap": (
        "Data gap.",
        "A few examples repair it and nothing else is lost: the training data lacked it.",
    ),
    "limit": ("Model limit.", "More corrections do not help unseen siblings: this model does not learn it so."),
    "odds": (
        "At odds with the data.",
        "It yields, and general accuracy or the contrasts fall: the corrections contradict what the model was "
        "trained on. Look at their labels, or add contrasts.",
    ),
}


def build_inoculation(lab: Lab, task: gr.Radio, annotator: gr.Textbox, tab: gr.Tab, timer: gr.Timer) -> None:
    seen = gr.State("")
    with gr.Accordion("What is a blind spot made of?", open=False):
        category = gr.Dropdown([], label="Category", filterable=False, elem_id="inoculation-category")
        start = gr.Button("Run on more and more corrections", elem_id="inoculation-start")
        words = gr.HTML()
        plot = gr.Plot(show_label=False, visible=False)
    quiet = {"queue": False, "show_progress": "hidden"}
    gr.on([tab.select, task.change], lab.bind(show_categories), [task], [category], **quiet).then(
        lab.bind(show_verdict), [task, category], [seen, start, words, plot], **quiet
    )
    category.input(lab.bind(show_verdict), [task, category], [seen, start, words, plot], **quiet)
    start.click(lab.bind(start_runs), [task, category, annotator], [start], **quiet)
    timer.tick(lab.bind(tick), [task, category, seen], [seen, start, words, plot], **quiet)


def show_categories(lab: Lab, task_name: str) -> Any:
    """The categories that have corrections, the fullest chosen."""
    task = get_task(task_name)
    counts = {name: len(corrections_in(lab.db(), task, name)) for name in task.categories}
    found = sorted((name for name in counts if counts[name]), key=lambda name: -counts[name])
    choices = [(f"{t(name)} ({counts[name]})", name) for name in found]
    return gr.update(choices=choices, value=found[0] if found else None)


@known_errors
def show_verdict(lab: Lab, task_name: str, category: str | None) -> list[Any]:
    """Updates for what was seen, the button, the verdict in words and the curve."""
    task = get_task(task_name)
    if not category:
        nothing = t(highlight.empty("No corrections yet", "Flag some wrong answers in the Probe tab first."))
        return ["", gr.update(interactive=False), nothing, gr.update(visible=False)]
    sizes = sizes_for(len(corrections_in(lab.db(), task, category)))
    points = curve(lab.db(), task, category)
    button = gr.update(
        value=t("Run on {counts} corrections", counts=", ".join(map(str, sizes)))
        if sizes
        else t("Needs {count} corrections", count=FEWEST),
        interactive=bool(sizes),
    )
    if not points:
        words = t(NOT_MEASURED)
        return [f"{category} 0", button, words, gr.update(visible=False)]
    title, meaning = READINGS[verdict(points, lab.settings.budgets)]
    last = points[-1]
    numbers = {"count": last["k"], "before": round(last["before"]), "after": round(last["after"])}
    numbers |= {name: f"{last[name]:+.1f}" for name in ("retention", "contrasts")}
    html = (
        f'<div class="panel"><p class="lead"><b>{t(title)}</b> {t(meaning)}</p>'
        f'<div class="hint">{escape(t(category))}: {t(LAST, **numbers)}</div></div>'
    )
    plot = gr.update(value=figures.inoculation(points), visible=True)
    return [f"{category} {len(points)}", button, html, plot]


@known_errors
def start_runs(lab: Lab, task_name: str, category: str | None, annotator: str) -> Any:
    """Queues the runs; they appear in the list of runs."""
    if not category:
        raise ValueError("Choose a category first.")
    queued = request_inoculation(lab.settings, lab.db(), get_task(task_name), category, requested_by=annotator)
    return gr.update(value=t("Queued {runs}", runs=", ".join(queued)), interactive=False)


def tick(lab: Lab, task_name: str, category: str | None, seen: str) -> list[Any]:
    """The verdict anew where a run has ended since."""
    if category and seen != f"{category} {len(curve(lab.db(), get_task(task_name), category))}":
        return show_verdict(lab, task_name, category)
    return [gr.skip()] * 4
