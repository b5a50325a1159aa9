"""A version as a plain Hugging Face folder, for use without this project."""

from __future__ import annotations

import os
import shutil
import uuid
from pathlib import Path

import torch

from models.checkpoint import load_checkpoint
from models.folders import CARD
from models.heads import ClassifierHead
from models.tokens import TokenHead


def export_model(version: Path, target: Path) -> Path:
    """Weights with the adapter merged, configuration and tokenizer in `target`, whole or not at all.

    The version's temperature goes into the head where that is one linear layer, so that the probabilities of a plain
    pipeline are calibrated too; the label names are the task's. Raises FileExistsError where `target` is there, and
    CheckpointError.
    """
    if target.exists():
        raise FileExistsError(f"{target} exists; choose a folder that does not.")
    checkpoint = load_checkpoint(version)
    model, head = checkpoint.model, getattr(checkpoint.model, "classifier", None)
    temperature = float(checkpoint.card.get("temperature") or 1.0)
    if isinstance(head, torch.nn.Linear):
        with torch.no_grad():
            head.weight.div_(temperature)
            if head.bias is not None:
                head.bias.div_(temperature)
    if isinstance(checkpoint.head, ClassifierHead | TokenHead):
        names = {output: name for name, output in zip(checkpoint.task.outputs, checkpoint.head.order, strict=True)}
        model.config.id2label = dict(sorted(names.items()))
        model.config.label2id = {name: output for output, name in names.items()}
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.partial")
    try:
        partial.mkdir()
        model.save_pretrained(partial, safe_serialization=True)
        checkpoint.tokenizer.save_pretrained(partial)
        if (version / "README.md").exists():
            shutil.copyfile(version / "README.md", partial / "README.md")
        shutil.copyfile(version / CARD, partial / f"blindspot-{CARD}")
        os.rename(partial, target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return target
