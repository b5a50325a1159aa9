"""Which corrections broke an example: those whose training step pushes its loss up.

The first-order influence of TracIn (Pruthi et al. 2020) at the parent, where training began: the cosine of two
gradients of the loss, one for the correction and one for the broken example, over the weights that training moves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

from data.tasks import Example, get_task
from models.adapters import trainable_model
from models.device import choose_device
from models.folders import read_card
from models.heads import make_head, narrow
from models.recipe import Recipe


@dataclass(frozen=True)
class Blame:
    row: dict[str, Any]
    """The taught row."""
    score: float
    """From -1 (its training helps the broken example) to 1 (it works against it)."""


def blame(
    parent: Path, recipe: Recipe, example: Example, label: Any, taught: Sequence[dict[str, Any]]
) -> list[Blame]:
    """The taught rows (`example`, `label`, ...), the most responsible for the broken example first.

    `label` is the broken example's right one. Raises CheckpointError.
    """
    card = read_card(parent)
    task, device = get_task(card["task"]), choose_device("cpu")
    torch.manual_seed(recipe.seed)
    model, tokenizer, _ = trainable_model(parent, card, task, recipe, device)
    model.eval()
    for name, parameter in model.named_parameters():
        if "embeddings" in name:
            parameter.requires_grad = False
    weights = [p for p in model.parameters() if p.requires_grad]
    head = narrow(make_head(task, card, model.config, tokenizer), recipe.max_tokens)

    def gradient(of: Example, right: Any) -> list[torch.Tensor]:
        encoded = head.encode([of])
        logits, targets = head.logits(model, head.collate(encoded)), head.targets(encoded, [right])
        loss = F.cross_entropy(logits.flatten(0, -2), targets.flatten())
        return list(torch.autograd.grad(loss, weights, allow_unused=True, materialize_grads=True))

    broken = gradient(example, label)
    found = [Blame(row, -_cosine(gradient(row["example"], row["label"]), broken)) for row in taught]
    return sorted(found, key=lambda one: -one.score)


def by_category(found: Sequence[Blame]) -> list[tuple[str, float, int]]:
    """For each category its mean score and how many rows it has, the most responsible first."""
    groups: dict[str, list[float]] = {}
    for one in found:
        groups.setdefault(one.row["category"], []).append(one.score)
    return sorted(((name, sum(s) / len(s), len(s)) for name, s in groups.items()), key=lambda row: -row[1])


def _cosine(first: list[torch.Tensor], second: list[torch.Tensor]) -> float:
    dot = sum(float((a * b).sum()) for a, b in zip(first, second, strict=True))
    norms = [sum(float((a * a).sum()) for a in side) ** 0.5 for side in (first, second)]
    return dot / max(norms[0] * norms[1], 1e-12)
