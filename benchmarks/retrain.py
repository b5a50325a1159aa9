"""How long from the click on Retrain to the report? `python -m benchmarks.retrain`

Each round flags gallery rows in a fresh workspace and requests a retrain as the page does. Then one job folder is
trained again, its adapter and all its weights, in float32 and in bfloat16, on the CPU and on the GPU where there is
one; and beside it the Hugging Face Trainer as its documentation has it goes as often over as many of the same rows.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from sqlite_utils import Database

from benchmarks.machine import describe_machine
from data.examples import Answer, flag_example
from data.jobs import ACTIVE, get_job
from data.seed import seed_rows
from data.store import open_store
from data.tasks import Task, get_task
from data.versions import live_version
from models.batches import read_rows
from models.device import choose_device, describe
from models.encoder import encoder_dir
from models.folders import read_card
from models.job_folder import prepare
from models.predictor import Predictor
from models.recipe import Recipe
from models.registry import folder_of, prepare_workspace
from models.retraining import request_retrain
from models.worker import worker_lives
from settings import PROJECT, Settings

POLL_S = 0.2
PARTS = {
    "waiting": "worker's start",
    "loading": "child's start to its first step",
    "training": "training",
    "evaluating": "evaluation and report",
}
"""A job's phases, in order, and what passes in them."""


def flag_gallery(settings: Settings, db: Database, task: Task, count: int) -> tuple[int, int]:
    """Flags `count` training rows of the gallery, first those that the live version gets wrong.

    Returns how many it got wrong and how many rows were flagged.
    """
    rows = [row for row in seed_rows(task, "gallery") if task.split_of(row["example"]) == "train"]
    version_id = live_version(db, task.name)
    predictor = Predictor.load(folder_of(settings, db, version_id), choose_device(settings.device))
    predictions = predictor.predict([row["example"] for row in rows])
    pairs = sorted(zip(rows, predictions, strict=True), key=lambda pair: pair[0]["label"] == pair[1].label)[:count]
    for row, prediction in pairs:
        answer = Answer(prediction.label, prediction.probabilities, version_id)
        flag_example(
            db,
            task,
            row["example"],
            row["label"],
            annotator="benchmark",
            answer=answer,
            category=row["category"],
        )
    return sum(row["label"] != prediction.label for row, prediction in pairs), len(pairs)


def time_retrain(
    settings: Settings, db: Database, task: Task, preset: str
) -> tuple[dict[str, float], dict[str, Any]]:
    """Seconds from the request to the report, whole (`click to report`) and by phase, and the job.

    Raises RuntimeError where the job does not end well.
    """
    clicked = time.monotonic()
    job_id = request_retrain(settings, db, task, preset, requested_by="benchmark")
    begun = {"waiting": clicked}
    while (job := get_job(db, job_id))["state"] in ACTIVE:
        phase = "loading" if job["state"] == "running" and job["phase"] == "waiting" else job["phase"]
        begun.setdefault(phase, time.monotonic())
        time.sleep(POLL_S)
    ended = time.monotonic()
    if job["state"] != "done":
        raise RuntimeError(f"Job {job_id} ended as {job['state']}: {job['error']}")
    seen = [phase for phase in PARTS if phase in begun]
    until = [*(begun[phase] for phase in seen[1:]), ended]
    seconds = {phase: stop - begun[phase] for phase, stop in zip(seen, until, strict=True)}
    return {"click to report": ended - clicked, **seconds}, job


def train_once(folder: Path, device: str) -> dict[str, Any]:
    """Runs `models.training` on a job folder; what its card says of the run, and its peak memory in MiB.

    The memory is the process's own on a CPU, and the GPU's as its log states it on CUDA.
    """
    log = folder / "train.log"
    with log.open("wb") as output:
        child = subprocess.Popen(
            [sys.executable, "-m", "models.training", str(folder), device],
            cwd=PROJECT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    text = log.read_text(encoding="utf-8", errors="replace")
    if child.returncode:
        raise RuntimeError(f"Training failed:\n{text}")
    peak_mib = usage.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    for line in text.splitlines():
        if line.startswith("Peak GPU memory"):
            peak_mib = float(line.split()[3])
    return {**read_card(folder / "version")["training"], "peak_mib": peak_mib}


def compare_precisions(settings: Settings, db: Database, job: dict[str, Any]) -> list[dict[str, Any]]:
    """One row for each device, way and number format: the same job folder, as often over the same rows."""
    parent = folder_of(settings, db, job["parent_id"])
    table = []
    for device in ("cpu", "cuda") if torch.cuda.is_available() else ("cpu",):
        for method, precision in (("full", "fp32"), ("lora", "fp32"), ("lora", "bf16")):
            folder = settings.jobs / f"{job['id']}-{device}-{method}-{precision}"
            recipe = {**job["recipe"], "method": method, "precision": precision}
            prepare(settings, db, {**job, "recipe": recipe}, folder, parent)
            table.append({"method": method, **train_once(folder, device)})
        if get_task(job["task"]).head == "sequence_classification":
            table.append(train_plainly(folder, device))
    return table


def train_plainly(folder: Path, device: str) -> dict[str, Any]:
    """The bare encoder fully fine-tuned by the Hugging Face Trainer with its own settings, as many steps of as many
    of the folder's rows."""
    from transformers import (
        AutoModelForSequenceClassification,
        AutoTokenizer,
        DataCollatorWithPadding,
        Trainer,
        TrainingArguments,
    )

    job = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    task, recipe = get_task(job["task"]), Recipe.from_dict(job["recipe"])
    tokenizer = AutoTokenizer.from_pretrained(encoder_dir())
    rows = read_rows(folder / "train.jsonl", task)
    data = [
        {**tokenizer(*task.text_pairs(row["example"])[0], truncation=True), "labels": row["label"]} for row in rows
    ]
    model = AutoModelForSequenceClassification.from_pretrained(encoder_dir(), num_labels=len(task.labels))
    steps = recipe.steps(len(rows))
    arguments = TrainingArguments(
        output_dir=str(folder / "plain"),
        per_device_train_batch_size=recipe.batch_size,
        max_steps=steps,
        use_cpu=device == "cpu",
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
        logging_strategy="no",
    )
    trainer = Trainer(model, arguments, DataCollatorWithPadding(tokenizer), data)
    start = time.monotonic()
    trainer.train()
    seconds = time.monotonic() - start
    rows_per_s = recipe.row_passes(len(rows), steps) / seconds
    return {
        "method": "Trainer",
        "precision": "fp32",
        "device": describe(choose_device(device)),
        "rows_per_s": rows_per_s,
        "seconds": seconds,
    }


def round_text(seconds: dict[str, float], report: dict[str, Any]) -> str:
    training, taught = report["training"], report["splits"]["taught"]
    return (
        f"{seconds['click to report']:.1f} s; {training['rows']} rows at {training['rows_per_s']:g} rows/s in "
        f"{training['precision']} on {training['device']}; of {taught['child']['rows']} taught right "
        f"{taught['parent']['right']} before, {taught['child']['right']} after"
    )


def print_rounds(rounds: list[dict[str, float]]) -> None:
    print(f"\n{'seconds':34}{'median':>8}{'min':>8}{'max':>8}")
    for name in ("click to report", *PARTS):
        values = [seconds[name] for seconds in rounds if name in seconds]
        if values:
            label = f"  {PARTS[name]}" if name in PARTS else name
            print(f"{label:34}{statistics.median(values):8.1f}{min(values):8.1f}{max(values):8.1f}")


def print_precisions(table: list[dict[str, Any]]) -> None:
    print(f"\n{'the same rows once more':34}{'rows/s':>8}{'seconds':>9}{'peak MiB':>10}")
    for row in table:
        label = f"  {row['method']}, {row['precision']}, {row['device']}"
        peak = f"{row['peak_mib']:.0f}" if "peak_mib" in row else ""
        print(f"{label:34}{row['rows_per_s']:8.1f}{row['seconds']:9.1f}{peak:>10}")


def main(
    task: Annotated[str, typer.Option(help="nli, sentiment or commonsense")] = "nli",
    rounds: Annotated[int, typer.Option(min=1, help="fresh workspaces to retrain in")] = 3,
    preset: Annotated[str, typer.Option(help="quick, balanced or thorough")] = "quick",
    corrections: Annotated[int, typer.Option(min=1, help="gallery rows to flag")] = 20,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda")] = "auto",
    precisions: Annotated[bool, typer.Option(help="compare float32 and bfloat16 as well")] = True,
) -> None:
    print(describe_machine(), flush=True)
    chosen = get_task(task)
    measured = []
    for number in range(1, rounds + 1):
        with tempfile.TemporaryDirectory(prefix="blindspot-benchmark-") as folder:
            settings = Settings(workspace=Path(folder), device=device)
            db = open_store(settings.store)
            prepare_workspace(settings, db)
            wrong, flagged = flag_gallery(settings, db, chosen, corrections)
            if number == 1:
                print(f"\n{task}, {preset}: {flagged} gallery rows flagged, {wrong} of them answered wrong")
            seconds, job = time_retrain(settings, db, chosen, preset)
            measured.append(seconds)
            print(f"round {number}: {round_text(seconds, job['report'])}", flush=True)
            while worker_lives(settings):  # it scores the strengths, beside which what follows would be slow
                time.sleep(POLL_S)
            table = compare_precisions(settings, db, job) if precisions and number == rounds else []
            db.close()
    print_rounds(measured)
    if table:
        print_precisions(table)


if __name__ == "__main__":
    typer.run(main)
