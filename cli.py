"""Blindspot from a shell: the same functions that the page calls. `python cli.py --help` lists them.

Data goes to stdout, messages to stderr; a known error is one line and exit status 1.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Annotated, Any

import typer
from sqlite_utils import Database

from components.shell import (
    lab,
    load_predictor,
    parse_label_map,
    parse_rows,
    progress_text,
    read_json,
    say,
    show,
    wait_for,
)
from components.shell_backups import backup_store, restore_store
from components.shell_models import export_version, push_version
from components.shell_users import users
from data import jobs, versions
from data.plain_text import evaluation_text, report_text, share
from data.queries import store_counts
from data.tasks import Task, get_task
from data.transfer import FORMATS, atomic_path, export_file, import_rows
from models.answers import answer_rows

app = typer.Typer(
    help="Find, flag and repair the blind spots of language models.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

suites_app = typer.Typer(help="Behavioural suites: what a version fails at.", no_args_is_help=True)
app.add_typer(suites_app, name="suites")
app.add_typer(users, name="users")
app.command("backup")(backup_store)
app.command("restore")(restore_store)
app.command("export-model")(export_version)
app.command("push-model")(push_version)

TaskName = Annotated[str, typer.Option("--task", help="nli, sentiment, commonsense or labels")]
Workspace = Annotated[Path | None, typer.Option(help="Where everything is kept [default: workspace]")]
Input = Annotated[Path, typer.Option("--input", help="Rows, as .jsonl or .csv")]
VersionId = Annotated[str | None, typer.Option("--version", help="[default: the live one]")]
Strict = Annotated[bool, typer.Option("--strict", help="Refuse the whole file for one malformed row")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON")]


@app.command()
def predict(
    task: TaskName,
    input: Input,
    output: Annotated[Path, typer.Option("--output", help="Where the answered rows go")],
    version: VersionId = None,
    strict: Strict = False,
    workspace: Workspace = None,
) -> None:
    """Answer each row of a file."""
    with lab(workspace) as (settings, db):
        chosen = get_task(task)
        parsed = parse_rows(input, chosen, strict, needs_label=False)
        predictor = load_predictor(settings, db, chosen, version)
        predictions = predictor.predict([row.example for row in parsed.rows])
        with (
            atomic_path(output) as partial,
            # a lone surrogate, which UTF-8 cannot hold, is written as JSON's own escape of it
            partial.open("w", encoding="utf-8", errors="backslashreplace") as file,
        ):
            for row, prediction in zip(parsed.rows, predictions, strict=True):
                answer = {
                    "predicted_label": chosen.format_label(prediction.label),
                    "probabilities": _named(chosen, prediction.probabilities),
                    "version": predictor.version_id,
                }
                file.write(json.dumps({**row.record, **answer}, ensure_ascii=False) + "\n")
        say(f"{len(parsed.rows)} rows answered by {predictor.version_id}: {output}")


@app.command()
def evaluate(
    task: TaskName,
    input: Input,
    version: VersionId = None,
    strict: Strict = False,
    as_json: AsJson = False,
    workspace: Workspace = None,
) -> None:
    """Compare a version's answers with the labels of a file."""
    from models.evaluation import metrics

    with lab(workspace) as (settings, db):
        chosen = get_task(task)
        parsed = parse_rows(input, chosen, strict)
        predictor = load_predictor(settings, db, chosen, version)
        predictions = predictor.predict([row.example for row in parsed.rows])
        labels = [row.label for row in parsed.rows]
        by_phenomenon: dict[str, list[bool]] = {}
        for row, prediction in zip(parsed.rows, predictions, strict=True):
            by_phenomenon.setdefault(row.category, []).append(prediction.label == row.label)
        result = {
            "version": predictor.version_id,
            **metrics(chosen, predictions, labels),
            "phenomena": {
                name: {"rows": len(hits), "right": sum(hits), "accuracy": sum(hits) / len(hits)}
                for name, hits in sorted(by_phenomenon.items())
            },
        }
        show(result, as_json, evaluation_text(chosen, result))


@app.command("import")
def import_file(
    task: TaskName,
    file: Annotated[Path, typer.Argument(help="Rows with the right label, as .jsonl or .csv")],
    annotator: Annotated[str | None, typer.Option(help="Who signs rows that name nobody")] = None,
    strict: Strict = False,
    as_json: AsJson = False,
    workspace: Workspace = None,
) -> None:
    """Store corrections and confirmations.

    A row that has no "kind" is a confirmation where the live version's answer is its label.
    """
    with lab(workspace) as (settings, db):
        chosen = get_task(task)
        parsed = parse_rows(file, chosen, strict)
        answers = None
        if any(row.kind is None for row in parsed.rows):
            answers = answer_rows(load_predictor(settings, db, chosen, None), parsed.rows)
        before = _kinds(db, chosen)
        import_rows(db, chosen, parsed, annotator=annotator or settings.annotator, answers=answers)
        after = _kinds(db, chosen)
        result = {
            "corrections": after["correction"] - before["correction"],
            "confirmations": after["confirmation"] - before["confirmation"],
            "refused": len(parsed.refused),
        }
        show(result, as_json, ", ".join(f"{count} {name}" for name, count in result.items()))


@app.command()
def export(
    task: TaskName,
    output: Annotated[Path, typer.Argument(metavar="OUT")],
    format: Annotated[str, typer.Option("--format", help=", ".join(FORMATS))] = "jsonl",
    masked: Annotated[bool, typer.Option("--mask", help="Hide e-mail addresses, numbers of people, URLs")] = False,
    licence: Annotated[str, typer.Option(help="What the data card says of the licence")] = "",
    workspace: Workspace = None,
) -> None:
    """Write a task's verdicts to a file that `import` reads back, and their data card beside it."""
    with lab(workspace, with_models=False) as (_, db):
        options = {"masked": masked, "licence": licence}
        rows = export_file(db, get_task(task), output, format, **options)
        if format not in ("card", "datasets"):  # the folder has its own
            export_file(db, get_task(task), output.with_suffix(".card.md"), "card", **options)
        say(f"{rows} rows written: {output}")


@app.command()
def retrain(
    task: TaskName,
    preset: Annotated[str, typer.Option(help="quick, balanced or thorough")] = "quick",
    data: Annotated[str | None, typer.Option(help="corrections, replay, distilled or phenomenon")] = None,
    seed: Annotated[int | None, typer.Option(help="For the order of rows and fresh weights")] = None,
    options: Annotated[list[str] | None, typer.Option("--set", help="Another recipe option, NAME=VALUE")] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Stay until the job ends; print its report")] = False,
    as_json: AsJson = False,
    workspace: Workspace = None,
) -> None:
    """Train a new version on what was flagged and confirmed, from the live one."""
    from models import recipe as recipes
    from models.retraining import request_retrain

    with lab(workspace) as (settings, db):
        changes = {name: value for name, value in (("data", data), ("seed", seed)) if value is not None}
        changes |= recipes.parse_options(options or [])
        chosen = get_task(task)
        recipe = dataclasses.replace(recipes.preset(preset, chosen), **changes)
        job_id = request_retrain(settings, db, chosen, preset, requested_by=settings.annotator, recipe=recipe)
        if not wait:
            show(
                {"job": job_id, "state": "queued"},
                as_json,
                f"{job_id} is queued; `python cli.py jobs` shows it.",
            )
            return
        job = wait_for(settings, db, job_id)
        outcome = {
            "job": job_id,
            "state": job["state"],
            "version": job["version_id"],
            "report": job["report"],
        }
        if job["state"] != "done":
            outcome["error"] = job["error"]
        show(outcome, as_json, report_text(get_task(task), job))
        if job["state"] != "done":
            raise typer.Exit(1)


@app.command("jobs")
def list_jobs(as_json: AsJson = False, workspace: Workspace = None) -> None:
    """List the training jobs, newest first."""
    with lab(workspace, with_models=False) as (_, db):
        rows = jobs.list_jobs(db)
        lines = [
            f"{row['id']:<18} {row['state']:<11} {row['preset']:<10} {row['created_at'][:19]}  " + progress_text(row)
            for row in rows
        ]
        show(rows, as_json, "\n".join(lines) or "No jobs yet.")


@app.command()
def cancel(job: str, as_json: AsJson = False, workspace: Workspace = None) -> None:
    """Stop a job, or take it out of the queue."""
    with lab(workspace, with_models=False) as (_, db):
        state = jobs.cancel(db, job)
        show({"job": job, "state": state}, as_json, f"{job} is {state}.")


@app.command(context_settings={"ignore_unknown_options": True})  # a number below 0 is no option
def priority(
    job: str,
    number: Annotated[int, typer.Argument(metavar="N", help="-9 to 9; runs have 0")],
    as_json: AsJson = False,
    workspace: Workspace = None,
) -> None:
    """Let a waiting run go before (above 0) or after (below 0) others."""
    with lab(workspace) as (_, db):
        jobs.set_priority(db, job, number)
        show({"job": job, "priority": number}, as_json, f"{job} has priority {number} now.")


@app.command("versions")
def list_versions(
    task: Annotated[str | None, typer.Option("--task", help="Only this task's")] = None,
    as_json: AsJson = False,
    workspace: Workspace = None,
) -> None:
    """List the versions, newest first; * marks the live ones."""
    with lab(workspace) as (_, db):
        rows = versions.list_versions(db, get_task(task).name if task else None)
        for row in rows:
            row["recipe"], row["example_ids"] = (
                json.loads(row["recipe"] or "null"),
                json.loads(row["example_ids"]),
            )
        lines = [
            f"{'*' if row['live'] else ' '} {row['id']:<36} from {row['parent_id'] or row['note']}"
            + "".join(f"  {name} {share(m)}" for name, m in row["metrics"].items())
            for row in rows
        ]
        show(rows, as_json, "\n".join(lines) or "No versions yet.")


@suites_app.command("run")
def run_all_suites(
    task: TaskName,
    version: VersionId = None,
    rows: Annotated[int, typer.Option(help="Rows of each suite", min=1, max=200)] = 100,
    guidance: Annotated[str | None, typer.Option(help="question, goal, constraint or examples: with it too")] = None,
    as_json: AsJson = False,
    workspace: Workspace = None,
) -> None:
    """How often a version fails each suite of the task, most failed first; the Blind spots tab shows it too."""
    from data.suite_results import save_result, taught_hashes
    from data.suites import all_suites
    from models.suites import guidance_verdict, run_guided, run_suites

    with lab(workspace) as (settings, db):
        chosen = get_task(task)
        predictor = load_predictor(settings, db, chosen, version)
        if guidance:
            found = [run_guided(predictor, suite, guidance, rows) for suite in all_suites(task, settings.suites)]
            found = [{**r, "verdict": guidance_verdict(r)} for r in sorted(found, key=lambda r: -r["failed"])]
            lines = [
                f"{r['suite']:<24} fails {100 * r['failed'] / r['rows']:5.1f} %, with guidance "
                f"{100 * r['failed_guided'] / r['rows']:5.1f} %  {r['verdict']:<9} {r['category']}"
                for r in found
            ]
            show({"version": predictor.version_id, "guidance": guidance, "suites": found}, as_json, "\n".join(lines))
            return

        def keep(result: dict[str, Any]) -> None:
            save_result(db, chosen, predictor.version_id, result)
            say(f"{result['suite']}: {result['failed']}")

        taught = taught_hashes(db, predictor.version_id)
        results = run_suites(predictor, all_suites(task, settings.suites), rows, on_suite=keep, taught=taught)
        lines = [
            f"{r['suite']:<24} fails {100 * r['rate']:5.1f} % ({r['failed']} of {r['rows']}, "
            f"{100 * r['low']:.0f} to {100 * r['high']:.0f} %)  {r['category']}"
            for r in results
        ]
        show({"version": predictor.version_id, "suites": results}, as_json, "\n".join(lines))


@app.command()
def inoculate(
    task: TaskName,
    category: Annotated[str, typer.Option(help="A blind-spot category")],
    wait: Annotated[bool, typer.Option("--wait", help="Stay for the verdict")] = False,
    as_json: AsJson = False,
    workspace: Workspace = None,
) -> None:
    """Retrain on 5, 10, 20 and 50 corrections of a category: a data gap, or a limit of the model?"""
    from models.inoculation import curve, request_inoculation, verdict

    with lab(workspace) as (settings, db):
        chosen = get_task(task)
        queued = request_inoculation(settings, db, chosen, category, requested_by=settings.annotator)
        if not wait:
            show({"jobs": queued}, as_json, f"Queued {', '.join(queued)}.")
            return
        for job_id in queued:
            wait_for(settings, db, job_id)
        points = curve(db, chosen, category)
        words = {"few": "too few to tell", "gap": "data gap", "limit": "model limit", "odds": "at odds with the data"}
        found = verdict(points, settings.budgets)
        lines = [
            f"{p['k']:>3} corrections: unseen siblings {p['before']:.0f} -> {p['after']:.0f} %, "
            f"retention {p['retention']:+.1f}, contrasts {p['contrasts']:+.1f} points"
            for p in points
        ]
        show({"verdict": found, "points": points}, as_json, "\n".join([*lines, f"Verdict: {words[found]}."]))


@app.command()
def promote(
    version: str,
    reason: Annotated[str, typer.Option(help="Kept with the promotion; needed where the version is held back")] = "",
    strength: Annotated[float, typer.Option(help="0.1 to 1: between its parent and the version as trained")] = 1.0,
    as_json: AsJson = False,
    workspace: Workspace = None,
) -> None:
    """Make a version the one that answers."""
    with lab(workspace) as (settings, db):
        if strength != 1.0:
            from models.registry import register_strength

            version = register_strength(settings, db, jobs.job_of_version(db, version), round(strength, 1))
        before = versions.promote_version(db, version, by=settings.annotator, reason=reason)
        show({"live": version, "before": before}, as_json, f"{version} answers now; before it {before}.")


@app.command()
def rollback(task: TaskName, as_json: AsJson = False, workspace: Workspace = None) -> None:
    """Make the version before the live one answer again."""
    with lab(workspace) as (settings, db):
        before, live = versions.roll_back(db, get_task(task).name, by=settings.annotator)
        show({"live": live, "before": before}, as_json, f"{live} answers now; before it {before}.")


@app.command("add-model")
def add_model(
    model: Annotated[str, typer.Argument(metavar="TASK=PATH", help="A folder or a Hub name")],
    label_map: Annotated[str | None, typer.Option(help='JSON, such as {"LABEL_0": "entailment"}')] = None,
    kind: Annotated[str | None, typer.Option(help="classifier or likelihood [default: as its config says]")] = None,
    template: Annotated[Path | None, typer.Option(help="JSON: a language model's prompt and answers")] = None,
    load: Annotated[str | None, typer.Option(help="4bit: a language model's weights in four bits")] = None,
    as_json: AsJson = False,
    workspace: Workspace = None,
) -> None:
    """Make a Hugging Face checkpoint a version; `promote` lets it answer."""
    from models.registry import register_pretrained

    with lab(workspace) as (settings, db):
        task, _, source = model.partition("=")
        if not source:
            raise ValueError(f"Expected TASK=PATH, such as nli=my/model; found {model!r}.")
        version_id = register_pretrained(
            settings, db, task, source, parse_label_map(label_map), kind=kind, template=read_json(template), load=load
        )
        show(
            {"version": version_id},
            as_json,
            f"{version_id} is there; `python cli.py promote` lets it answer.",
        )


def _kinds(db: Database, task: Task) -> dict[str, int]:
    return store_counts(db).get(task.name, {"correction": 0, "confirmation": 0})


def _named(task: Task, probabilities: list[float]) -> dict[str, float] | list[float]:
    return dict(zip(task.labels, probabilities, strict=True)) if task.labels else probabilities


if __name__ == "__main__":
    app()
