"""The Retrain tab: queue a run, watch it, cancel it, read what it fixed and broke, promote it."""

from __future__ import annotations

import json
from html import escape
from typing import Any

import gradio as gr

from components import figures, highlight, report_view
from components.blame import build_blame, show_blame
from components.context import Lab
from components.errors import known_errors
from components.inoculation import build_inoculation
from components.languages import t
from components.recipe_form import build_recipe_form, read_recipes
from components.stored import stored_text
from components.toast import build_toast, hide_toast, show_toast
from data import jobs
from data.examples import select_examples
from data.queries import disagreements, incoming
from data.tasks import Task, get_task
from data.versions import live_version, live_versions, promote_version
from models.registry import register_strength
from models.retraining import estimate_seconds, kinds_of_rows, request_retrain

SHOWN_CONFLICTS = 5
VIEW = 16
"""How many parts the view of a run has."""
NEWS = (
    '<table class="plain"><tr><th>category</th><th class="num">corrections</th>'
    '<th class="num">confirmed</th><th class="num">held out</th></tr>'
)
DISAGREE = "annotators disagree. Edit or delete one of the verdicts in Review to take them in."
WAITING = "{count} wait for a second look in the Review tab and are not trained on."
PLAN_OF_ONE = "1 example to learn from; about {time} ({basis})."
PLAN = "{count} examples to learn from; about {time} ({basis})."
NO_JOB = highlight.empty(
    "No run yet",
    "Flag some wrong answers in the Probe tab, then press Retrain. Progress and report appear here.",
)


def build_retrain(lab: Lab, task: gr.Radio, annotator: gr.Textbox, tab: gr.Tab, timer: gr.Timer) -> None:
    seen = gr.State("")  # what the page last showed, so that a tick without news sends nothing
    with gr.Row(equal_height=False):
        with gr.Column(scale=4, min_width=330):
            news = gr.HTML()
            form = build_recipe_form(task, tab)
            start = gr.Button("Retrain", variant="primary", elem_id="retrain-start")
            build_inoculation(lab, task, annotator, tab, timer)
        with gr.Column(scale=7, min_width=420):
            chosen = gr.Dropdown([], label="Training run", elem_id="retrain-run", filterable=False)
            status = gr.HTML(NO_JOB)
            cancel = gr.Button("Cancel", visible=False, elem_id="retrain-cancel")
            curve = gr.Plot(show_label=False, visible=False)
            report = gr.HTML(visible=False, elem_id="retrain-report")
            along = gr.Plot(show_label=False, visible=False)
            strength = gr.Slider(
                0.1,
                1.0,
                value=1.0,
                step=0.1,
                label="Strength",
                info="Between the version before (0) and as trained (1): less strength repairs less and breaks less.",
                visible=False,
                elem_id="retrain-strength",
            )
            with gr.Row(equal_height=True):
                reason = gr.Textbox(
                    label="Reason to promote it all the same", visible=False, max_lines=2, elem_id="retrain-reason"
                )
                promote = gr.Button("Promote", variant="primary", visible=False, elem_id="retrain-promote")
            matrix = gr.Plot(show_label=False, visible=False)
            cases = gr.HTML(visible=False, elem_id="retrain-cases")
            suspects = build_blame(lab, chosen)
    toast = build_toast("retrain")

    options, estimate = [task, *form.inputs], form.estimate
    view = [seen, status, cancel, curve, report, along, strength, reason, promote, matrix, cases, *suspects.outputs]
    quiet = {"queue": False, "show_progress": "hidden"}
    gr.on(
        [tab.select, task.change, *(part.change for part in form.inputs)],
        lab.bind(show_plan),
        options,
        [news, estimate, start],
        **quiet,
    )
    gr.on([tab.select, task.change], lab.bind(show_runs), [task], [chosen], **quiet).then(
        lab.bind(show_run), [chosen], view, **quiet
    )
    chosen.input(lab.bind(show_run), [chosen], view, **quiet)
    start.click(lab.bind(start_run), [annotator, *options], [chosen], **quiet).success(
        lab.bind(show_run), [chosen], view, **quiet
    )
    suspects.again.click(
        lab.bind(run_without), [annotator, chosen, suspects.suspects, *options], [chosen], **quiet
    ).success(lab.bind(show_run), [chosen], view, **quiet)
    timer.tick(lab.bind(tick), [task, chosen, seen], [timer, chosen, *view], **quiet)
    cancel.click(lab.bind(cancel_run), [chosen], [cancel], **quiet)
    promote.click(lab.bind(promote_run), [chosen, strength, reason, annotator], toast.outputs, queue=False).success(
        lab.bind(show_run), [chosen], view, **quiet
    ).then(lab.bind(show_plan), options, [news, estimate, start], **quiet)
    strength.change(lab.bind(show_promotion), [chosen, strength], [reason, promote], **quiet)
    toast.undo.click(lab.bind(undo_promotion), [toast.token, annotator], toast.outputs, **quiet).success(
        lab.bind(show_run), [chosen], view, **quiet
    )


@known_errors
def show_plan(lab: Lab, task_name: str, *options: Any) -> list[Any]:
    """What has come in since the live version, and how long the run will take."""
    db, task = lab.db(), get_task(task_name)
    live = live_version(db, task_name)
    rows = incoming(db, task, live)
    selection = select_examples(db, task, **kinds_of_rows(db, task, lab.settings))
    taught = len(selection.rows)
    html = [
        f'<div class="panel"><div class="hint">{t("Live")}: <code>{escape(live)}</code>. {t("New since then:")}</div>'
    ]
    if rows:
        html.append(t(NEWS))
        html += [
            f'<tr><td>{escape(t(r["category"]))}</td><td class="num">{r["corrections"]}</td>'
            f'<td class="num">{r["confirmations"]}</td><td class="num">{r["held_out"]}</td></tr>'
            for r in rows
        ]
        html.append("</table>")
    else:
        html.append(t("<p>Nothing. Flag wrong answers in the Probe tab.</p>"))
    html.append("</div>")
    if selection.unconfirmed:
        words = t(WAITING, count=selection.unconfirmed)
        html.append(f'<div class="hint">{words}</div>')
    if selection.conflicts:
        html.append(conflicts_html(lab, task, selection.conflicts))
    if not taught:
        return ["".join(html), "", gr.update(interactive=False)]
    recipes = read_recipes(task, *options)
    seconds, basis = estimate_seconds(db, task, recipes[0], taught)
    seconds *= len(recipes)
    time = f"<b>{report_view.duration(seconds)}</b>"
    plan = t(PLAN_OF_ONE if taught == 1 else PLAN, count=taught, time=time, basis=escape(basis))
    return ["".join(html), f'<div class="hint">{plan}</div>', gr.update(interactive=True)]


def conflicts_html(lab: Lab, task: Task, example_ids: list[int]) -> str:
    """Examples that were given two labels, named, and what to do about them."""
    lines = []
    for row in disagreements(lab.db(), example_ids[:SHOWN_CONFLICTS]):
        example = row["example"]
        said = ", ".join(
            f"{escape(who)}: <b>{escape(highlight.label_text(task, example, task.parse_label(label, example)))}</b>"
            for who, label in row["labels"].items()
        )
        lines.append(f"<li>{highlight.example_text(task, row['example'], 160)}<br>{said}</li>")
    more = len(example_ids) - SHOWN_CONFLICTS
    if more > 0:
        lines.append(f"<li>{t('and {count} more', count=more)}</li>")
    return (
        f'<div class="warn"><b>{t("{count} left out:", count=len(example_ids))}</b> {t(DISAGREE)}'
        f"<ul>{''.join(lines)}</ul></div>"
    )


@known_errors
def start_run(lab: Lab, annotator: str, task_name: str, size: str, *options: Any) -> Any:
    """Queues the run, once for each seed, and shows the first."""
    return _queue(lab, annotator, task_name, size, *options)


@known_errors
def run_without(
    lab: Lab, annotator: str, job_id: str, left_out: list[int], task_name: str, size: str, *options: Any
) -> Any:
    """Queues the run again, from the same parent, without the examples that are to blame."""
    parent_id = jobs.get_job(lab.db(), job_id)["parent_id"]
    return _queue(lab, annotator, task_name, size, *options, parent_id=parent_id, without=set(left_out))


def _queue(lab: Lab, annotator: str, task_name: str, size: str, *options: Any, **more: Any) -> Any:
    task = get_task(task_name)
    queued = [
        request_retrain(lab.settings, lab.db(), task, size, requested_by=annotator, recipe=recipe, **more)
        for recipe in read_recipes(task, size, *options)
    ]
    return run_choices(lab, task_name, queued[0])


def show_runs(lab: Lab, task_name: str) -> Any:
    return run_choices(lab, task_name, None)


def run_choices(lab: Lab, task_name: str, job_id: str | None) -> Any:
    """The task's runs for the menu, newest first; the newest is chosen where none is named."""
    rows = jobs.list_jobs(lab.db(), task=task_name)
    choices = [
        (f"{r['id']} · {t(r['preset'].capitalize())} · {r['created_at'][:16].replace('T', ' ')}", r["id"])
        for r in rows
    ]
    return gr.update(choices=choices, value=job_id or (rows[0]["id"] if rows else None))


def tick(lab: Lab, task_name: str, job_id: str | None, seen: str) -> list[Any]:
    """News of the run shown, and of one that another page started; nothing where nothing changed."""
    rows = jobs.list_jobs(lab.db(), task=task_name, limit=1)
    active = bool(jobs.list_jobs(lab.db(), states=jobs.ACTIVE, limit=1))
    timer = gr.Timer(1.0 if active else 4.0)
    newest = rows[0]["id"] if rows else None
    if newest and job_id is None:
        return [timer, run_choices(lab, task_name, newest), *show_run(lab, newest)]
    if job_id and state_key(lab, job_id) != seen:
        return [timer, gr.skip(), *show_run(lab, job_id)]
    return [timer, *[gr.skip()] * (1 + VIEW)]


def state_key(lab: Lab, job_id: str) -> str:
    """Differs whenever the page must show something else of the job."""
    job = jobs.get_job(lab.db(), job_id)
    live = live_versions(lab.db()).get(job["task"])
    has_dial = bool(job["report"] and "dial" in job["report"])
    return json.dumps([job_id, job["state"], job["phase"], (job["progress"] or [None])[-1], live, has_dial])


@known_errors
def show_run(lab: Lab, job_id: str | None) -> list[Any]:
    """Updates for the run's view, in its order."""
    hidden = gr.update(visible=False)
    if not job_id:
        return ["", t(NO_JOB), *[hidden] * (VIEW - 2)]
    job = jobs.get_job(lab.db(), job_id)
    progress = job["progress"] or []
    running = job["state"] in jobs.ACTIVE
    curve = gr.update(value=figures.loss_curve(progress), visible=True) if len(progress) > 1 else hidden
    report, along, strength, reason, promote, matrix, cases, *suspects = [hidden] * 12
    if job["report"]:
        report = gr.update(value=report_view.report_html(job, jobs.runs_alike(lab.db(), job)), visible=True)
        matrix = confusion_update(job)
        cases = gr.update(value=report_view.all_cases_html(job), visible=True)
        dial = job["report"].get("dial")
        chosen = dial["best"] if dial and dial["best"] and job["report"]["gate"] else 1.0
        live = live_versions(lab.db()).get(job["task"], "")
        if live == job["version_id"]:
            chosen = 1.0
        elif live.startswith(f"{job['version_id']}-s"):
            chosen = int(live.rpartition("-s")[2]) / 100
        if dial:
            along = gr.update(value=figures.dial(dial["points"], dial["best"]), visible=True)
            strength = gr.update(value=chosen, visible=True)
        reason, promote = show_promotion(lab, job_id, chosen)
        suspects = show_blame(job)
    return [
        state_key(lab, job_id),
        report_view.status_html(job),
        gr.update(visible=running, interactive=job["state"] != "cancelling"),
        curve,
        report,
        along,
        strength,
        reason,
        promote,
        matrix,
        cases,
        *suspects,
    ]


@known_errors
def show_promotion(lab: Lab, job_id: str, strength: float) -> list[Any]:
    """Updates for the reason and the button that promotes the run's version at that strength."""
    job = jobs.get_job(lab.db(), job_id)
    if not job["report"]:
        return [gr.skip(), gr.skip()]
    name = job["version_id"] if strength == 1 else f"{job['version_id']}-s{round(100 * strength)}"
    is_live = live_versions(lab.db()).get(job["task"]) == name
    against = [] if is_live else held_back(lab, job, strength)
    return [
        gr.update(visible=bool(against), info="; ".join(map(stored_text, against))),
        gr.update(
            value=t("{name} is live" if is_live else "Promote {name}", name=name),
            variant="secondary" if against else "primary",
            interactive=not is_live,
            visible=True,
        ),
    ]


def held_back(lab: Lab, job: dict[str, Any], strength: float) -> list[str]:
    """What speaks against promoting the run's version at that strength."""
    report = job["report"]
    if strength == 1 or "dial" not in report:
        return report["gate"]
    from models.dial import point_reasons

    counts = {name: split["child"]["rows"] for name, split in report["splits"].items()}
    return point_reasons(report["dial"]["points"], strength, counts, **lab.settings.budgets)


@known_errors
def cancel_run(lab: Lab, job_id: str) -> Any:
    jobs.cancel(lab.db(), job_id)
    return gr.update(interactive=False)


@known_errors
def promote_run(lab: Lab, job_id: str, strength: float, reason: str | None, annotator: str) -> list[Any]:
    """Makes the run's version, at that strength, the one that answers, from now on and for everyone."""
    version_id = register_strength(lab.settings, lab.db(), job_id, round(strength, 1))
    before = promote_version(lab.db(), version_id, by=annotator, reason=reason or "")
    lab.serving.refresh()
    return show_toast(t("{version} answers now.", version=escape(version_id)), {"back_to": before})


@known_errors
def undo_promotion(lab: Lab, token: dict[str, str] | None, annotator: str) -> list[Any]:
    if token:
        promote_version(lab.db(), token["back_to"], by=annotator, reason="undo", going_back=True)
        lab.serving.refresh()
    return hide_toast()


def confusion_update(job: dict[str, Any]) -> Any:
    split = job["report"]["splits"]["retention"]
    if "confusion" not in split["parent"]:
        return gr.update(visible=False)
    figure = figures.confusion(
        list(get_task(job["task"]).labels),
        split["parent"]["confusion"],
        split["child"]["confusion"],
        tuple(f"{job[name]}, {t('retention set')}" for name in ("parent_id", "version_id")),
    )
    return gr.update(value=figure, visible=True)
