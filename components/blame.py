"""Blame in the Retrain tab: what a newly broken example goes back to, and a run without it."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr

from components import highlight
from components.context import Lab
from components.errors import known_errors
from components.languages import t
from data import jobs
from data.examples import select_examples
from data.tasks import get_task

SHOWN = 8
HEAD = '<tr><th>correction</th><th>label</th><th>category</th><th class="num">works against it</th></tr>'
HOW = "Cosine of the gradients of the loss, turned round: +1 undoes the broken example, 0 leaves it alone."


@dataclass(frozen=True)
class BlamePanel:
    box: gr.Accordion
    broken: gr.Dropdown
    table: gr.HTML
    suspects: gr.CheckboxGroup
    again: gr.Button

    @property
    def outputs(self) -> list[Any]:
        return [self.box, self.broken, self.table, self.suspects, self.again]


def build_blame(lab: Lab, run: gr.Dropdown) -> BlamePanel:
    with gr.Accordion("What broke it", open=False, visible=False) as box:
        broken = gr.Dropdown([], label="Newly broken example", filterable=False, elem_id="blame-broken")
        ask = gr.Button("Find the corrections responsible", elem_id="blame-ask")
        table = gr.HTML()
        suspects = gr.CheckboxGroup([], label="Leave out", visible=False, elem_id="blame-suspects")
        again = gr.Button("Retrain without these", visible=False, elem_id="blame-again")
    panel = BlamePanel(box, broken, table, suspects, again)
    ask.click(lab.bind(find_blame), [run, broken], [table, suspects, again], queue=False)
    return panel


def show_blame(job: dict[str, Any]) -> list[Any]:
    """Updates for `BlamePanel.outputs`: the examples that the run newly broke."""
    task, splits = get_task(job["task"]), job["report"]["splits"]
    choices = [
        (f"{highlight.one_line(task, case['example'], 110)} ({name})", f"{name}:{i}")
        for name, split in splits.items()
        for i, case in enumerate(split["broken"])
    ]
    return [
        gr.update(visible=bool(choices)),
        gr.update(choices=choices, value=choices[0][1] if choices else None),
        "",
        gr.update(choices=[], value=[], visible=False),
        gr.update(visible=False),
    ]


@known_errors
def find_blame(lab: Lab, job_id: str, chosen: str | None) -> list[Any]:
    """The taught examples that work against the broken one, by the gradients of the loss at the parent."""
    from models.blame import blame, by_category
    from models.recipe import Recipe
    from models.registry import folder_of

    if not chosen:
        raise ValueError("Choose a newly broken example first.")
    job = jobs.get_job(lab.db(), job_id)
    name, _, number = chosen.partition(":")
    case = job["report"]["splits"][name]["broken"][int(number)]
    task = get_task(job["task"])
    taught = select_examples(lab.db(), task, None, job["example_ids"]).rows
    parent = folder_of(lab.settings, lab.db(), job["parent_id"])
    found = blame(parent, Recipe.from_dict(job["recipe"]), case["example"], case["label"], taught)
    against = [one for one in found if one.score > 0][:SHOWN]
    if not against:
        nobody = t(highlight.empty("No correction stands out", "The damage is spread over all that was taught."))
        return [nobody, gr.update(visible=False), gr.update(visible=False)]
    lines = "".join(
        f"<tr><td>{highlight.example_text(task, one.row['example'], 200)}</td>"
        f"<td>{escape(highlight.label_text(task, one.row['example'], one.row['label']))}</td>"
        f'<td>{escape(t(one.row["category"]))}</td><td class="num">{one.score:+.2f}</td></tr>'
        for one in against
    )
    groups = ", ".join(f"{escape(t(category))} {score:+.2f} ({rows})" for category, score, rows in by_category(found))
    html = (
        f'<table class="plain">{t(HEAD)}{lines}</table>'
        f'<div class="hint">{t(HOW)} {t("By category: {groups}.", groups=groups)}</div>'
    )
    choices = [(highlight.one_line(task, one.row["example"], 90), one.row["example_id"]) for one in against]
    strongest = [number for _, number in choices[: max(1, len(choices) // 2)]]
    return [html, gr.update(choices=choices, value=strongest, visible=True), gr.update(visible=True)]
