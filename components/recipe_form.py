"""The options of a run as a form: a preset, and whatever a person sets otherwise."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import gradio as gr

from data.tasks import Task, get_task
from models.recipe import DATA, METHODS, PRESETS, Recipe, preset

MIXES = (
    "Corrections alone",
    "With replay",
    "With replay, distilled",
    "With siblings, contrasts and lessons too",
)
WHOLE = (
    "batch_size",
    "accumulation",
    "frozen_layers",
    "retention_rows",
    "variants",
    "lessons",
    "min_steps",
    "patience",
    "check_steps",
    "seed",
)
"""Options that are whole numbers."""
NUMBERS = {
    "epochs": "Epochs",
    "learning_rate": "Learning rate",
    "warmup_share": "Warm-up (share of steps)",
    "weight_decay": "Weight decay",
    "batch_size": "Rows a step",
    "accumulation": "Accumulated steps",
    "label_smoothing": "Label smoothing",
    "dropout": "Dropout",
    "word_dropout": "Hidden words (share)",
    "adversarial": "Adversarial step (FGM)",
    "frozen_layers": "Frozen layers",
    "anchored": "Anchor (weight of general rows)",
    "primed": "Lessons learnt beforehand (share)",
    "retention_rows": "Retention rows",
    "variants": "Siblings and contrasts",
    "lessons": "Lesson rows",
    "min_steps": "Least steps",
    "patience": "Patience (checks)",
    "check_steps": "Steps between checks",
    "seed": "Seed",
}
MOST_SEEDS = 10


@dataclass(frozen=True)
class RecipeForm:
    inputs: list[Any]
    """What `read_recipes` takes, in its order."""
    estimate: gr.HTML


def build_recipe_form(task: gr.Radio, tab: gr.Tab) -> RecipeForm:
    size = gr.Radio([(name.capitalize(), name) for name in PRESETS], value="quick", label="Thoroughness")
    estimate = gr.HTML()
    with gr.Accordion("Advanced", open=False):
        mix = gr.Radio(
            list(zip(MIXES, DATA, strict=True)),
            value=Recipe().data,
            label="Trained on",
            info="Corrections alone teach the sentence and forget the rest; the others mix in examples that must "
            "stay right.",
        )
        method = gr.Radio([(name, name) for name in METHODS], value="lora", label="Method")
        seeds = gr.Slider(
            1, MOST_SEEDS, value=1, step=1, label="Seeds", info="One run each; the report tells the spread."
        )
        gr.HTML('<div class="hint">Empty fields are as the preset has them for this task: the grey value.</div>')
        with gr.Row():
            numbers = [gr.Textbox(label=label, max_lines=1, min_width=120) for name, label in NUMBERS.items()]
    # A change while the one before it is still on its way must not be dropped.
    quiet = {"queue": False, "show_progress": "hidden", "trigger_mode": "always_last"}
    gr.on([tab.select, task.change, size.change], show_usual, [size, task], numbers, **quiet)
    return RecipeForm([size, mix, method, seeds, *numbers], estimate)


def show_usual(size: str, task_name: str) -> list[Any]:
    """Updates for the fields of `NUMBERS`: in grey what the preset has for the task; what was typed stays."""
    usual = preset(size, get_task(task_name))
    return [gr.update(placeholder=f"{getattr(usual, name):g}") for name in NUMBERS]


def read_recipes(task: Task, size: str, mix: str, method: str, seeds: float, *texts: str | None) -> list[Recipe]:
    """The preset for the task with what the person set otherwise, once for each seed. Raises ValueError."""
    given = {name: text.strip() for name, text in zip(NUMBERS, texts, strict=True) if (text or "").strip()}
    changes = {name: _number(name, text) for name, text in given.items()}
    recipe = dataclasses.replace(preset(size, task), data=mix, method=method, **changes)
    return [dataclasses.replace(recipe, seed=recipe.seed + i) for i in range(int(seeds or 1))]


def _number(name: str, text: str) -> float:
    try:
        return int(text) if name in WHOLE else float(text)
    except ValueError:
        kind = "a whole number" if name in WHOLE else "a number"
        raise ValueError(f"{NUMBERS[name]}: expected {kind}; found {text!r}.") from None
