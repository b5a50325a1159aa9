"""Rows of a job folder as batches: read, encoded, with the parent's answers, some words hidden."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import torch

from data.tasks import Task
from models.inputs import Encoded, collate, example_logits
from models.recipe import Recipe

TWINS = "twins.jsonl"


class TrainingError(RuntimeError):
    """The run cannot go on; the message says why and what to do."""


def read_rows(path: Path, task: Task) -> list[dict[str, Any]]:
    """The training rows. Raises TrainingError that names the line."""
    rows = []
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            try:
                row = json.loads(line)
                if not isinstance(row, dict):
                    raise ValueError(f"expected an object; found {row!r:.80}")
                example = task.parse_example(row)
                label = row["label"]
                if not 0 <= label < len(task.label_names(example)):
                    raise ValueError(f"label {label} is out of range")
                weight = float(row.get("weight", 1.0))
                if not 0 < weight < math.inf:
                    raise ValueError(f"expected as weight a number above 0; found {weight}")
            except (ValueError, KeyError, TypeError) as error:
                raise TrainingError(f"{path.name} line {number}: {error}") from None
            rows.append(
                {
                    "example": example,
                    "label": label,
                    "weight": weight,
                    "distil": bool(row.get("distil")),
                }
            )
    if not rows:
        raise TrainingError(f"{path.name} holds no rows; flag or confirm some examples first.")
    return rows


class Rows(torch.utils.data.Dataset):
    """Encoded rows with label, weight and, once asked, the parent's answer."""

    def __init__(self, rows: list[dict[str, Any]], encoded: list[Encoded]) -> None:
        self.rows, self.encoded = rows, encoded
        self.teacher: list[torch.Tensor | None] = [None] * len(rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> tuple[Encoded, int, float, torch.Tensor | None]:
        row = self.rows[index]
        return self.encoded[index], row["label"], row["weight"], self.teacher[index]


def collate_rows(items: list[tuple], pad_id: int) -> dict[str, torch.Tensor]:
    """A batch with `labels`, `weights` (example,) and `teacher` probabilities (example, label).

    A row that is not distilled has zeros for a teacher.
    """
    encoded, labels, weights, teachers = zip(*items, strict=True)
    batch = collate(encoded, pad_id)
    batch["labels"] = torch.tensor(labels)
    batch["weights"] = torch.tensor(weights)
    if any(t is not None for t in teachers):
        width = max(len(t) for t in teachers if t is not None)
        width = max(width, *(len(e.input_ids) for e in encoded))
        batch["teacher"] = torch.zeros(len(items), width)
        for i, teacher in enumerate(teachers):
            if teacher is not None:
                batch["teacher"][i, : len(teacher)] = teacher
    return batch


def hide_words(batch: dict[str, torch.Tensor], recipe: Recipe, tokenizer: Any) -> dict[str, torch.Tensor]:
    """The batch with a share of its words behind the mask token (or the unknown one); special tokens stay."""
    if recipe.word_dropout:
        ids = batch["input_ids"]
        hidden = torch.rand(ids.shape) < recipe.word_dropout
        special = torch.isin(ids, torch.tensor(tokenizer.all_special_ids))
        mask = tokenizer.mask_token_id if tokenizer.mask_token_id is not None else tokenizer.unk_token_id
        if mask is None:
            raise TrainingError("Recipe option word_dropout: this model's tokenizer has no mask token; set it to 0.")
        batch["input_ids"] = torch.where(hidden & ~special, mask, ids)
    return batch


def keep_parent_answers(
    model: torch.nn.Module, task: Task, dataset: Rows, pad_id: int, device: torch.device, bf16: bool
) -> None:
    """Gives each row marked `distil` the answer of the model as it is before training: the parent."""
    marked = sorted(
        (i for i, row in enumerate(dataset.rows) if row["distil"]), key=lambda i: dataset.encoded[i].length
    )
    model.eval()
    with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=bf16):
        for start in range(0, len(marked), 64):
            chosen = marked[start : start + 64]
            batch = collate([dataset.encoded[i] for i in chosen], pad_id)
            probabilities = example_logits(model, task, to_device(batch, device)).softmax(-1).cpu().clone()
            for i, row in zip(chosen, probabilities, strict=True):
                dataset.teacher[i] = row
    model.train()


def to_device(batch: dict[str, torch.Tensor], device: torch.device) -> dict[str, torch.Tensor]:
    return {name: value.to(device) for name, value in batch.items()}
