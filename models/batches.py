"""Rows of a job folder as batches: read, encoded, with the parent's answers, some words hidden."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import torch

from data.tasks import Example, Task
from models.heads import Head
from models.inputs import Batch
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
                label = task.parse_stored(row["label"], example)
                pair = row.get("pair")
                if pair is not None and (isinstance(pair, bool) or not isinstance(pair, int)):
                    raise ValueError(f"expected as pair a whole number; found {pair!r}")
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
                    "pair": pair,
                    "distil": bool(row.get("distil")),
                    "soft": _parse_soft(row.get("soft"), task, example),
                    "unmarked": row.get("unmarked", ()),
                }
            )
    if not rows:
        raise TrainingError(f"{path.name} holds no rows; flag or confirm some examples first.")
    return rows


def _parse_soft(soft: Any, task: Task, example: Example) -> list[float] | None:
    """The shares of a row on which people do not agree, as it is read from a file."""
    if soft is None:
        return None
    count = len(task.label_names(example))
    if not isinstance(soft, list) or len(soft) != count or abs(sum(map(float, soft)) - 1) > 1e-3:
        raise ValueError(f"expected as soft labels {count} shares that sum to 1; found {soft!r:.80}")
    return [float(share) for share in soft]


class Rows(torch.utils.data.Dataset):
    """Encoded rows with label, weight and a teacher's answer: people's soft label or, once asked, the parent's."""

    def __init__(self, rows: list[dict[str, Any]], encoded: list[Any]) -> None:
        self.rows, self.encoded = rows, encoded
        self.teacher: list[torch.Tensor | None] = [
            torch.tensor(soft) if (soft := row.get("soft")) else None for row in rows
        ]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> tuple[Any, Any, float, torch.Tensor | None, Any]:
        row = self.rows[index]
        return self.encoded[index], row["label"], row["weight"], self.teacher[index], row.get("unmarked", ())


def collate_rows(items: list[tuple], head: Head) -> Batch:
    """A batch with `labels`, `weights` (example,) and `teacher` probabilities (example, label).

    A row that is not distilled has zeros for a teacher. `unmarked` (example, tag), where a source marks no spans
    of a type: their tags take no part in its loss.
    """
    encoded, labels, weights, teachers, unmarked = zip(*items, strict=True)
    batch = head.collate(encoded)
    batch["labels"] = head.targets(encoded, labels)
    if any(unmarked):
        names = [output.partition("-")[2] for output in head.task.outputs]
        batch["unmarked"] = torch.tensor([[name in row for name in names] for row in unmarked])
    batch["weights"] = torch.tensor(weights)
    if any(t is not None for t in teachers):
        width = max(e.labels for e in encoded)
        tags = next(t for t in teachers if t is not None).shape[1:]
        batch["teacher"] = torch.zeros(len(items), width, *tags)
        for i, teacher in enumerate(teachers):
            if teacher is not None:
                batch["teacher"][i, : encoded[i].labels] = teacher[: encoded[i].labels]
    return batch


def hide_words(batch: Batch, recipe: Recipe, tokenizer: Any) -> Batch:
    """The batch with a share of its words behind the mask token (or the unknown one); special tokens stay."""
    if recipe.word_dropout:
        ids = batch["input_ids"]
        hidden = (torch.rand(ids.shape) < recipe.word_dropout).to(ids.device)
        special = torch.isin(ids, torch.tensor(tokenizer.all_special_ids, device=ids.device))
        mask = tokenizer.mask_token_id if tokenizer.mask_token_id is not None else tokenizer.unk_token_id
        if mask is None:
            raise TrainingError("Recipe option word_dropout: this model's tokenizer has no mask token; set it to 0.")
        batch["input_ids"] = torch.where(hidden & ~special, mask, ids)
    return batch


def keep_parent_answers(model: torch.nn.Module, head: Head, dataset: Rows, device: torch.device, bf16: bool) -> None:
    """Gives each row marked `distil` the answer of the model as it is before training: the parent."""
    marked = sorted(
        (i for i, row in enumerate(dataset.rows) if row["distil"]), key=lambda i: dataset.encoded[i].length
    )
    model.eval()
    with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=bf16):
        size = min(64, head.most_rows)
        for start in range(0, len(marked), size):
            chosen = marked[start : start + size]
            batch = head.collate([dataset.encoded[i] for i in chosen])
            probabilities = head.logits(model, to_device(batch, device)).softmax(-1).cpu().clone()
            for i, row in zip(chosen, probabilities, strict=True):
                dataset.teacher[i] = row
    model.train()


def to_device(batch: Batch, device: torch.device) -> Batch:
    return {name: value.to(device) for name, value in batch.items()}
