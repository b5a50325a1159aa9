"""The Status tab: how the app fares, for who looks after it."""

from __future__ import annotations

import shutil
import time
from html import escape

import gradio as gr

from components import highlight
from components.context import Lab
from components.errors import known_errors
from components.languages import t
from components.watching import resident_bytes
from data.jobs import count_by_state
from data.roles import acting

WITHIN = "{share} % answered within"
ONLY_ADMIN = highlight.empty("For admins", "How the app fares is shown to accounts with the role admin.")


def build_status(lab: Lab, tab: gr.Tab) -> None:
    """Lays the tab out; it is read anew when it is opened and by its button."""
    view = gr.HTML(elem_id="status-view")
    refresh = gr.Button("Refresh", size="sm", elem_id="status-refresh")
    gr.on([tab.select, refresh.click], lab.bind(show_status), None, view, queue=False, show_progress="hidden")


@known_errors
def show_status(lab: Lab) -> str:
    """Tables of answers, models, runs and storage, as HTML."""
    if acting().role != "admin":
        return t(ONLY_ADMIN)
    tables = {"Answers": answers(lab), "Models": models(lab), "Runs": runs(lab), "Machine": machine(lab)}
    parts = []
    for title, rows in tables.items():
        row = "<tr><th scope='row'>{}</th><td>{}</td></tr>"
        cells = "".join(row.format(escape(t(name)), escape(t(value))) for name, value in rows)
        parts.append(f"<section><h3>{t(title)}</h3><table>{cells}</table></section>")
    return f'<div class="status">{"".join(parts)}</div>'


def answers(lab: Lab) -> list[tuple[str, str]]:
    metrics = lab.metrics
    given = sum(s.value for m in metrics.probes.collect() for s in m.samples if s.name.endswith("_total"))
    batches = {s.name.rpartition("_")[2]: s.value for m in metrics.batch_rows.collect() for s in m.samples}
    rows = [("Probes since the start", f"{given:,.0f}")]
    if given:
        rows += [
            (t(WITHIN, share=round(100 * share)), f"{1000 * (metrics.quantile(share) or 0):,.0f} ms")
            for share in (0.5, 0.95)
        ]
    if batches.get("count"):
        rows.append(("Probes a batch", f"{batches['sum'] / batches['count']:.1f}"))
    waiting = lab.serving.batcher.depth if lab.is_serving else 0
    return [*rows, ("Waiting", str(waiting))]


def models(lab: Lab) -> list[tuple[str, str]]:
    if not lab.is_serving:
        return [("Loading", "The models are not up yet.")]
    serving = lab.serving
    live = serving.live
    rows = [
        (
            e.version_id,
            f"{e.precision}, {e.size_bytes / 2**20:,.0f} MiB" + (f", {t('live')}" if e.version_id in live else ""),
        )
        for e in serving.engines
    ]
    rows += [(t("Trouble in {task}", task=task), problem) for task, problem in serving.problems.items()]
    return [
        *rows,
        ("Device", t("{device}, {count} threads answer", device=serving.device.type, count=serving.threads)),
    ]


def runs(lab: Lab) -> list[tuple[str, str]]:
    from models.worker import worker_lives

    states = [(state, str(count)) for state, count in sorted(count_by_state(lab.db()).items())]
    worker = "at work" if worker_lives(lab.settings) else "not running"
    return [*(states or [("Runs", "none yet")]), ("Worker", worker)]


def machine(lab: Lab) -> list[tuple[str, str]]:
    settings = lab.settings
    store = sum(path.stat().st_size for path in settings.store.parent.glob(f"{settings.store.name}*"))
    free = shutil.disk_usage(settings.workspace).free
    return [
        ("Up for", f"{(time.monotonic() - lab.metrics.started) / 3600:.1f} h"),
        ("Memory of the app", f"{resident_bytes() / 2**20:,.0f} MiB"),
        ("Store", f"{store / 2**20:,.1f} MiB"),
        ("Free disk", f"{free / 2**30:,.1f} GiB"),
        ("Workspace", str(settings.workspace)),
    ]
