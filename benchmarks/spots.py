"""The whole loop on every blind spot at once: `python -m benchmarks.spots [--task nli] [--figure FILE]`.

In a fresh workspace the suites run on the starter; of each that it fails by half or more, 20 failing rows become
corrections and five near neighbours that it gets right are confirmed; one retrain follows, as the page does it. Then
the same suites run again on the version and on what the report suggests to promote of it, without the rows that were
trained on, and their near neighbours (contrasts) too. Printed is what each fails.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from sqlite_utils import Database

from benchmarks.machine import describe_machine
from benchmarks.retrain import time_retrain
from components.figures import failure_map
from data.examples import Answer, flag_example
from data.jobs import get_job
from data.store import open_store
from data.suite_results import flag_failures, save_result, suite_results, taught_hashes
from data.suites import Suite, expand, load_suites
from data.tasks import TASKS, Task, get_task
from data.versions import live_version
from models.device import choose_device
from models.folders import STARTERS
from models.predictor import Predictor
from models.registry import folder_of, prepare_workspace, register_strength
from models.suites import run_suite
from settings import Settings

HALF = 0.5
ANNOTATOR = "benchmark"


def run_all(settings: Settings, db: Database, task: Task, version_id: str) -> dict[str, dict[str, Any]]:
    """Each suite's result on the version, kept in the store; with `contrasts`, how many percent of those it fails."""
    predictor = Predictor.load(folder_of(settings, db, version_id), choose_device(settings.device))
    taught, found = taught_hashes(db, version_id), {}
    for suite in load_suites(task.name):
        result = run_suite(predictor, suite, rows=200 if taught else 100, taught=taught)
        near = run_suite(predictor, suite, kind="contrasts", taught=taught)["rate"] if suite.contrasts else None
        save_result(db, task, version_id, result)
        found[suite.name] = {**result, "contrasts": near}
    return found


def flag(
    settings: Settings, db: Database, task: Task, version_id: str, failed: list[dict[str, Any]], count: int, near: int
) -> None:
    """Corrections from each failed suite, as many as train on them, and confirmations of its neighbours."""
    suites: dict[str, Suite] = {suite.name: suite for suite in load_suites(task.name)}
    predictor = Predictor.load(folder_of(settings, db, version_id), choose_device(settings.device))
    for result in failed:
        rows = [row for row in result["failures"] if task.split_of(row["example"]) == "train"]
        flag_failures(db, task, version_id, rows[:count], ANNOTATOR)
        drawn = expand(suites[result["suite"]], 60, 0, kind="contrasts", fewer=True)
        said = predictor.predict([row["example"] for row in drawn])
        right = [
            (row, p)
            for row, p in zip(drawn, said, strict=True)
            if p.label == row["label"] and task.split_of(row["example"]) == "train"
        ]
        for row, p in right[:near]:
            answer = Answer(p.label, p.probabilities, version_id)
            flag_example(
                db, task, row["example"], row["label"], annotator=ANNOTATOR, answer=answer, category=row["category"]
            )


def repair_all(settings: Settings, task: Task, preset: str, count: int, near: int) -> list[dict[str, Any]]:
    """Prints the task's table; returns the store's rows for the map of failures."""
    db = open_store(settings.store)
    prepare_workspace(settings, db)
    starter = live_version(db, task.name)
    before = run_all(settings, db, task, starter)
    failed = [
        r for r in before.values() if r["rate"] >= HALF and all(row["label"] is not None for row in r["failures"])
    ]
    flag(settings, db, task, starter, failed, count, near)
    seconds, job = time_retrain(settings, db, task, preset)
    while "dial" not in (job := get_job(db, job["id"]))["report"]:  # scored after the job's end
        time.sleep(1)
    after, best = run_all(settings, db, task, job["version_id"]), job["report"]["dial"]["best"]
    shown = {"before": before, "retrained": after}
    if best is not None and best < 1:
        shown[f"at strength {best:g}"] = run_all(settings, db, task, register_strength(settings, db, job["id"], best))
    retention = job["report"]["splits"]["retention"]
    print(
        f"\n{task.name}, {preset}: {count} corrections from each of {len(failed)} suites and up to {near} confirmed "
        f"neighbours; {seconds['click to report']:.0f} s from click to report; general accuracy "
        f"{100 * retention['parent']['accuracy']:.1f} to {100 * retention['child']['accuracy']:.1f} %; strength "
        f"suggested: {'none' if best is None else f'{best:g}'}; against it as trained: "
        f"{'; '.join(job['report']['gate']) or 'nothing'}\n"
    )
    print("| fails (%), neighbours behind the stroke | " + " | ".join(shown) + " |")
    print("| --- |" + " ---: |" * len(shown))
    for kind, names in (("taught", [r["suite"] for r in failed]), ("the others", list(before))):
        names = [n for n in names if (n in {r["suite"] for r in failed}) == (kind == "taught")]
        for name in names if kind == "taught" else []:
            print(f"| {name} | " + " | ".join(cell(found[name]) for found in shown.values()) + " |")
        print(
            f"| **mean of {len(names)}, {kind}** | "
            + " | ".join(mean(found, names) for found in shown.values())
            + " |"
        )
    rows = suite_results(db, task.name)
    db.close()
    return rows


def cell(result: dict[str, Any]) -> str:
    near = "" if result["contrasts"] is None else f" / {100 * result['contrasts']:.0f}"
    return f"{100 * result['rate']:.0f}{near}"


def mean(found: dict[str, dict[str, Any]], names: list[str]) -> str:
    rates = [found[name]["rate"] for name in names]
    near = [found[name]["contrasts"] for name in names if found[name]["contrasts"] is not None]
    return " / ".join(f"{100 * statistics.mean(values):.0f}" for values in (rates, near) if values)


def main(
    task: Annotated[str | None, typer.Option(help="one task instead of all")] = None,
    preset: Annotated[str, typer.Option(help="quick, balanced or thorough")] = "thorough",
    corrections: Annotated[int, typer.Option(help="of each failed suite")] = 20,
    neighbours: Annotated[int, typer.Option(help="confirmed, of each failed suite")] = 5,
    figure: Annotated[Path | None, typer.Option(help="folder for a map of failures a task, as HTML")] = None,
) -> None:
    print(describe_machine())
    for chosen in [get_task(task)] if task else [one for one in TASKS.values() if (STARTERS / one.name).is_dir()]:
        with tempfile.TemporaryDirectory(prefix="blindspot-benchmark-") as folder:
            rows = repair_all(Settings(workspace=Path(folder)), chosen, preset, corrections, neighbours)
        if figure:
            figure.mkdir(parents=True, exist_ok=True)
            short = {row["version_id"]: row["version_id"] for row in rows}
            failure_map(rows, short).write_html(figure / f"{chosen.name}.html", include_plotlyjs="cdn")


if __name__ == "__main__":
    typer.run(main)
