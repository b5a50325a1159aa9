"""The Review tab's filters: what they offer, what they are read into, and views that are kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from components.context import Lab
from components.errors import known_errors
from components.languages import named, t
from components.toast import Toast, show_toast
from data.finding import SORTS, remove_view, save_view, saved_views
from data.queries import Filters, facets
from data.settling import STATES

ANY = "any"
NEWEST = next(iter(SORTS))
MENUS = {
    "kind": "Kind",
    "category": "Category",
    "label": "Label",
    "annotator": "Annotator",
    "version": "Version",
    "predicted": "Model said",
    "state": "Second look",
    "fixed_in": "Fixed in",
    "assigned_to": "Assigned to",
}
"""The filters that are a menu, and their titles; the first five are always in sight."""
SHOWN = 5
OTHERS = ("since", "until", "least", "most", "archived")
NOTHING_CHOSEN = ("", NEWEST, *[ANY] * len(MENUS), "", "", None, None, False)
"""What the inputs behind the task hold at first."""


@dataclass(frozen=True)
class FilterForm:
    search: gr.Textbox
    sort: gr.Dropdown
    menus: list[gr.Dropdown]
    others: list[gr.components.Component]
    """In the order of `OTHERS`."""
    views: gr.Dropdown
    name: gr.Textbox
    save: gr.Button
    remove: gr.Button

    @property
    def inputs(self) -> list[gr.components.Component]:
        return [self.search, self.sort, *self.menus, *self.others]


def build_filters() -> FilterForm:
    with gr.Row():
        search = gr.Textbox(
            label="Search",
            placeholder="words in the example, or ids: 3, 7",
            max_lines=1,
            scale=3,
            min_width=200,
            elem_id="review-search",
        )
        sort = gr.Dropdown(list(SORTS), value=NEWEST, label="Order", filterable=False, scale=2, min_width=120)
        views = gr.Dropdown([], value=None, label="Saved view", scale=2, min_width=120, elem_id="review-view")
    with gr.Row():
        menus = [_menu(title) for title in list(MENUS.values())[:SHOWN]]
    with gr.Accordion("More filters, and views to keep", open=False, elem_id="review-more"):
        with gr.Row():
            menus += [_menu(title) for title in list(MENUS.values())[SHOWN:]]
        with gr.Row():
            since, until = (
                gr.Textbox(label=label, placeholder="2026-01-31", max_lines=1, min_width=110)
                for label in ("From day", "To day")
            )
            least, most = (
                gr.Number(label=label, value=None, minimum=0, maximum=1, step=0.05, min_width=110)
                for label in ("Model sure from", "Model sure to")
            )
            archived = gr.Checkbox(label="Deleted ones", value=False, min_width=110)
        with gr.Row(equal_height=True):
            name = gr.Textbox(
                label="Name of the view",
                placeholder="what these filters find",
                max_lines=1,
                elem_id="review-view-name",
            )
            save = gr.Button("Save view", scale=0, min_width=120)
            remove = gr.Button("Remove view", scale=0, min_width=120)
    return FilterForm(search, sort, menus, [since, until, least, most, archived], views, name, save, remove)


def _menu(title: str) -> gr.Dropdown:
    return gr.Dropdown([ANY], value=ANY, label=title, scale=2, min_width=110, filterable=False)


def join_views(lab: Lab, form: FilterForm, task: gr.Radio, annotator: gr.Textbox, toast: Toast) -> Any:
    """Joins saving, choosing and removing views; returns the event after which the filters changed."""
    quiet = {"queue": False, "show_progress": "hidden"}
    form.save.click(
        lab.bind(keep_view), [task, form.name, annotator, *form.inputs], [*toast.outputs, form.views], **quiet
    )
    form.remove.click(lab.bind(drop_view), [task, form.views, annotator], [*toast.outputs, form.views], **quiet)
    return form.views.input(lab.bind(open_view), [task, form.views], form.inputs, **quiet)


def read_filters(task_name: str, *values: Any) -> tuple[Filters, str]:
    """The filters and the order that the inputs hold."""
    search, sort, *rest = values
    chosen = {name: None if value in (ANY, None, "") else value for name, value in zip(MENUS, rest, strict=False)}
    others = dict(zip(OTHERS, rest[len(MENUS) :], strict=True))
    others["archived"] = bool(others["archived"])
    return Filters(task=task_name, search=search or "", **chosen, **others), sort or NEWEST


def refresh_menus(lab: Lab, task_name: str, *values: Any) -> list[Any]:
    """The menus offer the values that occur; a choice that no longer occurs goes back to any."""
    found = facets(lab.db(), task_name)
    choices = {**found, "kind": ["correction", "confirmation"], "state": list(STATES)}
    current = dict(zip(MENUS, values[2:], strict=False))
    menus = [
        gr.update(
            choices=named([ANY, *choices[name]]), value=current[name] if current[name] in choices[name] else ANY
        )
        for name in MENUS
    ]
    return [*menus, gr.update(choices=list(saved_views(lab.db(), task_name)))]


@known_errors
def keep_view(lab: Lab, task_name: str, name: str, annotator: str, *values: Any) -> list[Any]:
    filters, sort = read_filters(task_name, *values)
    save_view(lab.db(), name, filters, sort, by=annotator)
    names = list(saved_views(lab.db(), task_name))
    return [*show_toast(t("View saved."), None), gr.update(choices=names, value=name.strip())]


@known_errors
def drop_view(lab: Lab, task_name: str, name: str | None, annotator: str) -> list[Any]:
    if not name:
        raise ValueError("Choose a saved view first.")
    remove_view(lab.db(), name, by=annotator)
    return [
        *show_toast(t("View removed."), None),
        gr.update(choices=list(saved_views(lab.db(), task_name)), value=None),
    ]


@known_errors
def open_view(lab: Lab, task_name: str, name: str | None) -> list[Any]:
    """The inputs as they were when the view was saved."""
    view = saved_views(lab.db(), task_name).get(name or "")
    if view is None:
        return [gr.skip()] * len(NOTHING_CHOSEN)
    return [
        view["search"],
        view["sort"],
        *(view[filter_name] or ANY for filter_name in MENUS),
        *(view[other] for other in OTHERS),
    ]
