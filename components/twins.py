"""Twins in the Probe tab: variants of the correction just saved, each judged with one key."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr

from components import highlight
from components.context import Lab
from components.errors import known_errors
from components.languages import t
from components.stored import rule_text
from data.examples import Answer, archive_verdicts, flag_example, get_verdict
from data.tasks import Example, Task, get_task
from data.tasks.base import MAX_CHOICES

MOST_LABELS = MAX_CHOICES
STATES = {"correction": "corrected", "confirmation": "confirmed", "dropped": "dropped"}
KEPT = "{kept} of {count} kept."
MORE = "{kept} more labelled examples; they count as your own flags do."
HINT = (
    '<div class="hint"><kbd>Enter</kbd> as the rule says · <kbd>1</kbd>…<kbd>5</kbd> that label · '
    "<kbd>X</kbd> drop · <kbd>Backspace</kbd> back</div>"
)


@dataclass(frozen=True)
class Twins:
    group: gr.Column
    rows: gr.State
    """None, or what is offered: see `offer`."""
    shown: gr.HTML
    labels: list[gr.Button]
    drop: gr.Button
    back: gr.Button

    @property
    def outputs(self) -> list[Any]:
        return [self.group, self.rows, self.shown, *self.labels, self.drop, self.back]


def build_twins(lab: Lab, annotator: gr.Textbox) -> Twins:
    rows = gr.State(None)
    with gr.Column(visible=False, elem_id="probe-twins", elem_classes="panel") as group:
        shown = gr.HTML()
        with gr.Row(elem_classes="tight"):
            labels = [gr.Button(elem_id=f"twin-label-{i + 1}", min_width=90) for i in range(MOST_LABELS)]
        with gr.Row(elem_classes="tight"):
            drop = gr.Button("Drop", elem_id="twin-drop", min_width=80, size="sm")
            back = gr.Button("Back", elem_id="twin-back", min_width=80, size="sm")
        gr.HTML(HINT)
    twins = Twins(group, rows, shown, labels, drop, back)
    # A key pressed while the one before it is still on its way waits its turn; "once" would drop it.
    quiet = {"queue": False, "show_progress": "hidden", "trigger_mode": "always_last"}
    for chosen, button in [*enumerate(labels), (None, drop)]:
        button.click(lab.bind(_judge_as(chosen)), [rows, annotator], twins.outputs, **quiet)
    back.click(lab.bind(step_back), [rows], twins.outputs, **quiet)
    return twins


@known_errors
def offer(lab: Lab, answer: dict[str, Any] | None, verdict_id: int | None) -> list[Any]:
    """Variants of the correction just saved, with the answers of the version that was wrong; hidden where none is."""
    from models.twins import offer_twins

    if answer is None or verdict_id is None:
        return hide()
    task = get_task(answer["task"])
    verdict = get_verdict(lab.db(), verdict_id)
    right = task.parse_label(verdict["expected_label"], answer["example"])
    if right == answer["label"]:
        return hide()
    variants = offer_twins(task, answer["example"], right)
    if not variants:
        return hide()
    predictions = lab.serving.predictor(task.name, answer["version_id"]).predict([v.example for v in variants])
    rows = [
        {
            "example": variant.example,
            "label": variant.label,
            "relation": variant.relation,
            "rule": variant.rule,
            "origin": f"{variant.relation} of verdict {verdict_id}: {variant.rule}",
            "answer": prediction.label,
            "probabilities": prediction.probabilities,
            "state": None,
            "verdict_id": None,
        }
        for variant, prediction in zip(variants, predictions, strict=True)
    ]
    return view(
        {
            "title": "Twins",
            "known_by": "the rule says",
            "about": "The same words swapped throughout, and near neighbours with another label",
            "task": task.name,
            "parent": answer["example"],
            "category": verdict["category"],
            "version_id": answer["version_id"],
            "rows": rows,
        }
    )


@known_errors
def judge(lab: Lab, state: dict[str, Any] | None, chosen: int | None, annotator: str) -> list[Any]:
    """Stores a label for the twin whose turn it is, `chosen` by its place among those `offered`; None drops it."""
    row = _current(state)
    if row is None:
        return view(state)
    if chosen is None:
        row["state"] = "dropped"
        return view(state)
    task = get_task(state["task"])
    label = offered(task, row)[chosen]
    row["verdict_id"] = flag_example(
        lab.db(),
        task,
        row["example"],
        label,
        annotator=annotator,
        answer=Answer(row["answer"], row["probabilities"], state["version_id"]),
        category=state["category"],
        origin=row["origin"],
    )
    row["label"] = label
    row["state"] = get_verdict(lab.db(), row["verdict_id"])["kind"]
    return view(state)


@known_errors
def step_back(lab: Lab, state: dict[str, Any] | None) -> list[Any]:
    """Takes the last judgement back."""
    judged = [row for row in (state or {}).get("rows", []) if row["state"]]
    if judged:
        if judged[-1]["verdict_id"] is not None:
            archive_verdicts(lab.db(), [judged[-1]["verdict_id"]])
        judged[-1].update(state=None, verdict_id=None)
    return view(state)


def _judge_as(chosen: int | None) -> Callable[..., list[Any]]:
    def act(lab: Lab, state: dict[str, Any] | None, annotator: str) -> list[Any]:
        return judge(lab, state, chosen, annotator)

    return act


def hide() -> list[Any]:
    return [gr.update(visible=False), None, "", *[gr.skip()] * (MOST_LABELS + 2)]


def _current(state: dict[str, Any] | None) -> dict[str, Any] | None:
    return next((row for row in (state or {}).get("rows", []) if row["state"] is None), None)


def view(state: dict[str, Any] | None) -> list[Any]:
    """Updates for `Twins.outputs`: the panel for what `state` offers; see `offer`.

    A row's `label` is the right one as far as a rule knows it; None where it does not.
    """
    if state is None:
        return hide()
    task, row = get_task(state["task"]), _current(state)
    labels = offered(task, row) if row else []
    buttons = [
        gr.update(
            value=f"{i} · {short(task, row, label)}{unchanged(state, label)}",
            variant="primary" if label == row["label"] else "secondary",
            visible=True,
        )
        for i, label in enumerate(labels, 1)
    ]
    buttons += [gr.update(visible=False, value="") for _ in range(MOST_LABELS - len(buttons))]
    undoable = any(r["state"] for r in state["rows"])
    return [
        gr.update(visible=True),
        state,
        twins_html(task, state),
        *buttons,
        gr.update(visible=row is not None),
        gr.update(interactive=undoable),
    ]


def offered(task: Task, row: dict[str, Any]) -> list[Any]:
    """The labels that a twin can be given: every one, or of spans the rule's and the model's."""
    return task.offered(row["example"], row["label"], row["answer"])


def short(task: Task, row: dict[str, Any], label: Any) -> str:
    return highlight.shorten(highlight.label_text(task, row["example"], label), 60)


def unchanged(state: dict[str, Any], label: Any) -> str:
    """Says of the label that the person's own input got that it says so again: the answer should not have changed."""
    return t(", unchanged") if state.get("before") == label else ""


def twins_html(task: Task, state: dict[str, Any]) -> str:
    """The twins as a list, changed words marked, the one whose turn it is set off."""
    current = _current(state)
    lines = []
    for row in state["rows"]:
        said = escape(highlight.label_text(task, row["example"], row["answer"]))
        sure = f"{100 * max(row['probabilities']):.0f} %"
        judged = f' <span class="pill {row["state"]}">{t(STATES[row["state"]])}</span>' if row["state"] else ""
        wrong = "wrong" if row["label"] not in (None, row["answer"]) else "right"
        held = t("right label" if row["state"] in ("correction", "confirmation") else state["known_by"])
        right = (
            ""
            if row["label"] is None
            else f"{held}: <b>{escape(highlight.label_text(task, row['example'], row['label']))}</b> · "
        )
        mood = "current" if row is current else row["state"] or ""
        lines.append(
            f'<li class="{mood}">'
            f"<div>{marked_text(task, row['example'], state['parent'])}{judged}</div>"
            f'<div class="said">{escape(t(row["relation"]))} · {escape(rule_text(row["rule"]))} · {right}'
            f'{t("model")}: <span class="{wrong}">{said}</span> {sure}</div></li>'
        )
    kept = sum(row["verdict_id"] is not None for row in state["rows"])
    head = (
        f"<b>{t(state['title'])}.</b> {t(state['about'])}: {t(KEPT, kept=kept, count=len(state['rows']))}"
        if current
        else f"<b>{t('All judged.')}</b> {t(MORE, kept=kept)}"
    )
    return f'<div class="hint">{head}</div><ol class="twins">{"".join(lines)}</ol>'


def marked_text(task: Task, example: Example, parent: Example) -> str:
    """The example in one escaped line, words that the parent lacks marked."""
    known = set(re.findall(r"\w+", highlight.one_line(task, parent, 10**6).casefold()))
    html = highlight.example_text(task, example)

    def mark(match: re.Match[str]) -> str:
        word = match[0]
        return word if word.casefold() in known else f"<mark>{word}</mark>"

    parts = re.split(r"(<[^>]*>|&\w+;|&#\w+;)", html)  # leave our own tags and entities alone
    return "".join(part if i % 2 else re.sub(r"\w+", mark, part) for i, part in enumerate(parts))
