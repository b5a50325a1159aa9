"""Between parent and child: a version at any strength, without training (WiSE-FT, Wortsman et al. 2022).

The weights that training moved are interpolated: parent + alpha * (child - parent), for an adapter in its factors,
so that every strength has the child's size and answers as fast. Alpha 0 is the parent, 1 the child.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from data.tasks import get_task
from models.card import card_text
from models.checkpoint import Checkpoint, adapter_scale, apply_adapter, load_base, load_checkpoint
from models.device import choose_device
from models.evaluation import accuracy
from models.folders import ADAPTER, ADAPTER_CONFIG, CARD, WEIGHTS, CheckpointError, read_card, save_version
from models.heads import make_head
from models.predictor import Prediction, Predictor
from models.report import FEW, Sets, reasons_against

ALPHAS = tuple(step / 10 for step in range(11))
MEASURED = ("taught", "siblings", "contrasts", "retention")
PREFIX = "base_model.model."

Tensors = dict[str, torch.Tensor]


def weights_file(folder: Path) -> Path:
    """The file of what training moved: an adapter, or full weights. Raises CheckpointError."""
    for name in (ADAPTER, WEIGHTS):
        if (folder / name).exists():
            return folder / name
    raise CheckpointError(f"Expected {ADAPTER} or {WEIGHTS} in {folder}; found neither.")


def load_ends(parent: Path, child: Path) -> tuple[Tensors, Tensors]:
    """What training moved, by name, as it was in the parent and as it is in the child, float32."""
    path = weights_file(child)
    after = {name: tensor.float() for name, tensor in load_file(path).items()}
    if path.name == ADAPTER and (parent / ADAPTER).exists():
        before = {name: tensor.float() for name, tensor in load_file(parent / ADAPTER).items()}
        if before.keys() == after.keys():
            return _widen(before, after, _scale(parent) / _scale(child)), after
    state = load_checkpoint(parent).model.state_dict()
    before = {}
    for name, tensor in after.items():
        if ".lora_" in name:  # a fresh adapter starts at nothing
            before[name] = torch.zeros_like(tensor) if ".lora_B." in name else tensor
        else:
            before[name] = state[name.removeprefix(PREFIX)].float()
    return before, after


def _widen(before: Tensors, after: Tensors, scale: float) -> Tensors:
    """The parent's factors in the child's shape: those that training added begin with a product of nothing."""
    wide = {}
    for name, tensor in before.items():
        more = after[name]
        if ".lora_B." in name:
            tensor = torch.cat([scale * tensor, torch.zeros(len(more), more.shape[1] - tensor.shape[1])], 1)
        elif ".lora_A." in name:
            tensor = torch.cat([tensor, more[len(tensor) :]])
        wide[name] = tensor
    return wide


def _scale(folder: Path) -> float:
    """What an adapter's product is multiplied by."""
    return adapter_scale(json.loads((folder / ADAPTER_CONFIG).read_text(encoding="utf-8")))


def blend(before: Tensors, after: Tensors, alpha: float) -> Tensors:
    return {name: torch.lerp(before[name], tensor, alpha) for name, tensor in after.items()}


def write_blend(parent: Path, child: Path, alpha: float, target: Path, version_id: str) -> Path:
    """The version at that strength as a folder of its own. Raises CheckpointError."""
    card = {**read_card(child), "id": version_id, "strength": alpha, "strength_of": read_card(child)["id"]}
    card.pop("metrics", None)
    tensors = blend(*load_ends(parent, child), alpha)

    def write_files(out: Path) -> None:
        source = weights_file(child)
        for path in child.iterdir():
            if path.is_file() and path.name not in (CARD, source.name, "README.md"):
                shutil.copy2(path, out / path.name)
        dtypes = {name: tensor.dtype for name, tensor in load_file(source).items()}
        saved = {name: tensor.to(dtypes[name]).contiguous() for name, tensor in tensors.items()}
        save_file(saved, out / source.name, metadata={"format": "pt"})
        (out / "README.md").write_text(card_text(card), encoding="utf-8")

    return save_version(target, card, write_files)


def score_dial(
    parent: Path,
    child: Path,
    sets: Sets,
    before: dict[str, Sequence[Prediction]],
    after: dict[str, Sequence[Prediction]],
) -> list[dict[str, Any]]:
    """For each alpha the accuracy on each of MEASURED, in percent (None without rows), from both ends' answers.

    Rows on which both ends agree are taken to get that answer in between, so that only the others are computed.
    """
    open_rows = {
        name: [i for i, (b, a) in enumerate(zip(before[name], after[name], strict=True)) if b.label != a.label]
        for name in MEASURED
    }
    ends = load_ends(parent, child)
    predictor = _Blender(parent, child)
    points = []
    for alpha in ALPHAS:
        predictor.set(blend(*ends, alpha))
        point: dict[str, Any] = {"alpha": alpha}
        for name, numbers in open_rows.items():
            said = list(before[name] if alpha == 0 else after[name])
            if 0 < alpha < 1:
                for i, prediction in zip(
                    numbers, predictor.predict([sets[name][i]["example"] for i in numbers]), strict=True
                ):
                    said[i] = prediction
            point[name] = 100 * accuracy(said, [row["label"] for row in sets[name]]) if said else None
        points.append(point)
    return points


def point_reasons(
    points: list[dict[str, Any]], alpha: float, counts: dict[str, int], *, retention: float, contrasts: float
) -> list[str]:
    """Why that strength should not be promoted as it is: what it lost of the parent's accuracy."""
    start, point = points[0], next(p for p in points if p["alpha"] == alpha)
    falls = {
        name: start[name] - point[name]
        for name in ("retention", "contrasts")
        if point[name] is not None and counts[name] >= FEW
    }
    return reasons_against(falls, retention=retention, contrasts=contrasts)


def best_alpha(
    points: list[dict[str, Any]], counts: dict[str, int], *, retention: float, contrasts: float
) -> float | None:
    """The strength that repairs most among those that may be promoted; of equals the one that keeps most, then the
    strongest. None if none that may be promoted repairs anything."""

    def mean(point: dict[str, Any], *names: str) -> float:
        found = [point[name] for name in names if point[name] is not None]
        return round(sum(found) / max(len(found), 1), 6)

    start = mean(points[0], "taught", "siblings")
    allowed = [
        point
        for point in points[1:]
        if mean(point, "taught", "siblings") > start
        and not point_reasons(points, point["alpha"], counts, retention=retention, contrasts=contrasts)
    ]
    if not allowed:
        return None
    return max(allowed, key=lambda p: (mean(p, "taught", "siblings"), mean(p, "contrasts", "retention"), p["alpha"]))[
        "alpha"
    ]


class _Blender:
    """A predictor whose weights are set anew for each point."""

    def __init__(self, parent: Path, child: Path) -> None:
        card = read_card(child)
        self.adapted = weights_file(child).name == ADAPTER
        if self.adapted:
            self.config = json.loads((child / ADAPTER_CONFIG).read_text(encoding="utf-8"))
        model, tokenizer = load_base(child, card)
        task = get_task(card["task"])
        checkpoint = Checkpoint(model.eval(), tokenizer, task, card, make_head(task, card, model.config, tokenizer))
        self.clean = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        self.predictor = Predictor(checkpoint, choose_device("cpu"))

    def set(self, tensors: Tensors) -> None:
        model = self.predictor.model
        if not self.adapted:
            model.load_state_dict(tensors, strict=False)
            return
        model.load_state_dict(self.clean)
        apply_adapter(model, tensors, self.config)

    def predict(self, examples: list[Any]) -> list[Prediction]:
        return self.predictor.predict(examples, batch_size=64)
