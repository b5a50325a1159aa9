"""Lessons learnt beforehand: where a repair of a shipped starter, or of what came of it, begins.

A run of a minute is too short to teach a construction from nothing. So all of a task's lessons (`data.lessons`) are
gone through once, beside general rows that keep the starter's answers (`models.starter.lessons`), and what that moved
the starter by is kept. A run adds it to its parent (task arithmetic, Ilharco et al. 2023) and is still held to the
parent's answers and anchored to its weights: what no correction uses of it goes again.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel, get_peft_model_state_dict
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from models.folders import ADAPTER, STARTERS

PRIMERS = STARTERS / "primers"
Tensors = dict[str, torch.Tensor]


def prime(model: torch.nn.Module, task: str, origin: str | None, share: float = 1.0) -> bool:
    """Moves the adapter by that share of what the lessons taught its starter and it has not yet; whether it did.

    What did not begin with the starter, has another shape or is no adapter stays as it is.
    """
    found = read_primer(task)
    if not share or found is None or found[0] != origin or not isinstance(model, PeftModel):
        return False
    moved, start = found[1], load_file(STARTERS / task / ADAPTER)
    own = get_peft_model_state_dict(model)
    if any(name not in own or own[name].shape != change.shape for name, change in moved.items()):
        return False
    with torch.no_grad():
        for name, change in moved.items():
            change, gone = change.float(), own[name].cpu().float() - start[name].float()
            has = (gone * change).sum() / (change * change).sum().clamp_min(1e-12)
            own[name].add_((share * (1 - has.clamp(0, 1)) * change).to(own[name]))
    return True


def origin_of(version: Path, card: dict[str, Any]) -> str | None:
    """The checksum of the adapter that a version's line began with, which its children's cards hold."""
    return card.get("origin") or (_checksum(version) if (version / ADAPTER).exists() else None)


@lru_cache
def read_primer(task: str) -> tuple[str, Tensors] | None:
    """Which adapter the lessons moved, and by how much; None for a task that has no such file."""
    path = PRIMERS / f"{task}.safetensors"
    if not path.exists():
        return None
    with safe_open(path, "pt") as file:
        return file.metadata()["origin"], {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def write_primer(starter: Path, taught: Path, target: Path) -> None:
    """What tells the version that was taught the lessons from the starter, in float16, as a file."""
    before, after = load_file(starter / ADAPTER), load_file(taught / ADAPTER)
    moved = {name: (after[name].float() - before[name].float()).half().contiguous() for name in before}
    target.parent.mkdir(parents=True, exist_ok=True)
    save_file(moved, target, metadata={"format": "pt", "origin": _checksum(starter)})


def _checksum(version: Path) -> str:
    return hashlib.sha256((version / ADAPTER).read_bytes()).hexdigest()[:16]
