"""In the Versions tab: the chosen version taken away as a file, or put on the Hugging Face Hub."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Generator, Iterator
from html import escape
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import gradio as gr

from components.context import Lab
from components.errors import known_errors
from components.languages import t
from data.roles import require
from data.versions import get_version

FORMATS = {"folder": {}, "onnx": {"onnx": True}, "int8": {"onnx": True, "int8": True}}
"""What each takes of `models.export.export_model`."""
TITLES = {"Hugging Face folder": "folder", "with ONNX": "onnx", "with ONNX and int8": "int8"}
POLL_S = 0.5
KEPT_S = 24 * 3600
"""After so long a file that was made is removed."""
ABOUT = (
    '<div class="hint">A plain Hugging Face folder with its model card, for use without Blindspot: adapter merged, '
    "temperature in the head. ONNX runs without torch and is checked against it; what int8 costs is measured in "
    "the card. A file can be downloaded for a day.</div>"
)
NO_ONNX = (
    '<div class="hint">For ONNX and int8, install what they take and start the app again: '
    "<code>pip install -r requirements-onnx.txt</code></div>"
)
READY = '<p class="ready" role="status"><a href="{link}" download>{words}</a> <span class="hint">{size} MB</span></p>'
PUSHED = '<p class="ready" role="status">{words} <a href="{link}" target="_blank" rel="noopener">{link}</a></p>'


def build_taking(lab: Lab, chosen: gr.Dropdown) -> None:
    with gr.Accordion("Take it with you", open=False, elem_id="versions-take") as box:
        gr.HTML(ABOUT)
        with gr.Row(equal_height=False):
            with gr.Column(min_width=330):
                format = gr.Radio(list(TITLES.items()), value="folder", label="Format", elem_id="versions-format")
                missing = gr.HTML(NO_ONNX, visible=False)
                make = gr.Button("Make the file", variant="primary", elem_id="versions-make")
            with gr.Column(min_width=330):
                with gr.Row(equal_height=True):
                    repository = gr.Textbox(
                        label="Repository on the Hub", placeholder="ORG/NAME", max_lines=1, min_width=160
                    )
                    token = gr.Textbox(
                        label="Token with write access",
                        placeholder="else HF_TOKEN, where the app runs",
                        type="password",
                        max_lines=1,
                        min_width=160,
                        html_attributes=gr.InputHTMLAttributes(autocomplete="off"),
                    )
                with gr.Row(equal_height=True):
                    private = gr.Checkbox(label="Private, where it is made", value=True, min_width=160)
                    push = gr.Button("Push to the Hub", min_width=160, elem_id="versions-push")
        progress = gr.HTML()
        stop = gr.Button("Stop", size="sm", visible=False, elem_id="versions-take-stop")
        made = gr.HTML(elem_id="versions-made")

    quiet = {"queue": False, "show_progress": "hidden"}
    queued = {"concurrency_id": "take", "concurrency_limit": 1, "show_progress": "hidden"}
    state, shown = [progress, make, push, stop], [progress, made, token]
    box.expand(lab.bind(show_formats), None, [format, missing], **quiet)
    making = make.click(lab.bind(begin), None, [*state, made], **quiet).success(
        lab.bind(make_file), [chosen, format], shown, **queued
    )
    pushing = push.click(lab.bind(begin), None, [*state, made], **quiet).success(
        lab.bind(push_version), [chosen, format, repository, private, token], shown, **queued
    )
    for going in (making, pushing):
        for ended in (going.then, going.failure):  # Gradio 6.31 runs no `then` after an error
            ended(lab.bind(idle), None, state, **quiet)
    stop.click(lab.bind(idle), None, state, cancels=[making, pushing], **quiet)


def show_formats(lab: Lab) -> list[Any]:
    """The formats that the libraries are there for, and what to install for the others."""
    from models.onnx_export import LIBRARIES

    if all(find_spec(name) for name in LIBRARIES):
        return [gr.skip(), gr.update(visible=False)]
    choices = [(t(title), format) for title, format in TITLES.items() if format == "folder"]
    return [gr.update(choices=choices, value="folder"), gr.update(visible=True)]


def begin(lab: Lab) -> list[Any]:
    """What is shown until the work's turn comes."""
    return [progress_html("Waiting"), *[gr.update(interactive=False)] * 2, gr.update(visible=True), ""]


def idle(lab: Lab) -> list[Any]:
    return ["", *[gr.update(interactive=True)] * 2, gr.update(visible=False)]


@known_errors
def make_file(lab: Lab, version_id: str | None, format: str) -> Iterator[list[Any]]:
    """Makes the version's file; yields what is done, and at last the link. Closed before, it leaves nothing."""
    from models.export import export_zip

    require("take away")
    target = file_path(lab, version_id, format)
    remove_old(lab.settings.exports)
    yield from followed(lab, export_zip, version_id, target, **FORMATS[format])
    link, size = f"export/versions/{version_id}/{format}", f"{target.stat().st_size / 1e6:,.1f}"
    words = t("Download {file}", file=escape(target.name))
    yield [gr.skip(), READY.format(link=escape(link), words=words, size=size), gr.skip()]


@known_errors
def push_version(
    lab: Lab, version_id: str | None, format: str, repository: str, private: bool, token: str
) -> Iterator[list[Any]]:
    """Puts the version on the Hub; yields what is done, and at last the address. The token's field is emptied."""
    from models.hub import check_push, push_to_hub

    require("publish")
    file_path(lab, version_id, format)
    repository, token = (repository or "").strip(), check_push((repository or "").strip(), token or "")
    yield [gr.skip(), gr.skip(), ""]
    address = yield from followed(
        lab, push_to_hub, version_id, repository, public=not private, token=token, **FORMATS[format]
    )
    words = t("{version} is at", version=escape(version_id))
    yield [gr.skip(), PUSHED.format(words=words, link=escape(address)), gr.skip()]


def followed(
    lab: Lab, work: Callable[..., Any], version_id: str, *values: Any, **named: Any
) -> Generator[list[Any], None, Any]:
    """Runs `work(folder of the version, ...)` apart; yields what it is at, and returns what it returned."""
    from models.apart import Apart
    from models.registry import folder_of

    # nothing is begun in the first step: Gradio 6.31 does not close a generator that is cancelled during that one
    yield [progress_html("Starting"), gr.skip(), gr.skip()]
    version, phase = folder_of(lab.settings, lab.db(), version_id), "Starting"
    with Apart(lab.settings.exports, work, version, *values, **named) as running:
        while not running.ended(POLL_S):
            # the bar starts anew where it is drawn again
            yield [progress_html(running.phase) if phase != running.phase else gr.skip(), gr.skip(), gr.skip()]
            phase = running.phase
    return running.result


def progress_html(words: str) -> str:
    return f'<div class="progress busy"><div></div></div><div class="hint" role="status">{escape(t(words))} …</div>'


def made_file(lab: Lab, version_id: str, format: str) -> Path:
    """The file that was made of a version. Raises ValueError where there is none, or the person may not have it."""
    require("take away")
    path = file_path(lab, version_id, format)
    if not path.exists():
        raise ValueError(f"{path.name} is not there (any more). Make it in the Versions tab.")
    return path


def file_path(lab: Lab, version_id: str | None, format: str) -> Path:
    """Where a version's file is, made or not. Raises ValueError where there is no such version or format."""
    if not version_id:
        raise ValueError("Choose a version first.")
    if format not in FORMATS:
        raise ValueError(f"Expected the format {', '.join(FORMATS)}; found {format!r}.")
    ending = "" if format == "folder" else f"-{format}"
    return lab.settings.exports / f"{get_version(lab.db(), version_id)['id']}{ending}.zip"


def remove_old(folder: Path) -> None:
    """Files that were made more than a day ago, and what an app that was killed left of one."""
    for path in folder.glob("*"):
        if path.stat().st_mtime < time.time() - KEPT_S:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
