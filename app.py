"""The web app: builds the tabs, starts the worker where jobs wait, and serves the page on loopback."""

from __future__ import annotations

import os

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # before gradio is imported: nothing goes out
os.environ.setdefault("GRADIO_ANALYTICS_MAX_EVENTS", "1")
os.environ.setdefault("GRADIO_ANALYTICS_CACHE_FREQUENCY", "1000000000")
os.environ.setdefault("GOMP_SPINCOUNT", "2000")  # before torch: idle threads leave the cores to others
os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "48")  # before torch: by default a kernel for each of the
os.environ.setdefault("LRU_CACHE_CAPACITY", "48")  # last 1024 shapes of a batch, which is hundreds of MiB
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # one input is not worth waiting for another thread

import argparse
import signal
import sys
import tempfile
from pathlib import Path

import gradio as gr
import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import PlainTextResponse

from components.account import build_account
from components.alike import join_alike
from components.api import build_api
from components.context import Lab
from components.dashboard import build_dashboard
from components.errors import SHOW_ERRORS
from components.figures import plotly_source
from components.files import EXPORTS
from components.guard import Guard, Rate
from components.languages.page import greet_browsers, translate_page
from components.login import add_login, check_exposure, user_name
from components.probe import build_probe
from components.retrain import build_retrain
from components.review import build_review
from components.routes import add_routes
from components.span_marks import MARK_SELECTION
from components.spots import build_spots
from components.status import build_status
from components.task_form import ProbeDoor, task_choice
from components.theme import CSS_FILE, FIGURE_TOOLS, SHORTCUTS, theme
from components.versions import build_versions
from data.backups import keep_backups, scheduled_backup
from data.jobs import ACTIVE, list_jobs
from data.logs import set_up_logs
from data.queries import Filters
from data.store import StoreError
from data.tasks import get_task
from data.transfer import export_file
from settings import Settings, read_settings

STATUS_S = 1.0
"""How often those who wait in Gradio's queue are told their place. By default it tells all of them at each event,
which among a hundred is most of what the app does."""

MASTHEAD = """
<div class="brand">
  <svg width="40" height="40" viewBox="0 0 40 40" aria-hidden="true">
    <rect width="40" height="40" rx="10" fill="#3454d1"/>
    <path d="M6 20c4-7 9-10 14-10s10 3 14 10c-4 7-9 10-14 10S10 27 6 20z" fill="none"
      stroke="#fff" stroke-width="2.4"/>
    <circle cx="20" cy="20" r="5" fill="#fff"/><circle cx="26.5" cy="15" r="5.2" fill="#3454d1"/>
    <circle cx="26.5" cy="15" r="3" fill="#ffb454"/>
  </svg>
  <div><h1>Blindspot</h1><p>Find what a language model cannot see, correct it, and train it out.</p></div>
</div>
"""


def build_page(lab: Lab) -> gr.Blocks:
    """The page: a masthead and a tab for each step of the loop."""
    with gr.Blocks(title="Blindspot", analytics_enabled=False) as page:
        with gr.Row(elem_id="masthead"):
            gr.HTML(MASTHEAD)
            task = task_choice()
            with gr.Column(scale=0, min_width=210):
                annotator = gr.Textbox(
                    value=lab.settings.annotator, label="Annotator", max_lines=1, elem_id="annotator"
                )
                build_account(lab, page, annotator)
        timer = gr.Timer(4.0)  # at the root: inside a tab it would not tick before the tab is opened
        with gr.Tabs(overflow_behavior="wrap") as tabs:
            with gr.Tab("Probe", id="probe"):
                forms, alike = build_probe(lab, page, task, annotator)
                door = ProbeDoor(tabs, forms)
            with gr.Tab("Blind spots", id="spots") as spots:
                build_spots(lab, task, annotator, spots, door)
            with gr.Tab("Review", id="review") as review:
                join_alike(lab, alike, task, [tabs, *build_review(lab, task, annotator, review)])
            with gr.Tab("Retrain", id="retrain") as retrain:
                build_retrain(lab, task, annotator, retrain, timer)
            with gr.Tab("Versions", id="versions") as versions:
                build_versions(lab, task, annotator, versions)
            with gr.Tab("Figures", id="figures") as figures:
                build_dashboard(lab, task, figures)
            with gr.Tab("Status", id="status") as status:
                build_status(lab, status)
        build_api(lab)
        page.load(None, None, None, js=SHOW_ERRORS)
        page.load(None, None, None, js=SHORTCUTS)
        page.load(None, None, None, js=FIGURE_TOOLS)
        page.load(None, None, None, js=MARK_SELECTION)
    translate_page(page, lab.settings.language)
    return page


def build_app(lab: Lab) -> FastAPI:
    """The page under FastAPI: no docs routes, no cross-origin access."""
    page = build_page(lab)
    page.queue(
        api_open=False,
        max_size=lab.settings.queue_length,
        default_concurrency_limit=4,
        status_update_rate=STATUS_S,
    )
    app = FastAPI(openapi_url=None)
    app.add_middleware(Rate, lab=lab)
    add_login(app, lab)
    app.add_middleware(Guard, lab=lab)  # added last: it sees a request first
    add_routes(app, lab)

    @app.get("/healthz")
    def healthz() -> dict[str, str]:
        """The process answers."""
        return {"status": "ok"}

    @app.get("/readyz")
    def readyz() -> Response:
        """The store can be read and every task has a live model that is loaded; else 503."""
        try:
            missing = lab.missing_models()
        except (StoreError, RuntimeError) as error:
            return PlainTextResponse(str(error), status_code=503)
        return PlainTextResponse(f"loading: {', '.join(missing)}" if missing else "ready", 503 if missing else 200)

    @app.get("/plotly.js")
    def plotly_js() -> Response:
        """What a figure that is downloaded as HTML carries along, so that it opens without a network."""
        return Response(plotly_source(), media_type="text/javascript", headers={"Cache-Control": "max-age=86400"})

    @app.get("/export/{name}")
    def export(name: str, request: Request) -> Response:
        """The verdicts that the filters in the query match, as a download: `/export/nli.csv?category=negation`."""
        task_name, _, format = name.rpartition(".")
        wanted = {k: v for k, v in request.query_params.items() if k in Filters.__dataclass_fields__}
        try:
            masked = request.query_params.get("masked") == "1"
            wanted |= {name: float(wanted[name]) for name in ("least", "most") if name in wanted}
            filters = Filters(**{**wanted, "task": get_task(task_name).name, "archived": False})
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / name
                export_file(lab.db(), get_task(task_name), path, EXPORTS.get(format, format), filters, masked=masked)
                content = path.read_bytes()
        except (ValueError, StoreError) as error:
            return PlainTextResponse(str(error), status_code=400)
        headers = {"Content-Disposition": f'attachment; filename="blindspot-{name}"'}
        return Response(content, media_type="application/octet-stream", headers=headers)

    greet_browsers()
    return gr.mount_gradio_app(
        app,
        page,
        path="/",
        theme=theme(),
        css_paths=[CSS_FILE],
        auth_dependency=lambda request: user_name(lab, request),
        footer_links=[],
        show_error=False,
        root_path=lab.settings.root_path or None,
        max_file_size=lab.settings.upload_mib * 2**20,
        run_history=False,
        app_kwargs={"openapi_url": None},
    )


def open_lab(lab: Lab) -> None:
    """Puts the starters in place and loads the live models in the background."""
    from models.registry import prepare_workspace
    from models.worker import ensure_worker, watch

    scheduled_backup(lab.db(), lab.settings.backups, every_hours=lab.settings.backup_hours)
    keep_backups(lab.db, lab.settings.backups, lab.settings.backup_hours)
    prepare_workspace(lab.settings, lab.db())
    lab.start_serving()
    if lab.settings.serving == "ray":
        _ = lab.serving  # waits, so that a cluster that is not there ends the start with its message
    if list_jobs(lab.db(), states=ACTIVE, limit=1):
        ensure_worker(lab.settings)
    watch(lab.settings, lab.db)


def serve(settings: Settings) -> None:
    """Serves until it is told to stop."""
    lab = Lab(settings)
    check_exposure(lab)
    open_lab(lab)
    app = build_app(lab)
    print(f"Blindspot is on http://{settings.host}:{settings.port} (workspace {settings.workspace})", flush=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # uvicorn hands the signal on when it is done
    try:
        uvicorn.run(app, host=settings.host, port=settings.port, log_level="warning", timeout_graceful_shutdown=3)
    finally:
        if lab.is_serving:
            lab.serving.stop()
        if settings.on_stop == "checkpoint":
            from models.worker import stop_worker

            stop_worker(settings)


def main() -> None:
    parser = argparse.ArgumentParser(description="Serve Blindspot.")
    parser.add_argument("--host")
    parser.add_argument("--port", type=int)
    parser.add_argument("--workspace", type=Path)
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"))
    parser.add_argument("--model", action="append", metavar="TASK=PATH", help="a Hugging Face folder or Hub name")
    parser.add_argument(
        "--insecure", action="store_true", help="let other machines reach a page that has no accounts"
    )
    parser.add_argument(
        "--language", metavar="CODE", help="what the page speaks, en or zh; else as each browser asks"
    )
    parser.add_argument("--executor", choices=("local", "ray"), help="where jobs are trained")
    parser.add_argument("--serving", choices=("local", "ray"), help="where live versions answer")
    parser.add_argument("--ray-address", metavar="ADDR", help="the cluster's, such as auto or 10.0.0.5:6379")
    parser.add_argument("--train-workers", type=int, metavar="N", help="processes that train one job together")
    arguments = parser.parse_args()
    try:
        settings = read_settings(
            workspace=arguments.workspace,
            host=arguments.host,
            port=arguments.port,
            device=arguments.device,
            models=arguments.model,
            insecure=arguments.insecure,
            executor=arguments.executor,
            serving=arguments.serving,
            ray_address=arguments.ray_address,
            train_workers=arguments.train_workers,
            language=arguments.language,
        )
        set_up_logs(settings.log_format)
        serve(settings)
    except (ValueError, RuntimeError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
