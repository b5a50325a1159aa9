"""A task's fields as inputs, the same in every tab that takes an example."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from data.tasks import TASKS, Example, Task, get_task
from data.tasks.base import MAX_CHOICES


@dataclass(frozen=True)
class TaskForms:
    """One group of inputs for each task, of which one is shown."""

    groups: dict[str, gr.Group]
    inputs: dict[str, list[gr.components.Component]]

    @property
    def all_inputs(self) -> list[gr.components.Component]:
        """Every input of every task, in the catalogue's order: what handlers take as `*values`."""
        return [component for task in TASKS for component in self.inputs[task]]

    @property
    def all_groups(self) -> list[gr.Group]:
        return list(self.groups.values())


RUN = "() => document.querySelector('#probe-run').click()"
"""What the page does once a form was filled from another tab: an old answer must not stand beside it."""


@dataclass(frozen=True)
class ProbeDoor:
    """The way from another tab to the Probe tab, its form filled."""

    tabs: gr.Tabs
    forms: TaskForms

    @property
    def outputs(self) -> list[Any]:
        return [self.tabs, *self.forms.all_inputs]


def open_in_probe(task_name: str, example: Example) -> list[Any]:
    """Updates for `ProbeDoor.outputs`: the example in the Probe tab, to run, explain and judge."""
    return [gr.Tabs(selected="probe"), *fill_form(task_name, example)]


def task_choice() -> gr.Radio:
    """The task that every tab works on."""
    choices = [(task.title, name) for name, task in TASKS.items()]
    return gr.Radio(choices, value=choices[0][1], label="Task", elem_id="task", scale=0, min_width=610)


def build_forms(prefix: str) -> TaskForms:
    """The groups, the first one shown; `prefix` keeps the elements' ids apart between tabs."""
    groups, inputs = {}, {}
    for number, (name, task) in enumerate(TASKS.items()):
        with gr.Group(visible=number == 0, elem_id=f"{prefix}-{name}") as group:
            inputs[name] = [component for field in task.fields for component in _build_field(field)]
        groups[name] = group
    return TaskForms(groups, inputs)


def _build_field(field: Any) -> list[gr.components.Component]:
    if field.kind != "choices":
        return [
            gr.Textbox(
                label=field.title,
                lines=field.lines,
                max_lines=12,
                placeholder=field.placeholder,
                autofocus=False,
            )
        ]
    return [
        gr.Textbox(label=f"{field.title} {i + 1}", lines=1, max_lines=4, placeholder="" if i < 2 else "optional")
        for i in range(MAX_CHOICES)
    ]


def input_count(task: Task) -> int:
    return sum(MAX_CHOICES if field.kind == "choices" else 1 for field in task.fields)


def read_form(task_name: str, values: Sequence[Any]) -> Example:
    """The example that the task's inputs hold, checked. Raises ValueError that names the field."""
    task, values = get_task(task_name), own_values(task_name, values)
    row: dict[str, Any] = {}
    for field in task.fields:
        if field.kind == "choices":
            row[field.name] = [v for v in values[:MAX_CHOICES] if (v or "").strip()]
            values = values[MAX_CHOICES:]
        else:
            row[field.name], values = values[0] or "", values[1:]
    return task.parse_example(row)


def own_values(task_name: str, values: Sequence[Any]) -> list[Any]:
    """Of every task's values those of one task."""
    start = 0
    for name, task in TASKS.items():
        stop = start + input_count(task)
        if name == task_name:
            return list(values[start:stop])
        start = stop
    raise ValueError(f"Expected as task one of {', '.join(TASKS)}; found {task_name!r}.")


def fill_form(task_name: str, example: Example | None) -> list[Any]:
    """Updates for `all_inputs` that show the example (or nothing) in its task's inputs."""
    updates: list[Any] = []
    for name, task in TASKS.items():
        if name != task_name:
            updates += [gr.skip()] * input_count(task)
            continue
        for field in task.fields:
            value = (example or {}).get(field.name) or ([] if field.kind == "choices" else "")
            if field.kind == "choices":
                updates += [*value, *[""] * (MAX_CHOICES - len(value))]
            else:
                updates.append(value)
    return updates


def show_group(task_name: str) -> list[Any]:
    """Updates for `all_groups` that show the task's inputs alone."""
    return [gr.update(visible=name == task_name) for name in TASKS]
