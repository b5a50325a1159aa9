"""Second look, in the Review tab: somebody else's flag, blind, and how far people agree."""

from __future__ import annotations

from html import escape
from typing import Any

import gradio as gr

from components import highlight
from components.context import Lab
from components.errors import known_errors
from components.languages import t
from components.span_marks import build_marks, from_marks, to_marks
from components.toast import build_toast, hide_toast, show_toast
from data.examples import archive_verdicts
from data.second_look import FEWEST, MOST_COUNTED, agreement, give_second_look, look_states, next_look
from data.tasks import get_task
from data.tasks.spans import SpanTask, read_marked

STATES = {
    "claimed": "one person's word",
    "confirmed": "confirmed",
    "refuted": "refuted",
    "open": "a third is asked",
    "disputed": "disputed",
}
HOLD = " Of {looked} looked at twice, {share} % hold."
PAIR = "{first} and {second} on {rows} flags: Cohen's kappa {kappa}."
ALL_PEOPLE = "Fleiss' kappa over everybody {kappa}."
BLIND = "You are shown neither who flagged it nor what they said."
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
        marks = build_marks("Mark every entity", "second-marks")
        with gr.Row(elem_classes="tight"):
            give = gr.Button("Give verdict", variant="primary", visible=False, elem_id="second-give")
            skip = gr.Button("Skip", visible=False, elem_id="second-skip")
        found = gr.HTML()
        measure = gr.Button("How far do people agree?", size="sm", elem_id="second-agreement")
        kappas = gr.HTML()
    toast = build_toast("second")
    quiet = {"queue": False, "show_progress": "hidden"}
    view = [shown, label, give, skip, marks, current]
    again = {"fn": lab.bind(show_next), "inputs": [task, annotator, skipped], "outputs": view, **quiet}
    count = {"fn": lab.bind(show_states), "inputs": [task], "outputs": [found], **quiet}
    gr.on([tab.select, box.expand, annotator.submit, annotator.blur], **again)
    gr.on([tab.select, box.expand, task.change], **count)
    task.change(lambda: [], None, [skipped], **quiet).then(**again)
    measure.click(lab.bind(show_agreement), [task], [kappas], queue=False)
    task.change(lambda: "", None, [kappas], **quiet)
    given = give.click(lab.bind(give_verdict), [task, current, label, annotator, marks], toast.outputs, **quiet)
    given.success(**again).then(**count)
    skip.click(lambda seen, one: [*seen, one], [skipped, current], [skipped], **quiet).then(**again)
    toast.undo.click(lab.bind(undo), [toast.token], toast.outputs, **quiet).success(**again).then(**count)


@known_errors
def show_next(lab: Lab, task_name: str, annotator: str, skipped: list[int]) -> list[Any]:
    """The next flag of somebody else, without its label and the model's answer."""
    task = get_task(task_name)
    one = next_look(lab.db(), task, annotator, skipped)
    if one is None:
        hidden = gr.update(visible=False)
        empty = gr.update(value=None, visible=False)
        return [t(ALL_SEEN), gr.update(choices=[], value=None, visible=False), hidden, hidden, empty, None]
    example, spans = one["example"], isinstance(task, SpanTask)
    choices = [(highlight.label_text(task, example, label), label) for label in task.offered(example)]
    blank = to_marks(example[task.fields[0].name], ()) if spans else None
    waiting = t("{count} to see.", count=f"{one['waiting']}{'+' if one['waiting'] == MOST_COUNTED else ''}")
    hint = f'<div class="hint">{waiting} {t(BLIND)}</div>'
    html = f'<div class="panel">{highlight.example_text(task, example)}{hint}</div>'
    return [
        html,
        gr.update(choices=choices, value=None, visible=not spans),
        gr.update(visible=True),
        gr.update(visible=True),
        gr.update(value=blank, visible=spans),
        one["example_id"],
    ]


@known_errors
def give_verdict(
    lab: Lab, task_name: str, example_id: int | None, label: int | None, annotator: str, marks: str | None = None
) -> list[Any]:
    """Stores the verdict of a second (or third) person; of a task of spans what is marked."""
    task = get_task(task_name)
    if example_id is None:
        raise ValueError("Nothing waits for a second look.")
    if isinstance(task, SpanTask):
        said: Any = from_marks(task, {task.fields[0].name: read_marked(marks or "")[0].strip()}, marks)
    elif label is None:
        raise ValueError("Choose a label first.")
    else:
        said = int(label)
    verdict_id = give_second_look(lab.db(), task, example_id, said, annotator=annotator)
    return show_toast(t("Verdict stored."), verdict_id)


@known_errors
def undo(lab: Lab, verdict_id: int | None) -> list[Any]:
    """Takes the verdict just given back."""
    if verdict_id is not None:
        archive_verdicts(lab.db(), [verdict_id])
    return hide_toast()


@known_errors
def show_agreement(lab: Lab, task_name: str) -> str:
    """Kappa for each pair of people and over all of them, and where they part."""
    return agreement_html(agreement(lab.db(), get_task(task_name)))


@known_errors
def show_states(lab: Lab, task_name: str) -> str:
    """How many flags are claimed and how many hold."""
    states = look_states(lab.db(), get_task(task_name))
    if not states:
        return ""
    looked = sum(count for state, count in states.items() if state != "claimed")
    parts = ", ".join(f"{states[state]:,} {t(words)}" for state, words in STATES.items() if state in states)
    held = t(HOLD, looked=f"{looked:,}", share=f"{100 * states.get('confirmed', 0) / looked:.0f}") if looked else ""
    return f'<div class="hint" style="margin-top:10px"><b>{t("Flags")}:</b> {parts}.{held}</div>'


def agreement_html(found: dict[str, Any]) -> str:
    if not found["pairs"]:
        return highlight.empty(
            t("Too little to measure"), t("Two people need {count} flags in common.", count=FEWEST)
        )
    html = []
    for pair in found["pairs"]:
        first, second = escape(pair["first"]), escape(pair["second"])
        head = "".join(f'<th class="num">{escape(t(label))}</th>' for label in pair["labels"])
        lines = "".join(
            f"<tr><td>{escape(t(label))}</td>"
            + "".join(f'<td class="num">{count}</td>' for count in counts)
            + "</tr>"
            for label, counts in zip(pair["labels"], pair["confusion"], strict=True)
        )
        said = {"first": f"<b>{first}</b>", "second": f"<b>{second}</b>", "rows": f"{pair['rows']:,}"}
        said["kappa"] = f"{pair['kappa']:.2f}"
        html.append(
            f'<div class="hint" style="margin-top:10px">{t(PAIR, **said)}</div>'
            + (
                f'<table class="plain confusion"><tr><th>{first} \\ {second}</th>{head}</tr>{lines}</table>'
                if head
                else ""
            )
        )
    if found["fleiss"] is not None:
        html.append(f'<div class="hint">{t(ALL_PEOPLE, kappa=format(found["fleiss"], ".2f"))}</div>')
    return "".join(html)
