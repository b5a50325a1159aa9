"""Second look, in the Review tab: somebody else's flag, blind, and how far people agree."""

from __future__ import annotations

from html import escape
from typing import Any

import gradio as gr

from components import highlight
from components.context import Lab
from components.errors import known_errors
from components.toast import build_toast, hide_toast, show_toast
from data.examples import archive_verdicts
from data.second_look import agreement, give_second_look, waiting
from data.tasks import get_task

STATES = {
    "claimed": "one person's word",
    "confirmed": "confirmed",
    "refuted": "refuted",
    "open": "a third is asked",
    "disputed": "disputed",
}
ALL_SEEN = highlight.empty(
    "Nothing waits for you",
    "What others flag appears here, without their label. Nobody looks at flags of their own: the name above says who "
    "you are.",
)


def build_second_look(lab: Lab, task: gr.Radio, annotator: gr.Textbox, tab: gr.Tab) -> None:
    current, skipped = gr.State(None), gr.State([])
    with gr.Accordion("Second look", open=False, elem_id="second-look") as box:
        shown = gr.HTML(ALL_SEEN)
        label = gr.Radio([], label="What is the right label?", visible=False, elem_id="second-label")
        with gr.Row(elem_classes="tight"):
            give = gr.Button("Give verdict", variant="primary", visible=False, elem_id="second-give")
            skip = gr.Button("Skip", visible=False, elem_id="second-skip")
        found = gr.HTML()
    toast = build_toast("second")
    quiet = {"queue": False, "show_progress": "hidden"}
    view = [shown, label, give, skip, current, found]
    again = {"fn": lab.bind(show_next), "inputs": [task, annotator, skipped], "outputs": view, **quiet}
    gr.on([tab.select, box.expand, annotator.submit, annotator.blur], **again)
    task.change(lambda: [], None, [skipped], **quiet).then(**again)
    give.click(lab.bind(give_verdict), [task, current, label, annotator], toast.outputs, **quiet).success(**again)
    skip.click(lambda seen, one: [*seen, one], [skipped, current], [skipped], **quiet).then(**again)
    toast.undo.click(lab.bind(undo), [toast.token], toast.outputs, **quiet).success(**again)


@known_errors
def show_next(lab: Lab, task_name: str, annotator: str, skipped: list[int]) -> list[Any]:
    """The next flag of somebody else, without its label and the model's answer; and the agreement so far."""
    task = get_task(task_name)
    queue = [one for one in waiting(lab.db(), task, annotator) if one["example_id"] not in skipped]
    found = agreement_html(agreement(lab.db(), task))
    if not queue:
        hidden = gr.update(visible=False)
        return [ALL_SEEN, gr.update(choices=[], value=None, visible=False), hidden, hidden, None, found]
    one = queue[0]
    names = task.label_names(one["example"])
    html = (
        f'<div class="panel">{highlight.example_text(task, one["example"])}<div class="hint">{len(queue)} to see. '
        "You are shown neither who flagged it nor what they said.</div></div>"
    )
    return [
        html,
        gr.update(choices=[(name, i) for i, name in enumerate(names)], value=None, visible=True),
        gr.update(visible=True),
        gr.update(visible=True),
        one["example_id"],
        found,
    ]


@known_errors
def give_verdict(lab: Lab, task_name: str, example_id: int | None, label: int | None, annotator: str) -> list[Any]:
    """Stores the verdict of a second (or third) person."""
    if example_id is None:
        raise ValueError("Nothing waits for a second look.")
    if label is None:
        raise ValueError("Choose a label first.")
    verdict_id = give_second_look(lab.db(), get_task(task_name), example_id, int(label), annotator=annotator)
    return show_toast("Verdict stored.", verdict_id)


@known_errors
def undo(lab: Lab, verdict_id: int | None) -> list[Any]:
    """Takes the verdict just given back."""
    if verdict_id is not None:
        archive_verdicts(lab.db(), [verdict_id])
    return hide_toast()


def agreement_html(found: dict[str, Any]) -> str:
    """How many claims hold, and kappa for each pair of people."""
    states = found["states"]
    if not states:
        return ""
    looked = sum(count for state, count in states.items() if state != "claimed")
    parts = ", ".join(f"{states[state]} {words}" for state, words in STATES.items() if state in states)
    share = f" Of {looked} looked at twice, {100 * states.get('confirmed', 0) / looked:.0f} % hold." if looked else ""
    html = [f'<div class="hint" style="margin-top:10px"><b>Flags:</b> {parts}.{share}</div>']
    if found["pairs"]:
        lines = "".join(
            f"<tr><td>{escape(pair['first'])}</td><td>{escape(pair['second'])}</td>"
            f'<td class="num">{pair["rows"]}</td><td class="num">{pair["kappa"]:.2f}</td></tr>'
            for pair in found["pairs"]
        )
        html.append(
            '<table class="plain"><tr><th>annotator</th><th>and</th><th class="num">examples</th>'
            f'<th class="num">Cohen\'s kappa</th></tr>{lines}</table>'
        )
    if found["fleiss"] is not None:
        html.append(f'<div class="hint">Fleiss\' kappa {found["fleiss"]:.2f}.</div>')
    return "".join(html)
