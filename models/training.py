"""A job folder in, a version folder out: `python -m models.training FOLDER`.

The folder is all that a training machine needs beside this code, torch, transformers, peft, accelerate
and safetensors; no store and no page.

    job.json        task, version (the new one's id), parent's id, recipe, example_ids
    train.jsonl     rows: the task's fields, label (an index), weight, distil (keep the parent's answer)
    twins.jsonl     rows that are not trained on; where their loss stops falling the run may end (optional)
    parent/         the parent's version folder; its `version.json` alone starts from the bare base
    encoder/        the embedded encoder, where the machine has not installed it (optional)
    progress.jsonl  written: one row a logged step
    checkpoints/    written: where an interrupted run goes on
    version/        written last, and only when complete
"""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version as library_version
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import release_memory
from accelerate.utils.memory import should_reduce_batch_size

from data.tasks import get_task
from models.adapters import freeze_layers, halve_frozen_weights, trainable_model, write_weights
from models.anchoring import Anchor
from models.batches import TWINS, Rows, TrainingError, keep_parent_answers, read_rows
from models.child import ERROR, JOB, STOPPED, await_job
from models.device import choose_device, describe, has_bf16
from models.distributed import leads, processes, take_device
from models.folders import inherited, read_card, save_version
from models.heads import make_head, narrow
from models.merged import compute_merged
from models.placement import is_placed
from models.priming import origin_of, prime
from models.recipe import Recipe
from models.resuming import CHECKPOINT_S, Checkpoints, Interrupted, latest_checkpoint, step_of
from models.trainer import make_trainer

LIBRARIES = ("torch", "transformers", "peft", "accelerate", "safetensors")


def train(
    folder: Path,
    device_name: str = "auto",
    stop: threading.Event | None = None,
    *,
    kept: Callable[[Path], None] | None = None,
    checkpoint_s: float = CHECKPOINT_S,
) -> Path:
    """Trains as `folder`'s job says; returns the finished version folder inside it.

    Goes on from the last whole checkpoint; `stop` ends the run after its step with another one. Where the memory does
    not suffice, the batch is halved and its steps are accumulated, so that each update sees as many rows as before.
    `kept` is called with each finished checkpoint. Started by torchrun or Ray Train, it trains together with its
    fellows, and the first of them writes the version.
    Raises TrainingError, CheckpointError, EncoderError or ValueError, or Interrupted; then no version folder is left.
    """
    if (folder / "encoder").is_dir():
        os.environ["BLINDSPOT_ENCODER"] = str(folder / "encoder")
    job = json.loads((folder / JOB).read_text(encoding="utf-8"))
    recipe = Recipe.from_dict(job["recipe"])
    while True:
        try:
            checkpoints = partial(Checkpoints, stop or threading.Event(), kept=kept, every_s=checkpoint_s)
            return _attempt(folder, job, recipe, device_name, checkpoints)
        except Exception as error:
            if not should_reduce_batch_size(error):
                raise
            if recipe.batch_size == 1:
                raise TrainingError(
                    "The memory does not suffice for one row at a time. Lower max_tokens, or train on a machine with "
                    f"more. ({error})"
                ) from error
            recipe = halved(recipe)
            made_of = f"{recipe.batch_size} rows a batch and {recipe.accumulation} batches a step"
            print(f"Out of memory; goes on with {made_of}.", flush=True)
        release_memory()


def halved(recipe: Recipe) -> Recipe:
    """The recipe with half the batch and twice the accumulation."""
    return dataclasses.replace(recipe, batch_size=recipe.batch_size // 2, accumulation=2 * recipe.accumulation)


def _attempt(
    folder: Path, job: dict[str, Any], recipe: Recipe, device_name: str, checkpoints: Callable[..., Checkpoints]
) -> Path:
    task = get_task(job["task"])
    rows = read_rows(folder / "train.jsonl", task)
    device = choose_device(device_name)
    take_device(device)
    bf16 = recipe.precision == "bf16" or (recipe.precision == "auto" and has_bf16(device))
    torch.manual_seed(recipe.seed)

    parent = read_card(folder / "parent")
    model, tokenizer, adapted = trainable_model(
        folder / "parent", parent, task, recipe, device, recipe.steps(len(rows))
    )
    trainable = sum(p.numel() for p in model.parameters() if p.requires_grad)
    print(
        f"Training {task.name} on {describe(device)} in {'bfloat16 autocast' if bf16 else 'float32'}: "
        f"{len(rows)} rows, {recipe.steps(len(rows))} steps, {recipe.method}, {trainable / 1e6:.2f} M weights.",
        flush=True,
    )
    head = narrow(make_head(task, parent, model.config, tokenizer), recipe.max_tokens)
    dataset = Rows(rows, head.encode([row["example"] for row in rows]))
    twins = None
    if recipe.patience and (folder / TWINS).exists():
        held = read_rows(folder / TWINS, task)
        twins = Rows(held, head.encode([row["example"] for row in held]))
    if adapted and bf16:
        halve_frozen_weights(model)
    compute_merged(model)
    freeze_layers(model, recipe.frozen_layers)
    if not is_placed(model):
        model.to(device)
    if any(row["distil"] for row in rows):
        keep_parent_answers(model, head, dataset, device, bf16)
    anchor = Anchor(model, head, dataset, recipe.anchored, bf16)
    origin = origin_of(folder / "parent", parent)
    if recipe.data == "phenomenon" and prime(model, task.name, origin, recipe.primed):
        print("Begins with the lessons of its task, learnt beforehand.", flush=True)
    trainer = make_trainer(folder, model, head, dataset, recipe, device, bf16, twins, anchor, checkpoints)
    start = time.monotonic()
    left_at = latest_checkpoint(folder / "checkpoints")
    begun = step_of(left_at) if left_at else 0
    trainer.train(resume_from_checkpoint=left_at)
    seconds = time.monotonic() - start
    steps = trainer.state.global_step
    if trainer.checkpoints.interrupted:
        raise Interrupted(f"Stopped after step {steps}; it goes on from there when it is started again.")
    passes = recipe.row_passes(len(rows), steps - begun) if steps > begun else 0.0
    early = f" Stopped early, after {steps} steps." if steps < trainer.state.max_steps else ""
    print(f"Trained {passes:.0f} row-passes in {seconds:.1f} s ({passes / seconds:.0f} rows/s).{early}", flush=True)
    if device.type == "cuda":
        print(f"Peak GPU memory {torch.cuda.max_memory_allocated(device) / 2**20:.0f} MiB.", flush=True)

    if not leads():
        return folder / "version"
    card = {
        "id": job["version"],
        "task": task.name,
        "parent": job.get("parent"),
        "base": parent["base"],
        "temperature": 1.0,
        **inherited(parent),
        "origin": origin,
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "seed": recipe.seed,
        "recipe": recipe.to_dict(),
        "example_ids": job.get("example_ids", []),
        "training": {
            "rows": len(rows),
            "steps": steps,
            "seconds": round(seconds, 2),
            "rows_per_s": round(passes / seconds, 1),
            "device": describe(device),
            "precision": "bf16" if bf16 else "fp32",
            "processes": processes(),
        },
        "libraries": {name: library_version(name) for name in LIBRARIES},
    }
    return save_version(
        folder / "version", card, lambda out: write_weights(out, model, tokenizer, adapted, folder / "parent")
    )


def main() -> None:
    """On SIGTERM the run ends with a checkpoint and exit status 75; an error is also kept in the folder."""
    if len(sys.argv) < 2:
        sys.exit("usage: python -m models.training FOLDER [auto|cpu|cuda]")
    folder, stop = Path(sys.argv[1]), threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    await_job(folder)
    try:
        train(folder, *sys.argv[2:3], stop=stop)
    except Interrupted as stopped:
        print(stopped, flush=True)
        sys.exit(STOPPED)
    except Exception as error:
        (folder / ERROR).write_text(f"{type(error).__name__}: {error}", encoding="utf-8")
        raise


if __name__ == "__main__":
    main()
