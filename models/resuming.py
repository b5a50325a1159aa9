"""What lets a run go on where it was stopped and end with the weights of an unbroken one (on a CPU, to the bit)."""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import load_file, save_file
from transformers import TrainerCallback
from transformers.trainer_pt_utils import LengthGroupedSampler, get_length_grouped_indices

from models.distributed import any_of, leads, wait_for_all

if TYPE_CHECKING:
    from models.trainer import EarlyStopping

CHECKPOINT_S = 60.0
"""A run that takes longer leaves a checkpoint about so often."""
COMPLETE = "complete.json"
"""Written last: a checkpoint without it was cut off."""
EARLY = "early.safetensors"


class Interrupted(Exception):
    """The run was asked to stop; it left a checkpoint to go on from."""


class SeededLengths(LengthGroupedSampler):
    """Rows of like length together, in an order that follows from seed and epoch alone.

    `pairs` names for a row the two that belong in one batch (rows of the same number), or None.
    """

    def __init__(self, batch_size: int, lengths: list[int], seed: int, pairs: Sequence[int | None] = ()) -> None:
        super().__init__(batch_size, lengths=lengths, generator=torch.Generator())
        self.seed, self.epoch = seed, 0
        self.twos = _in_twos(lengths, pairs) if any(pair is not None for pair in pairs) else []

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        self.generator.manual_seed(self.seed * 1_000_003 + self.epoch)
        if not self.twos:
            return super().__iter__()
        longest = [max(self.lengths[i] for i in two) for two in self.twos]
        order = get_length_grouped_indices(longest, max(1, self.batch_size // 2), generator=self.generator)
        last = set(range(len(self.lengths))) - {i for two in self.twos for i in two}
        return iter([*(i for place in order for i in self.twos[place]), *last])


def _in_twos(lengths: Sequence[int], pairs: Sequence[int | None]) -> list[list[int]]:
    """The rows as pairs, and what is single beside another of about its length; an odd one is left out."""
    together: dict[int, list[int]] = {}
    for i, pair in enumerate(pairs):
        if pair is not None:
            together.setdefault(pair, []).append(i)
    whole = [two for two in together.values() if len(two) == 2]
    single = sorted(set(range(len(lengths))) - {i for two in whole for i in two}, key=lambda i: (lengths[i], i))
    return whole + [single[i : i + 2] for i in range(0, len(single) - 1, 2)]


class Checkpoints(TrainerCallback):
    """Saves every `every_s` seconds, and at once where `stop` is set; the run then ends early.

    Beside what the Trainer saves (weights, optimizer, schedule, random state) it keeps what early stopping knows.
    `kept` is called with each checkpoint that is whole.
    """

    def __init__(
        self,
        stop: threading.Event,
        early: EarlyStopping | None = None,
        *,
        kept: Callable[[Path], None] | None = None,
        every_s: float = CHECKPOINT_S,
    ) -> None:
        self.stop, self.early, self.kept, self.every_s = stop, early, kept, every_s
        self.saved_at, self.interrupted = time.monotonic(), False

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.saved_at = time.monotonic()
        folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        if self.early and state.global_step and folder.is_dir():
            known = json.loads((folder / COMPLETE).read_text(encoding="utf-8"))
            self.early.best = math.inf if known["best"] is None else known["best"]
            self.early.waited, self.early.loss = known["waited"], known["loss"]
            if (folder / EARLY).exists():
                tensors = load_file(folder / EARLY)
                device = self.early.trained()[0].device
                self.early.weights = [tensors[str(i)].to(device) for i in range(len(tensors))]

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        stop, due = any_of(self.stop.is_set(), time.monotonic() - self.saved_at >= self.every_s)
        if stop:
            self.interrupted = state.global_step < state.max_steps and not control.should_training_stop
            control.should_save = control.should_training_stop = True
        elif due:
            control.should_save = True

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.saved_at = time.monotonic()
        wait_for_all()  # each process has put down its random state
        if not leads():
            return
        folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        known: dict[str, Any] = {"best": None, "waited": 0, "loss": None}
        if self.early:
            best = self.early.best
            known = {
                "best": best if math.isfinite(best) else None,
                "waited": self.early.waited,
                "loss": self.early.loss,
            }
            if self.early.weights:
                save_file({str(i): w.contiguous() for i, w in enumerate(self.early.weights)}, folder / EARLY)
        (folder / COMPLETE).write_text(json.dumps(known), encoding="utf-8")
        if self.kept:
            self.kept(folder)


def latest_checkpoint(folder: Path) -> str | None:
    """The newest checkpoint in `folder` that was written to its end."""
    found = [path for path in folder.glob("checkpoint-*") if is_whole(path)]
    return str(max(found, key=step_of)) if found else None


def step_of(checkpoint: Path | str) -> int:
    """After which step it was written."""
    return int(Path(checkpoint).name.rpartition("-")[2])


def is_whole(checkpoint: Path) -> bool:
    try:
        json.loads((checkpoint / COMPLETE).read_text(encoding="utf-8"))
        json.loads((checkpoint / "trainer_state.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return True
