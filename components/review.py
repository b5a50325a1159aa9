"""The Review tab: what people said, found by filters and words, edited, taken back, brought in and out."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import gradio as gr

from components import highlight
from components.context import Lab
from components.dashboard import build_dashboard
from components.errors import known_errors
from components.failure_map import build_failure_map
from components.second_look import build_second_look
from components.toast import build_toast, hide_toast, show_toast
from data.examples import archive_verdicts, edit_verdict, get_verdict, restore_verdict, unarchive_verdicts
from data.queries import Filters, count_verdicts, facets, find_verdicts
from data.tasks import TASKS, get_task
from data.transfer import Parsed, import_rows, parse_file

PAGE_ROWS = 25
ANY = "any"
HEADERS = ["#", "Example", "Expected", "Model said", "Kind", "Category", "By", "Version"]
WIDTHS = ["5%", "32%", "12%", "12%", "11%", "12%", "6%", "10%"]

NOTHING = highlight.empty(
    "Nothing here yet",
    "Flag a wrong answer or confirm a right one in the Probe tab, import a file below, or loosen the filters.",
)


def build_review(lab: Lab, task: gr.Radio, annotator: gr.Textbox, tab: gr.Tab) -> None:
    page_number = gr.State(0)
    ids = gr.State([])  # the verdicts' ids in the rows shown
    chosen = gr.State(None)
    with gr.Row():
        search = gr.Textbox(
            label="Search",
            placeholder="words in the example, or ids: 3, 7",
            max_lines=1,
            scale=3,
            min_width=200,
            elem_id="review-search",
        )
        menus = [
            gr.Dropdown([ANY], value=ANY, label=label, scale=2, min_width=120, filterable=False)
            for label in ("Kind", "Category", "Label", "Annotator", "Version")
        ]
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
        with gr.Row():
            category = gr.Dropdown([], label="Blind-spot category")
            note = gr.Textbox(label="Note", max_lines=6)
        with gr.Row():
            save = gr.Button("Save changes", variant="primary")
            delete = gr.Button("Delete", variant="stop")
            close = gr.Button("Close")
    with gr.Row(equal_height=False):
        with gr.Column(), gr.Accordion("Import", open=False):
            gr.HTML(
                '<div class="hint">JSON Lines or CSV with the task\'s fields and <code>label</code>; optional are '
                "<code>phenomenon</code>, <code>note</code>, <code>annotator</code>. Nothing is stored before you "
                "have seen what was found.</div>"
            )
            upload = gr.File(
                label="File", file_types=[".jsonl", ".csv"], type="filepath", height=120, elem_id="review-file"
            )
            preview = gr.HTML()
            bring_in = gr.Button("Import", variant="primary", visible=False)
        with gr.Column(), gr.Accordion("Export", open=False):
            links = gr.HTML()
    build_second_look(lab, task, annotator, tab)
    build_failure_map(lab, task)
    build_dashboard(lab, task, tab)
    toast = build_toast("review")

    filters = [task, *menus, search]
    shown = [table, ids, count, page_number, links]
    quiet = {"queue": False, "show_progress": "hidden"}
    tab.select(lab.bind(refresh_menus), filters, menus, **quiet).then(
        lab.bind(show_page), [page_number, *filters], shown, **quiet
    )
    task.change(lab.bind(refresh_menus), filters, menus, **quiet).then(lab.bind(first_page), filters, shown, **quiet)
    gr.on([search.change, *(menu.input for menu in menus)], lab.bind(first_page), filters, shown, **quiet)
    previous.click(lab.bind(page_before), [page_number, *filters], shown, **quiet)
    following.click(lab.bind(page_after), [page_number, *filters], shown, **quiet)
    editing = [editor, detail, expected, category, note, chosen]
    table.select(lab.bind(open_selected), [ids], editing, **quiet)
    close.click(lambda: gr.update(visible=False), None, editor, **quiet)
    again = {"fn": lab.bind(show_page), "inputs": [page_number, *filters], "outputs": shown, **quiet}
    save.click(lab.bind(save_changes), [chosen, expected, category, note], [*toast.outputs, editor], **quiet).success(
        **again
    )
    delete.click(lab.bind(delete_chosen), [chosen], [*toast.outputs, editor], **quiet).success(**again)
    toast.undo.click(lab.bind(undo), [toast.token], toast.outputs, **quiet).success(**again)
    upload.change(lab.bind(preview_import), [task, upload], [preview, bring_in], **quiet)
    bring_in.click(
        lab.bind(import_upload),
        [task, upload, annotator],
        [*toast.outputs, upload, preview, bring_in],
        queue=False,
    ).success(lab.bind(refresh_menus), filters, menus, **quiet).then(**again)


def read_filters(task_name: str, menus: list[str], search: str) -> Filters:
    kind, category, label, annotator, version = (None if value in (ANY, None) else value for value in menus)
    return Filters(
        task=task_name,
        kind=kind,
        category=category,
        label=label,
        annotator=annotator,
        version=version,
        search=search or "",
    )


def refresh_menus(lab: Lab, task_name: str, *menus_and_search: Any) -> list[Any]:
    """The filters' choices are the values that occur; one that no longer occurs goes back to any."""
    found = facets(lab.db(), task_name)
    choices = [
        ["correction", "confirmation"],
        found["categories"],
        found["labels"],
        found["annotators"],
        found["versions"],
    ]
    return [
        gr.update(choices=[ANY, *values], value=current if current in values else ANY)
        for values, current in zip(choices, menus_and_search[:5], strict=True)
    ]


@known_errors
def show_page(lab: Lab, page: int, task_name: str, *menus_and_search: Any) -> list[Any]:
    """One page of the matching verdicts: table rows, their ids, the count, the page's number, export links."""
    *menus, search = menus_and_search
    filters = read_filters(task_name, menus, search)
    total = count_verdicts(lab.db(), filters)
    page = max(0, min(page, (total - 1) // PAGE_ROWS))
    rows = find_verdicts(lab.db(), filters, limit=PAGE_ROWS, offset=page * PAGE_ROWS)
    if total:
        first = page * PAGE_ROWS + 1
        text = f'<div class="hint">{first:,} to {first + len(rows) - 1:,} of {total:,}. Click a row to open it.</div>'
    else:
        text = NOTHING
    return [
        gr.update(value=[table_row(row) for row in rows], visible=bool(total)),
        [row["id"] for row in rows],
        text,
        page,
        export_links(filters),
    ]


def first_page(lab: Lab, *filters: Any) -> list[Any]:
    return show_page(lab, 0, *filters)


def page_before(lab: Lab, page: int, *filters: Any) -> list[Any]:
    return show_page(lab, page - 1, *filters)


def page_after(lab: Lab, page: int, *filters: Any) -> list[Any]:
    return show_page(lab, page + 1, *filters)


def table_row(row: dict[str, Any]) -> list[str]:
    task = get_task(row["task"])
    example = row["example"]
    return [
        str(row["id"]),
        highlight.one_line(task, example),
        label_name(row["task"], example, row["expected_label"]),
        label_name(row["task"], example, row["predicted_label"]),
        row["kind"],
        row["category"],
        row["annotator"],
        row["version_id"] or "",
    ]


def label_name(task_name: str, example: dict[str, Any], label: str | None) -> str:
    """A stored label as a person reads it: a choice's text for its index."""
    if label is None:
        return ""
    task = get_task(task_name)
    index = task.parse_label(label, example)
    return highlight.shorten(task.label_names(example)[index], 60)


def open_selected(lab: Lab, ids: list[int], event: gr.SelectData) -> list[Any]:
    return open_verdict(lab, ids[event.index[0]])


@known_errors
def open_verdict(lab: Lab, verdict_id: int) -> list[Any]:
    """The editor, filled with a verdict."""
    row = get_verdict(lab.db(), verdict_id)
    task = get_task(row["task"])
    names = task.label_names(row["example"])
    parts = [
        f'<div class="panel" style="border:0"><div class="hint">Verdict {row["id"]} · {escape(row["annotator"])} · '
        f"{row['created_at'][:16].replace('T', ' ')} UTC · from {escape(row['origin'])}</div>"
    ]
    for field in task.fields:
        value = row["example"][field.name]
        text = " / ".join(value) if isinstance(value, list) else value
        if text:
            parts.append(
                f'<p><span class="hint">{escape(field.title)}</span><br>{escape(highlight.shorten(text, 4000))}</p>'
            )
    return [
        gr.update(visible=True),
        "".join(parts) + "</div>",
        gr.update(
            choices=[(n, i) for i, n in enumerate(names)],
            value=task.parse_label(row["expected_label"], row["example"]),
        ),
        gr.update(choices=list(task.categories), value=row["category"]),
        row["note"],
        verdict_id,
    ]


@known_errors
def save_changes(lab: Lab, verdict_id: int | None, expected: int, category: str, note: str) -> list[Any]:
    if verdict_id is None:
        raise ValueError("Click a row of the table first.")
    row = get_verdict(lab.db(), verdict_id)
    label = get_task(row["task"]).format_label(int(expected))
    before = edit_verdict(lab.db(), verdict_id, expected=label, category=category, note=note)
    return [*show_toast(f"Changed verdict {verdict_id}.", {"restore": before}), gr.update(visible=False)]


@known_errors
def delete_chosen(lab: Lab, verdict_id: int | None) -> list[Any]:
    if verdict_id is None:
        raise ValueError("Click a row of the table first.")
    archive_verdicts(lab.db(), [verdict_id])
    return [
        *show_toast(f"Deleted verdict {verdict_id}.", {"unarchive": [verdict_id]}),
        gr.update(visible=False),
    ]


@known_errors
def undo(lab: Lab, token: dict[str, Any] | None) -> list[Any]:
    """Takes back the last change, deletion or import of this page."""
    token = token or {}
    if "restore" in token:
        restore_verdict(lab.db(), token["restore"])
    elif "unarchive" in token:
        unarchive_verdicts(lab.db(), token["unarchive"])
    elif "archive" in token:
        archive_verdicts(lab.db(), token["archive"])
    return hide_toast()


@known_errors
def preview_import(lab: Lab, task_name: str, path: str | None) -> list[Any]:
    """What a file holds, before anything is stored."""
    if not path:
        return ["", gr.update(visible=False)]
    parsed = parse_file(Path(path), get_task(task_name))
    return [
        import_summary(parsed),
        gr.update(visible=bool(parsed.rows), value=f"Import {len(parsed.rows):,} rows"),
    ]


def import_summary(parsed: Parsed) -> str:
    html = f"<p><b>{len(parsed.rows):,}</b> rows can be imported, <b>{len(parsed.refused):,}</b> are refused.</p>"
    return html + (highlight.problem(parsed.summary()) if parsed.refused else "")


@known_errors
def import_upload(lab: Lab, task_name: str, path: str | None, annotator: str) -> list[Any]:
    """Stores the good rows of the uploaded file; the live model's answer tells which are corrections."""
    from models.answers import answer_rows

    if not path:
        raise ValueError("Choose a file first.")
    task = get_task(task_name)
    parsed = parse_file(Path(path), task)
    answers = answer_rows(lab.serving.predictor(task_name), parsed.rows)
    ids = import_rows(lab.db(), task, parsed, annotator=annotator, answers=answers)
    message = f"Imported {len(ids):,} rows." + (f" {len(parsed.refused):,} were refused." if parsed.refused else "")
    return [*show_toast(message, {"archive": ids}), None, "", gr.update(visible=False)]


def export_links(filters: Filters) -> str:
    """Links that download what the filters show."""
    query = urlencode(
        {
            name: value
            for name in ("kind", "category", "label", "annotator", "version", "search")
            if (value := getattr(filters, name))
        }
    )
    task = filters.task or next(iter(TASKS))
    links = " · ".join(
        f'<a href="export/{task}.{format}?{escape(query)}" download>{title}</a>'
        for format, title in (("jsonl", "JSON Lines"), ("csv", "CSV"), ("parquet", "Parquet"))
    )
    return f'<div class="hint">Download what the filters above show: {links}</div>'
