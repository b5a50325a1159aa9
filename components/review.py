"""The Review tab: what people said, found by filters and words, edited, taken back, brought in and out."""

from __future__ import annotations

from html import escape
from typing import Any

import gradio as gr

from components import highlight
from components.bulk_form import build_bulk
from components.context import Lab
from components.errors import known_errors
from components.failure_map import build_failure_map
from components.files import build_files
from components.filter_form import NOTHING_CHOSEN, build_filters, join_views, read_filters, refresh_menus
from components.languages import named, t
from components.second_look import build_second_look
from components.span_marks import build_marks, from_marks, to_marks
from components.steps_panel import build_steps, history_html
from components.stored import stored_text
from components.toast import build_toast, hide_toast, show_toast
from data.examples import archive_verdicts, edit_verdict, get_verdict, unarchive_verdicts
from data.finding import find_page
from data.steps import undo_step
from data.tasks import Task, get_task
from data.tasks.spans import SpanTask

PAGE_ROWS = 25
HEADERS = ["#", "Example", "Expected", "Model said", "Kind", "Category", "By", "Version"]
WIDTHS = ["5%", "32%", "12%", "12%", "11%", "12%", "6%", "10%"]

NOTHING = highlight.empty(
    "Nothing here yet",
    "Flag a wrong answer or confirm a right one in the Probe tab, import a file below, or loosen the filters.",
)


def build_review(lab: Lab, task: gr.Radio, annotator: gr.Textbox, tab: gr.Tab) -> list[Any]:
    """Returns what `open_in_review` updates after the tabs."""
    cursors = gr.State([None])  # for each page up to the one shown, the row that it comes after
    following_cursor = gr.State(None)
    ids = gr.State([])  # the verdicts' ids in the rows shown
    chosen = gr.State(None)
    form = build_filters()
    count = gr.HTML()
    table = gr.Dataframe(
        headers=HEADERS,
        column_widths=WIDTHS,
        interactive=False,
        wrap=True,
        max_height=560,
        show_label=False,
        label="Verdicts",
        elem_id="review-table",
        buttons=[],
    )
    with gr.Row():
        previous = gr.Button("Previous page", size="sm")
        following = gr.Button("Next page", size="sm")
    with gr.Group(visible=False, elem_id="review-editor") as editor:
        detail = gr.HTML()
        expected = gr.Radio([], label="Expected label")
        marks = build_marks("Expected entities", "review-marks")
        with gr.Row():
            category = gr.Dropdown([], label="Blind-spot category")
            note = gr.Textbox(label="Note", max_lines=6)
        with gr.Row():
            save = gr.Button("Save changes", variant="primary")
            delete = gr.Button("Delete", variant="stop")
            close = gr.Button("Close")
    toast = build_toast("review")
    filters = [task, *form.inputs]
    changed = [build_bulk(lab, task, annotator, filters, toast.outputs)]
    changed += build_steps(lab, annotator, tab, toast.outputs)
    changed += build_files(lab, task, annotator, filters, toast.outputs)
    build_second_look(lab, task, annotator, tab)
    build_failure_map(lab, task)

    shown = [table, ids, count, cursors, following_cursor, previous, following]
    quiet = {"queue": False, "show_progress": "hidden"}
    menus = {"fn": lab.bind(refresh_menus), "inputs": filters, "outputs": [*form.menus, form.views], **quiet}
    first = {"fn": lab.bind(first_page), "inputs": filters, "outputs": shown, **quiet}
    again = {"fn": lab.bind(show_page), "inputs": [cursors, *filters], "outputs": shown, **quiet}
    tab.select(**menus).then(**again)
    task.change(**menus).then(**first)
    gr.on([form.search.change, *(one.input for one in form.inputs[1:])], **first)
    join_views(lab, form, task, annotator, toast).then(**first)
    previous.click(lab.bind(page_before), [cursors, *filters], shown, **quiet)
    following.click(lab.bind(page_after), [cursors, following_cursor, *filters], shown, **quiet)
    editing = [editor, detail, expected, marks, category, note, chosen, delete]
    table.select(lab.bind(open_selected), [ids], editing, **quiet)
    close.click(lambda: gr.update(visible=False), None, editor, **quiet)
    edited = [chosen, expected, category, note, annotator, marks]
    save.click(lab.bind(save_changes), edited, [*toast.outputs, editor], **quiet).success(**again)
    delete.click(lab.bind(delete_chosen), [chosen, annotator], [*toast.outputs, editor], **quiet).success(**again)
    toast.undo.click(lab.bind(undo), [toast.token, annotator], toast.outputs, **quiet).success(**again)
    for event in changed:
        event.success(**menus).then(**again)
    return [*form.inputs, *shown, *editing]


@known_errors
def open_in_review(lab: Lab, task_name: str, verdict_id: int | None) -> list[Any]:
    """The Review tab with one verdict found and opened, from another tab."""
    if verdict_id is None:
        raise ValueError("There is no flag to open.")
    filters = [f"ids: {verdict_id}", *NOTHING_CHOSEN[1:]]
    found = show_page(lab, [None], task_name, *filters)
    return [gr.Tabs(selected="review"), *filters, *found, *open_verdict(lab, verdict_id)]


@known_errors
def show_page(lab: Lab, cursors: list[Any], task_name: str, *values: Any) -> list[Any]:
    """One page of the matching verdicts, the last of `cursors`, each of which is the row that a page comes after.

    Table rows, their ids, the count, the pages' cursors and the next one's (None on the last), both pagers.
    """
    filters, sort = read_filters(task_name, *values)
    page = find_page(lab.db(), filters, sort=sort, limit=PAGE_ROWS, after=cursors[-1])
    if not page.rows and len(cursors) > 1:  # what stood here is gone
        return show_page(lab, cursors[:-1], task_name, *values)
    if page.rows:
        first = (len(cursors) - 1) * PAGE_ROWS + 1
        total = t("more than {count}", count=f"{page.total:,}") if page.more else f"{page.total:,}"
        last = f"{first + len(page.rows) - 1:,}"
        shown = t("{first} to {last} of {total}. Click a row to open it.", first=f"{first:,}", last=last, total=total)
        text = f'<div class="hint">{shown}</div>'
    else:
        text = t(NOTHING)
    return [
        gr.update(
            headers=[t(name) for name in HEADERS],
            value=[table_row(row) for row in page.rows],
            visible=bool(page.rows),
        ),
        [row["id"] for row in page.rows],
        text,
        cursors,
        page.after,
        gr.update(interactive=len(cursors) > 1),
        gr.update(interactive=page.after is not None),
    ]


def first_page(lab: Lab, *filters: Any) -> list[Any]:
    return show_page(lab, [None], *filters)


def page_before(lab: Lab, cursors: list[Any], *filters: Any) -> list[Any]:
    return show_page(lab, cursors[:-1] or [None], *filters)


def page_after(lab: Lab, cursors: list[Any], following: Any, *filters: Any) -> list[Any]:
    return show_page(lab, cursors if following is None else [*cursors, following], *filters)


def table_row(row: dict[str, Any]) -> list[str]:
    task = get_task(row["task"])
    example = row["example"]
    return [
        str(row["id"]),
        highlight.one_line(task, example),
        label_name(row["task"], example, row["expected_label"]),
        label_name(row["task"], example, row["predicted_label"]),
        t(row["kind"]),
        t(row["category"]),
        row["annotator"],
        row["version_id"] or "",
    ]


def label_name(task_name: str, example: dict[str, Any], label: str | None) -> str:
    """A stored label as a person reads it: a choice's text for its index."""
    if label is None:
        return ""
    task = get_task(task_name)
    return highlight.shorten(highlight.label_text(task, example, task.parse_label(label, example)), 60)


def open_selected(lab: Lab, ids: list[int], event: gr.SelectData) -> list[Any]:
    return open_verdict(lab, ids[event.index[0]])


@known_errors
def open_verdict(lab: Lab, verdict_id: int) -> list[Any]:
    """The editor, filled with a verdict."""
    row = get_verdict(lab.db(), verdict_id)
    task = get_task(row["task"])
    parts = [
        f'<div class="panel" style="border:0"><div class="hint">{t("Verdict")} {row["id"]} · '
        f"{escape(row['annotator'])} · {row['created_at'][:16].replace('T', ' ')} UTC · {t('from')} "
        f"{escape(stored_text(row['origin']))}</div>"
    ]
    for field in task.fields:
        value = row["example"][field.name]
        text = " / ".join(value) if isinstance(value, list) else value
        if text:
            parts.append(
                f'<p><span class="hint">{escape(t(field.title))}</span><br>'
                f"{escape(highlight.shorten(text, 4000))}</p>"
            )
    return [
        gr.update(visible=True),
        "".join(parts) + history_html(lab, verdict_id) + "</div>",
        *label_updates(task, row),
        gr.update(choices=named(task.categories), value=row["category"]),
        row["note"],
        verdict_id,
        gr.update(value=t("Take back" if row["archived_at"] else "Delete")),
    ]


def label_updates(task: Task, row: dict[str, Any]) -> list[Any]:
    """The editor's menu of labels, and the text to mark spans in, of which one is shown."""
    example = row["example"]
    expected = task.parse_label(row["expected_label"], example)
    if isinstance(task, SpanTask):
        marked = to_marks(example[task.fields[0].name], expected)
        return [gr.update(choices=[], value=None, visible=False), gr.update(value=marked, visible=True)]
    offered = task.offered(example)
    choices = [(highlight.label_text(task, example, label), task.format_label(label)) for label in offered]
    chosen = gr.update(choices=choices, value=task.format_label(expected), visible=True)
    return [chosen, gr.update(value=None, visible=False)]


@known_errors
def save_changes(
    lab: Lab,
    verdict_id: int | None,
    expected: Any,
    category: str,
    note: str,
    annotator: str,
    marks: str | None = None,
) -> list[Any]:
    """Stores what was edited of a verdict; of a task of spans what is marked."""
    if verdict_id is None:
        raise ValueError("Click a row of the table first.")
    row = get_verdict(lab.db(), verdict_id)
    if isinstance(task := get_task(row["task"]), SpanTask):
        expected = from_marks(task, row["example"], marks)
    step = edit_verdict(lab.db(), verdict_id, expected=expected, category=category, note=note, by=annotator)
    message = t("Changed verdict {number}.", number=verdict_id) if step else t("Nothing changed.")
    return [*show_toast(message, step), gr.update(visible=False)]


@known_errors
def delete_chosen(lab: Lab, verdict_id: int | None, annotator: str) -> list[Any]:
    """Deletes the verdict, which archives it; a deleted one it takes back."""
    if verdict_id is None:
        raise ValueError("Click a row of the table first.")
    if get_verdict(lab.db(), verdict_id)["archived_at"]:
        step, message = unarchive_verdicts(lab.db(), [verdict_id], by=annotator), "Took verdict {number} back."
    else:
        step, message = archive_verdicts(lab.db(), [verdict_id], by=annotator), "Deleted verdict {number}."
    return [*show_toast(t(message, number=verdict_id), step), gr.update(visible=False)]


@known_errors
def undo(lab: Lab, step_id: int | None, annotator: str) -> list[Any]:
    """Takes back the last change, deletion, import or bulk act of this page."""
    if step_id is not None:
        undo_step(lab.db(), step_id, by=annotator)
    return hide_toast()
