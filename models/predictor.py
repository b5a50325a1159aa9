"""A version and its task as a function from examples to probabilities."""

from __future__ import annotations

import copy
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from data.tasks import Example
from models.checkpoint import Checkpoint, load_checkpoint
from models.inputs import Encoded, collate, encode, example_logits


@dataclass(frozen=True)
class Prediction:
    probabilities: list[float]
    """In the order of `Task.label_names(example)`; they sum to 1."""
    tokens_dropped: int
    """How many tokens did not fit the model's window and were left out of the answer."""

    @property
    def label(self) -> int:
        """Index of the most probable label."""
        return max(range(len(self.probabilities)), key=self.probabilities.__getitem__)


class Predictor:
    """One version, loaded. Safe to share between threads: one batch is computed at a time."""

    def __init__(self, checkpoint: Checkpoint, device: torch.device) -> None:
        self.checkpoint = checkpoint
        self.task = checkpoint.task
        self.version_id: str = checkpoint.card["id"]
        self.device = device
        self.model = checkpoint.model.to(device)
        self.temperature = float(checkpoint.card.get("temperature") or 1.0)
        self.lock = threading.Lock()

    @classmethod
    def load(cls, folder: Path, device: torch.device | None = None) -> Predictor:
        """Raises CheckpointError or EncoderError."""
        return cls(load_checkpoint(folder), device or torch.device("cpu"))

    def predict(self, examples: Sequence[Example], batch_size: int = 32) -> list[Prediction]:
        """One prediction for each example, in order. `examples` are as `Task.parse_example` gives them."""
        return self.answers(self.encode(examples), batch_size)

    def answers(self, encoded: Sequence[Encoded], batch_size: int = 32) -> list[Prediction]:
        """One prediction for each encoded example, in order."""
        logits = self.logits(encoded, batch_size)
        return [
            Prediction((row / self.temperature).softmax(-1).tolist(), e.tokens_dropped)
            for row, e in zip(logits, encoded, strict=True)
        ]

    def replica(self, dtype: torch.dtype | None = None) -> Predictor:
        """A predictor that can compute beside this one; it shares the weights, unless it holds them as `dtype`."""
        twin = copy.copy(self)
        weights = (*self.model.parameters(), *self.model.buffers())
        shared = {} if dtype else {id(tensor): tensor for tensor in weights}
        twin.model = copy.deepcopy(self.model, shared)
        if dtype:
            twin.model.to(dtype)
        twin.lock = threading.Lock()
        return twin

    def encode(self, examples: Sequence[Example]) -> list[Encoded]:
        return encode(self.checkpoint.tokenizer, self.task, examples, self.checkpoint.max_tokens)

    def logits(self, encoded: Sequence[Encoded], batch_size: int = 32) -> list[torch.Tensor]:
        """For each example its logits, shape (label,), in the task's order of labels."""
        order = sorted(range(len(encoded)), key=lambda i: encoded[i].length)
        result: list[torch.Tensor] = [torch.empty(0)] * len(encoded)
        for start in range(0, len(order), batch_size):
            chosen = order[start : start + batch_size]
            batch = collate([encoded[i] for i in chosen], self.checkpoint.tokenizer.pad_token_id)
            with self.lock, torch.inference_mode():
                batch = {name: value.to(self.device) for name, value in batch.items()}
                rows = example_logits(self.model, self.task, batch).cpu()
            for i, row in zip(chosen, rows, strict=True):
                result[i] = (
                    self.in_task_order(row)[: len(encoded[i].input_ids)]
                    if not self.task.labels
                    else (self.in_task_order(row))
                )
        return result

    def in_task_order(self, row: torch.Tensor) -> torch.Tensor:
        order = self.checkpoint.label_order
        return row if order is None else row[..., order]
