"""A version and its task as a function from examples to probabilities."""

from __future__ import annotations

import copy
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from data.tasks import Example
from models.checkpoint import Checkpoint, load_checkpoint
from models.placement import is_placed
from models.predictions import Prediction


class Predictor:
    """One version, loaded. Safe to share between threads: one batch is computed at a time."""

    def __init__(self, checkpoint: Checkpoint, device: torch.device) -> None:
        self.checkpoint = checkpoint
        self.task = checkpoint.task
        self.version_id: str = checkpoint.card["id"]
        self.device = device
        self.model = checkpoint.model if is_placed(checkpoint.model) else checkpoint.model.to(device)
        self.head = checkpoint.head
        self.temperature = float(checkpoint.card.get("temperature") or 1.0)
        self.lock = threading.Lock()

    @classmethod
    def load(cls, folder: Path, device: torch.device | None = None) -> Predictor:
        """Raises CheckpointError or EncoderError."""
        device = device or torch.device("cpu")
        return cls(load_checkpoint(folder, device), device)

    def predict(self, examples: Sequence[Example], batch_size: int = 32) -> list[Prediction]:
        """One prediction for each example, in order. `examples` are as `Task.parse_example` gives them."""
        return self.answers(self.encode(examples), batch_size)

    def answers(self, encoded: Sequence[Any], batch_size: int = 32) -> list[Prediction]:
        """One prediction for each encoded example, in order."""
        logits = self.logits(encoded, batch_size)
        return [self.head.prediction(row / self.temperature, e) for row, e in zip(logits, encoded, strict=True)]

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

    def encode(self, examples: Sequence[Example]) -> list[Any]:
        """Each example as `models.heads` encodes it."""
        return self.head.encode(examples)

    def logits(self, encoded: Sequence[Any], batch_size: int = 32) -> list[torch.Tensor]:
        """For each example its logits, shape (label,), in the task's order of labels; of spans (word, tag)."""
        order = sorted(range(len(encoded)), key=lambda i: encoded[i].length)
        result: list[torch.Tensor] = [torch.empty(0)] * len(encoded)
        batch_size = min(batch_size, self.head.most_rows)
        for start in range(0, len(order), batch_size):
            chosen = order[start : start + batch_size]
            batch = self.head.collate([encoded[i] for i in chosen])
            with self.lock, torch.inference_mode():
                batch = {name: value.to(self.device) for name, value in batch.items()}
                rows = self.head.logits(self.model, batch).cpu()
            for i, row in zip(chosen, rows, strict=True):
                result[i] = row[: encoded[i].labels]
        return result


__all__ = ["Prediction", "Predictor"]
