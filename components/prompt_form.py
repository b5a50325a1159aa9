"""In the Versions tab: what a model that was not made for its task is asked, edited and kept as another version; and
an inference version put to another task."""

from __future__ import annotations

from typing import Any

import gradio as gr

from components.context import Lab
from components.errors import known_errors
from components.languages import t
from data.tasks import Task, get_task
from data.versions import list_versions

MADE = "{version} is there; promote it to let it answer."
PROMPT = (
    '<div class="hint">A language model answers by likelihood: how likely the words of each label are after the '
    "prompt, for each word on average, compared with the prompt with nothing in its slots. Another wording is "
    "another version; nothing is trained.</div>"
)
CLAIM = (
    '<div class="hint">An inference model answers another task by entailment: how far the text entails the claim '
    "that it has a label. Another wording is another version; nothing is trained.</div>"
)
ZERO_SHOT = (
    '<div class="hint">An inference version answers any task without training: does the text entail that it has the '
    "label? Promote the version that this makes, probe and correct it, and retrain it like any other.</div>"
)


def build_prompt_form(lab: Lab, chosen: gr.Dropdown) -> tuple[gr.Button, dict[str, Any]]:
    """The form, shown where the version that is chosen is a language model.

    Returns its button and what `click` takes: the tab adds what is shown again afterwards.
    """
    with gr.Accordion("What this model is asked", open=False, visible=False) as box:
        about = gr.HTML()
        prompt = gr.Textbox(label="Prompt", lines=4, max_lines=16, elem_id="versions-prompt")
        answers = gr.Textbox(label="Words for each label, one a line", lines=3, elem_id="versions-answers-words")
        calibrated = gr.Checkbox(label="Compare with the prompt with nothing in its slots")
        save = gr.Button("Save as a new version", size="sm", elem_id="versions-prompt-save")
    form = [prompt, answers, calibrated]
    chosen.change(lab.bind(show_prompt), [chosen], [box, about, *form], queue=False, show_progress="hidden")
    return save, {"fn": lab.bind(save_prompt), "inputs": [chosen, *form], "queue": False}


@known_errors
def show_prompt(lab: Lab, version_id: str | None) -> list[Any]:
    """The version's own template; hidden where it has none."""
    from models.folders import read_card
    from models.registry import folder_of

    card = read_card(folder_of(lab.settings, lab.db(), version_id)) if version_id else {}
    if "template" not in card:
        return [gr.update(visible=False), "", "", "", True]
    asked = card["template"]
    lines = [f"{label}: {words}" for label, words in asked["answers"].items()]
    return [
        gr.update(visible=True),
        CLAIM if "claim" in asked else PROMPT,
        gr.update(label="Claim" if "claim" in asked else "Prompt", value=asked.get("claim") or asked["prompt"]),
        gr.update(value="\n".join(lines), visible=bool(lines)),
        gr.update(value=asked.get("calibrated", True), visible="prompt" in asked),
    ]


@known_errors
def save_prompt(lab: Lab, version_id: str | None, prompt: str, answers: str, calibrated: bool) -> None:
    """Makes the wording a version of its own, to be promoted like any other."""
    from models.folders import read_card
    from models.registry import folder_of, register_template

    if not version_id:
        raise ValueError("Choose a version first.")
    card = read_card(folder_of(lab.settings, lab.db(), version_id))
    template: dict[str, Any] = {"answers": read_answers(get_task(card["task"]), answers)}
    if "claim" in card.get("template", {}):
        template["claim"] = prompt
    else:
        template |= {"prompt": prompt, "calibrated": bool(calibrated)}
    gr.Info(t(MADE, version=register_template(lab.settings, lab.db(), version_id, template)))


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


def build_zero_shot(lab: Lab, task: gr.Radio, tab: gr.Tab) -> tuple[gr.Button, dict[str, Any]]:
    """Makes an inference version one of the task; returns its button and what `click` takes."""
    with gr.Accordion("Let an inference version answer (zero-shot)", open=False, visible=False) as box:
        gr.HTML(ZERO_SHOT)
        with gr.Row(equal_height=True):
            source = gr.Dropdown([], label="Inference version", scale=3, filterable=False)
            make = gr.Button("Make it a version of this task", size="sm", scale=2, elem_id="versions-zero-shot")
    shown = {"queue": False, "show_progress": "hidden"}
    gr.on([tab.select, task.change], lab.bind(show_sources), [task], [box, source], **shown)
    return make, {"fn": lab.bind(make_zero_shot), "inputs": [task, source], "queue": False}


def show_sources(lab: Lab, task_name: str) -> list[Any]:
    """The inference versions, the live one chosen; hidden where the task is inference itself."""
    rows = list_versions(lab.db(), "nli")
    live = next((row["id"] for row in rows if row["live"]), rows[0]["id"] if rows else None)
    return [
        gr.update(visible=bool(rows) and task_name != "nli"),
        gr.update(choices=[row["id"] for row in rows], value=live),
    ]


@known_errors
def make_zero_shot(lab: Lab, task_name: str, version_id: str | None) -> None:
    from models.registry import register_zero_shot

    if not version_id:
        raise ValueError("Choose an inference version first.")
    made = register_zero_shot(lab.settings, lab.db(), task_name, version_id)
    gr.Info(t(MADE, version=made))
