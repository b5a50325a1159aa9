"""The Probe tab: try an example, see why, and say whether the answer is right."""

from __future__ import annotations

from typing import Any

import gradio as gr

from components import highlight
from components.alike import Alike, build_alike, hide_alike, look_for_alike
from components.context import Lab
from components.counterfactuals import offer_edits
from components.errors import known_errors
from components.gallery import filter_gallery, gallery_categories, gallery_choices, pick_sample
from components.guidance import build_guidance
from components.languages import named, t
from components.last_choices import build_last, keep_label, remember, remember_name, remember_right, restore
from components.long_text import build_long_text
from components.next_words import build_next_words
from components.span_marks import build_marks, from_marks, judge_spans, show_spans
from components.task_form import TaskForms, build_forms, fill_form, read_form, show_group
from components.toast import build_toast, hide_toast, show_toast
from components.twins import build_twins, hide, offer
from data.examples import Answer, archive_verdicts, flag_example, get_verdict
from data.hunting import log_probe
from data.tasks import TASKS, get_task
from data.tasks.spans import SpanTask

ALL_METHODS = "all three"
METHODS = {
    "integrated gradients": "integrated_gradients",
    "gradient × input": "gradient_x_input",
    "leave one word out": "leave_one_out",
}
"""What the menu offers, and the function of `models.attribution` that does it."""
ABOUT = {
    "integrated gradients": "integrated gradients of the label's logit, summed over each word",
    "gradient × input": "gradient of the label's logit times the embedding, summed over each word",
    "leave one word out": "how far the label's logit falls without the word",
}

SUMS = "; they sum to {attributed} of the {total} that the whole input adds"

SAVED = {
    ("confirmation", "train"): "Confirmed; it will be trained on.",
    ("confirmation", "held_out"): "Confirmed; it is held out, to measure repairs.",
    ("correction", "train"): "Saved as a correction; it will be trained on.",
    ("correction", "held_out"): "Saved as a correction; it is held out, to measure repairs.",
}
"""What is said of a verdict, by its kind and its example's split."""
NO_ANSWER = highlight.empty(
    "No answer yet",
    "Type an example, or pick one from the gallery, and press Run. The live model answers here.",
)
KEYS = (
    ("Ctrl+Enter", "run"),
    ("Alt+Y", "right"),
    ("Alt+N", "wrong, then the arrows"),
    ("Alt+S", "save"),
    ("Alt+Z", "undo"),
    ("Alt+I", "why"),
    ("Alt+F", "what flips it"),
    ("Alt+E", "next example"),
    ("Alt+J", "next hard case"),
    ("Alt+1…7", "tabs"),
)
"""What the keys of `page.js` do."""


def keys_html() -> str:
    """The keys, each with what it does."""
    keys = (
        f"<span>{'+'.join(f'<kbd>{part}</kbd>' for part in keys.split('+'))} {words}</span>" for keys, words in KEYS
    )
    return f'<div class="hint keys">{" ".join(keys)}</div>'


def build_probe(lab: Lab, page: gr.Blocks, task: gr.Radio, annotator: gr.Textbox) -> tuple[TaskForms, Alike]:
    """Lays the tab out and joins its parts to the handlers below; returns its forms, and the note on like flags,
    whose way to the Review tab is joined by the page."""
    answer = gr.State(None)  # what was asked and said, while it is not yet judged
    last = build_last()
    with gr.Row(equal_height=False):
        with gr.Column(scale=5, min_width=340):
            forms = build_forms("probe-form")
            with gr.Row():
                clear = gr.Button("Clear", scale=1)
                run = gr.Button("Run", variant="primary", scale=2, elem_id="probe-run")
            alike = build_alike()
            gr.HTML(keys_html())
            with gr.Accordion("Gallery of hard cases", open=True):
                first = next(iter(TASKS))
                category = gr.Dropdown(
                    gallery_categories(first), value=gallery_categories(first)[0], label="Blind spot"
                )
                gallery = gr.Radio(
                    gallery_choices(first, gallery_categories(first)[0]),
                    show_label=False,
                    label="Hard cases",
                    elem_id="probe-gallery",
                )
                note = gr.HTML()
        with gr.Column(scale=6, min_width=360):
            result = gr.HTML(NO_ANSWER, elem_id="probe-result")
            read_again = build_long_text(lab, answer, result)
            with gr.Group(visible=False) as judge:
                with gr.Row(elem_classes="tight"):
                    right = gr.Button("Right", elem_id="probe-right")
                    wrong = gr.Button("Wrong", elem_id="probe-wrong")
                with gr.Column(visible=False) as correction:
                    expected = gr.Radio([], label="Expected label", elem_id="probe-expected")
                    marks = build_marks("Right entities", "probe-marks")
                    with gr.Row():
                        spot = gr.Dropdown(
                            list(next(iter(TASKS.values())).categories),
                            value="other",
                            label="Blind-spot category",
                        )
                        remark = gr.Textbox(
                            label="Note", placeholder="optional: why this is wrong", lines=1, max_lines=4
                        )
                    save = gr.Button("Save correction", variant="primary", elem_id="probe-save")
            panel = build_twins(lab, annotator)
            with gr.Accordion("Why this answer", open=True, visible=False) as why_box:
                with gr.Row(elem_classes="tight"):
                    why_label = gr.Dropdown(
                        [], label="Explain label", scale=3, min_width=200, elem_id="probe-why-label"
                    )
                    method = gr.Dropdown(
                        [*METHODS, ALL_METHODS], value=next(iter(METHODS)), label="Method", scale=3, min_width=200
                    )
                with gr.Row(elem_classes="tight"):
                    why = gr.Button("Show the words that count", scale=2, elem_id="probe-why")
                    flip = gr.Button("What would flip it?", scale=2, elem_id="probe-flip")
                words = gr.HTML()
            tried = build_guidance(lab, answer, result, spot)
            build_next_words(lab, answer, result, remark)
    toast = build_toast("probe")

    read_again.success(lab.bind(show_spans), [answer], [marks, why_label], queue=False, show_progress="hidden")
    judged = [judge, correction, expected, spot, remark, why_box, why_label, words, marks]
    running = {"queue": False, "show_progress": "hidden"}
    label = {"fn": lab.bind(keep_label), "inputs": [last, answer], "outputs": [expected], **running}
    page.load(lab.bind(restore), [last, task], [annotator, spot], **running)
    gr.on([annotator.submit, annotator.blur], lab.bind(remember_name), [last, annotator], [last], **running)
    # What is "always_last" (by default all that follows a change) Gradio 6.31 puts off, and then repeats all that the
    # event before it had started: a second run, by which marks, notes and the focus are lost.
    apart = {"trigger_mode": "multiple", **running}
    gr.on([task.change, gallery.input, run.click, clear.click], lambda: hide(), None, panel.outputs, **apart)
    task.change(
        lab.bind(change_task),
        [task],
        [*forms.all_groups, category, gallery, note, result, answer, *judged],
        **running,
    )
    category.input(lab.bind(filter_gallery), [task, category], [gallery], **running)
    gallery.input(lab.bind(pick_sample), [task, gallery], [*forms.all_inputs, spot, note], **running).then(
        lab.bind(run_probe), [task, spot, *forms.all_inputs], [result, answer, *judged], **running
    ).success(**label)
    run.click(
        lab.bind(run_probe),
        [task, spot, *forms.all_inputs],
        [result, answer, *judged],
        **running,
    ).success(**label)
    clear.click(lab.bind(clear_form), [task], [*forms.all_inputs, note, result, answer, *judged], **running)
    right.click(lab.bind(save_right), [answer, spot, annotator, tried], [*toast.outputs, judge], **running).success(
        lab.bind(remember_right),
        [last, spot, annotator],
        [last],
        **running,
    )
    wrong.click(lambda: gr.update(visible=True), None, correction, **running)
    saved = save.click(
        lab.bind(save_wrong),
        [answer, expected, spot, remark, annotator, tried, marks],
        [*toast.outputs, judge],
        **running,
    )
    saved.success(lab.bind(remember), [last, answer, expected, spot, annotator], [last], **running)
    saved.success(lab.bind(offer), [answer, toast.token], panel.outputs, **running)
    toast.undo.click(lab.bind(undo), [toast.token], [*toast.outputs, judge], **running).success(
        lambda: hide(), None, panel.outputs, **running
    )
    asked = [task, annotator, *forms.all_inputs]
    alike.look.click(lab.bind(look_for_alike), asked, alike.outputs, trigger_mode="always_last", **running)
    run.click(lab.bind(look_for_alike), asked, alike.outputs, **apart)
    gr.on([task.change, clear.click], lambda: hide_alike(), None, alike.outputs, **apart)
    why.click(lab.bind(explain), [answer, why_label, method], [words], queue=False)
    flip.click(lab.bind(offer_edits), [answer, spot], panel.outputs, queue=False)
    return forms, alike


def change_task(lab: Lab, task_name: str) -> list[Any]:
    """Shows the task's form, gallery and categories, and no answer."""
    categories, unjudged = gallery_categories(task_name), _unjudged()
    unjudged[3] = gr.update(choices=named(get_task(task_name).categories), value="other")
    return [
        *show_group(task_name),
        gr.update(choices=named(categories), value=categories[0]),
        filter_gallery(lab, task_name, categories[0]),
        "",
        t(NO_ANSWER),
        None,
        *unjudged,
    ]


@known_errors
def run_probe(lab: Lab, task_name: str, category: str, *values: Any) -> list[Any]:
    """The live model's answer to what the form holds."""
    task = get_task(task_name)
    try:
        example = read_form(task_name, values)
    except ValueError as error:
        return [highlight.problem(t(str(error))), None, *_unjudged()]
    served = lab.serving.predict(task_name, example)
    prediction = served.prediction
    log_probe(lab.db(), task, served.version_id, category, max(prediction.probabilities))
    html = highlight.answer(
        task,
        example,
        prediction.probabilities,
        served.version_id,
        served.milliseconds,
        prediction.tokens_dropped,
        label=prediction.label,
    )
    if task_name in lab.serving.problems:
        html += highlight.problem(lab.serving.problems[task_name])
    answer = {
        "task": task_name,
        "example": example,
        "label": prediction.label,
        "probabilities": prediction.probabilities,
        "version_id": served.version_id,
        "dropped": prediction.tokens_dropped,
    }
    if isinstance(task, SpanTask):
        answer["nearly"] = prediction.nearly(example[task.fields[0].name])
        return [html, answer, *judge_spans(task, answer, category)]
    names = highlight.label_names(task, example)
    others = [(name, i) for i, name in enumerate(names) if i != prediction.label]
    likely = max((i for _, i in others), key=prediction.probabilities.__getitem__)
    return [
        html,
        answer,
        gr.update(visible=True),
        gr.update(visible=False),
        gr.update(choices=others, value=likely, visible=True),
        category if category in task.categories else "other",
        "",
        gr.update(visible=True),
        gr.update(choices=[(name, i) for i, name in enumerate(names)], value=prediction.label),
        "",
        gr.update(value=None, visible=False),
    ]


def clear_form(lab: Lab, task_name: str) -> list[Any]:
    return [*fill_form(task_name, None), "", t(NO_ANSWER), None, *_unjudged()]


@known_errors
def save_right(
    lab: Lab, answer: dict[str, Any] | None, category: str, annotator: str, tried: dict[str, Any] | None = None
) -> list[Any]:
    """Confirms the answer that is shown; `tried` is what `components.guidance` tried beside it."""
    return _save(lab, answer, answer and answer["label"], category, "", annotator, tried)


@known_errors
def save_wrong(
    lab: Lab,
    answer: dict[str, Any] | None,
    expected: int | None,
    category: str,
    note: str,
    annotator: str,
    tried: dict[str, Any] | None = None,
    marks: str | None = None,
) -> list[Any]:
    """Stores the expected label for the answer that is shown; of a task of spans what is marked."""
    if answer is not None and isinstance(task := get_task(answer["task"]), SpanTask):
        expected = from_marks(task, answer["example"], marks)
    if expected is None:
        raise ValueError("Choose the expected label first.")
    return _save(lab, answer, expected, category, note, annotator, tried)


def _save(
    lab: Lab,
    answer: dict[str, Any] | None,
    expected: Any,
    category: str,
    note: str,
    annotator: str,
    tried: dict[str, Any] | None,
) -> list[Any]:
    if answer is None or expected is None:
        raise ValueError("Run an example first.")
    task = get_task(answer["task"])
    said = Answer(answer["label"], answer["probabilities"], answer["version_id"])
    verdict_id = flag_example(
        lab.db(),
        task,
        answer["example"],
        expected if isinstance(task, SpanTask) else int(expected),
        annotator=annotator,
        answer=said,
        category=category,
        note=note or "",
        **(tried or {}),
    )
    verdict = get_verdict(lab.db(), verdict_id)
    return [*show_toast(t(SAVED[verdict["kind"], verdict["split"]]), verdict_id), gr.update(visible=False)]


@known_errors
def undo(lab: Lab, verdict_id: int | None) -> list[Any]:
    """Takes the verdict just given back, and offers to judge the answer again."""
    if verdict_id is not None:
        archive_verdicts(lab.db(), [verdict_id])
    return [*hide_toast(), gr.update(visible=True)]


@known_errors
def explain(lab: Lab, answer: dict[str, Any] | None, label: Any, method: str) -> str:
    """The words that speak for and against a label, shaded, and whether the answer needs the whole input."""
    from models import attribution
    from models.partial_input import partial_input

    if answer is None or label is None:
        raise ValueError("Run an example first.")
    task = get_task(answer["task"])
    predictor = lab.serving.predictor(answer["task"], answer["version_id"])
    asked = task.parse_stored(label, answer["example"])
    name = highlight.label_text(task, answer["example"], asked)
    html = []
    for title, function in METHODS.items():
        if method in (title, ALL_METHODS):
            found = getattr(attribution, function)(predictor, answer["example"], asked)
            segments = [[(word.text, word.score) for word in words] for words in found.segments]
            about = t(ABOUT[title])
            if function == "integrated_gradients":
                about += t(SUMS, attributed=f"{found.attributed:+.2f}", total=f"{found.total:+.2f}")
            html.append(highlight.word_scores(segments, found.titles, name, about))
    partial = partial_input(predictor, answer["example"])
    warning = highlight.partial_input(task, answer["example"], answer["label"], *partial) if partial else ""
    return f'<div class="side">{"".join(html)}</div>{warning}'


def _unjudged() -> list[Any]:
    """Updates for the parts that judge an answer, when there is none."""
    return [
        gr.update(visible=False),
        gr.update(visible=False),
        gr.update(choices=[], value=None),
        gr.skip(),
        "",
        gr.update(visible=False),
        gr.update(choices=[], value=None),
        "",
        gr.update(value=None, visible=False),
    ]
