"""What a language model is asked, in the Versions tab: read, edited, and kept as a version of its own."""

from __future__ import annotations

from typing import Any

import gradio as gr

from components.context import Lab
from components.errors import known_errors
from data.tasks import Task, get_task
from data.tasks.template import parse_template

ABOUT = (
    '<div class="hint">A language model answers by likelihood: how likely the words of each label are after the '
    "prompt, for each word on average, compared with the prompt with nothing in its slots. Another wording is "
    "another version; nothing is trained.</div>"
)


def build_prompt_form(lab: Lab, chosen: gr.Dropdown) -> tuple[gr.Button, dict[str, Any]]:
    """The form, shown where the version that is chosen is a language model.

    Returns its button and what `click` takes: the tab adds what is shown again afterwards.
    """
    with gr.Accordion("What this language model is asked", open=False, visible=False) as box:
        gr.HTML(ABOUT)
        prompt = gr.Textbox(label="Prompt", lines=4, max_lines=16, elem_id="versions-prompt")
        answers = gr.Textbox(label="Words for each label, one a line", lines=3, elem_id="versions-answers-words")
        calibrated = gr.Checkbox(label="Compare with the prompt with nothing in its slots")
        save = gr.Button("Save as a new version", size="sm", elem_id="versions-prompt-save")
    form = [prompt, answers, calibrated]
    chosen.change(lab.bind(show_prompt), [chosen], [box, *form], queue=False, show_progress="hidden")
    return save, {"fn": lab.bind(save_prompt), "inputs": [chosen, *form], "queue": False}


@known_errors
def show_prompt(lab: Lab, version_id: str | None) -> list[Any]:
    """The version's own template; hidden where it has none."""
    from models.folders import read_card
    from models.registry import folder_of

    card = read_card(folder_of(lab.settings, lab.db(), version_id)) if version_id else {}
    if "template" not in card:
        return [gr.update(visible=False), "", "", True]
    task = get_task(card["task"])
    template = parse_template(task, card["template"])
    lines = [f"{label}: {words}" for label, words in zip(task.labels, template.answers, strict=True)]
    shown = gr.update(value="\n".join(lines), visible=bool(task.labels))
    return [gr.update(visible=True), template.prompt, shown, template.calibrated]


@known_errors
def save_prompt(lab: Lab, version_id: str | None, prompt: str, answers: str, calibrated: bool) -> None:
    """Makes the wording a version of its own, to be promoted like any other."""
    from data.versions import get_version
    from models.registry import register_template

    if not version_id:
        raise ValueError("Choose a version first.")
    task = get_task(get_version(lab.db(), version_id)["task"])
    template = {"prompt": prompt, "answers": read_answers(task, answers), "calibrated": bool(calibrated)}
    gr.Info(
        f"{register_template(lab.settings, lab.db(), version_id, template)} is there; promote it to let it answer."
    )


def read_answers(task: Task, text: str) -> dict[str, str]:
    """Lines "label: words" as a mapping. Raises ValueError on a line that is none."""
    found = {}
    for line in (text or "").splitlines():
        label, colon, words = line.partition(":")
        if line.strip() and not colon:
            raise ValueError(f"Words for each label: expected lines such as {task.labels[0]}: yes; found {line!r}.")
        if line.strip():
            found[label.strip()] = words.strip()
    return found
