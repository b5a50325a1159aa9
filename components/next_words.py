"""What a language model would say next, in the Probe tab: its likeliest next tokens, and texts it goes on with."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Any

import gradio as gr

from components import highlight
from components.context import Lab
from components.errors import known_errors
from components.languages import t
from data.tasks import get_task

ABOUT = (
    '<div class="hint">The model reads this text and says what comes next. It starts with the prompt of your '
    "example; write what you like, such as its answer and “because”.</div>"
)
GREEDY, TOP_K, NUCLEUS = "greedy", "top k", "nucleus"
SHOWN = 12


def build_next_words(lab: Lab, answer: gr.State, shown: gr.HTML, note: gr.Textbox) -> None:
    """The box, shown where the version that answered is a language model; what it says can become the flag's note.

    `shown` is the answer as the page shows it: a state that an unqueued event changes tells nobody of it.
    """
    with gr.Accordion("What it would say next", open=False, visible=False) as box:
        gr.HTML(ABOUT)
        text = gr.Textbox(label="Text so far", lines=4, max_lines=12, elem_id="next-text")
        with gr.Row(elem_classes="tight"):
            why = gr.Button("Ask it why", size="sm", elem_id="next-why")
            look = gr.Button("Next token", size="sm", elem_id="next-look")
        place = gr.Slider(1, 2, value=1, step=1, label="After so many tokens", elem_id="next-place")
        tokens = gr.HTML(elem_id="next-tokens")
        with gr.Row():
            how = gr.Radio([GREEDY, TOP_K, NUCLEUS], value=NUCLEUS, label="Sampling", scale=3)
            cut = gr.Number(0.9, label="k, or p", minimum=0.01, scale=1, min_width=90)
            temperature = gr.Number(1.0, label="Temperature", minimum=0.05, step=0.1, scale=1, min_width=90)
            seed = gr.Number(0, label="Seed", precision=0, scale=1, min_width=90)
            length = gr.Number(60, label="Tokens", precision=0, minimum=1, scale=1, min_width=90)
        with gr.Row(elem_classes="tight"):
            speak = gr.Button("Let it speak", variant="primary", elem_id="next-speak")
            stop = gr.Button("Stop", size="sm")
            keep = gr.Button("Keep as the note of the flag", size="sm", elem_id="next-keep")
        said = gr.Textbox(label="It says", lines=3, max_lines=12, interactive=False, elem_id="next-said")

    quiet = {"queue": False, "show_progress": "hidden"}
    shown.change(lab.bind(show_box), [answer], [box, text, place, tokens, said], **quiet)
    why.click(lab.bind(ask_why), [answer], [text], **quiet)
    text.change(lab.bind(count_tokens), [answer, text], [place], **quiet)
    look.click(lab.bind(show_tokens), [answer, text, place], [tokens], queue=False)
    place.release(lab.bind(show_tokens), [answer, text, place], [tokens], **quiet)
    how.change(lambda name: {TOP_K: 40, NUCLEUS: 0.9}.get(name, 0.9), [how], [cut], **quiet)
    running = speak.click(lab.bind(speak_on), [answer, text, how, cut, temperature, seed, length], [said])
    stop.click(None, None, None, cancels=[running])
    keep.click(lab.bind(note_of), [said, how, cut, seed], [note], **quiet)


@known_errors
def show_box(lab: Lab, answer: dict[str, Any] | None) -> list[Any]:
    """The prompt of the example that was answered; hidden where another kind of model answered it."""
    from models.generation import can_speak, token_texts

    predictor = answer and lab.serving.predictor(answer["task"], answer["version_id"])
    if not predictor or not can_speak(predictor):
        return [gr.update(visible=False), "", gr.skip(), "", ""]
    prompt, _ = predictor.head.fit(answer["example"])
    count = len(token_texts(predictor, prompt)) or 1
    return [gr.update(visible=True), prompt, gr.update(maximum=max(2, count), value=count), "", ""]


@known_errors
def ask_why(lab: Lab, answer: dict[str, Any] | None) -> str:
    """The prompt with the model's own answer and "because" behind it."""
    predictor = _predictor(lab, answer)
    prompt, _ = predictor.head.fit(answer["example"])
    said = predictor.head.template.continuations(get_task(answer["task"]), answer["example"])[answer["label"]]
    return f"{prompt}{said}, because"


@known_errors
def count_tokens(lab: Lab, answer: dict[str, Any] | None, text: str) -> Any:
    from models.generation import token_texts

    if answer is None or not text:
        return gr.skip()
    count = len(token_texts(_predictor(lab, answer), text)) or 1
    return gr.update(maximum=max(2, count), value=count)


@known_errors
def show_tokens(lab: Lab, answer: dict[str, Any] | None, text: str, place: float) -> str:
    """The likeliest tokens after the first `place` ones, as bars."""
    from models.generation import next_tokens, token_texts

    predictor = _predictor(lab, answer)
    found = next_tokens(predictor, text, SHOWN, int(place))
    before = "".join(token_texts(predictor, text)[: int(place)])
    names = [highlight.visible_space(token.text) for token in found]
    bars = highlight.bars(names, [token.probability for token in found])
    after = t("after “…{text}”", text=escape(before[-60:]))
    return f'<div class="panel"><div class="hint">{after}</div>{bars}</div>'


@known_errors
def speak_on(
    lab: Lab,
    answer: dict[str, Any] | None,
    text: str,
    how: str,
    cut: float,
    temperature: float,
    seed: float,
    length: float,
) -> Iterator[str]:
    """What the model goes on with, as it comes."""
    from models.generation import Sampling, sample

    sampling = Sampling(
        temperature=0.0 if how == GREEDY else float(temperature or 0),
        top_k=int(cut) if how == TOP_K else 0,
        top_p=float(cut) if how == NUCLEUS else 1.0,
        seed=int(seed or 0),
        max_tokens=int(length or 0),
    )
    yield ""
    yield from sample(_predictor(lab, answer), text, sampling)


@known_errors
def note_of(lab: Lab, said: str, how: str, cut: float, seed: float) -> str:
    """What was said, and how it was sampled, as a note."""
    if not (said or "").strip():
        raise ValueError("Let the model speak first.")
    way = how if how == GREEDY else f"{how} {cut:g}, seed {int(seed or 0)}"
    return f"The model says ({way}): {said.strip()}"


def _predictor(lab: Lab, answer: dict[str, Any] | None) -> Any:
    if answer is None:
        raise ValueError("Run an example first.")
    return lab.serving.predictor(answer["task"], answer["version_id"])
