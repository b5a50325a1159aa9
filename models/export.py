"""A version as a plain Hugging Face folder, or that in a zip file, for use without this project."""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch

from models.apart import untold
from models.card import README, card_text
from models.checkpoint import Checkpoint, load_checkpoint
from models.folders import CARD
from models.heads import ClassifierHead
from models.tokens import TokenHead


def export_model(
    version: Path,
    target: Path,
    *,
    onnx: bool = False,
    int8: bool = False,
    tell: Callable[[str], None] = untold,
) -> Path:
    """Weights with the adapter merged, configuration and tokenizer in `target`, whole or not at all.

    The version's temperature goes into the head where that is one linear layer, so that the probabilities of a plain
    pipeline are calibrated too; the label names are the task's. With `onnx` an ONNX file is beside them, with `int8`
    (and it implies `onnx`) one in eight bits too, and the model card says what they do (`models.onnx_export`). `tell`
    hears what is done next. Raises FileExistsError where `target` is there, CheckpointError, and ExportError.
    """
    if target.exists():
        raise FileExistsError(f"{target} exists; choose a folder that does not.")
    if onnx or int8:
        from models.onnx_export import require_onnx

        require_onnx()
    tell("Writing weights and tokenizer")
    checkpoint = calibrated(load_checkpoint(version))
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.partial")
    try:
        partial.mkdir()
        checkpoint.model.save_pretrained(partial, safe_serialization=True)
        checkpoint.tokenizer.save_pretrained(partial)
        shutil.copyfile(version / CARD, partial / f"blindspot-{CARD}")
        card = version / README
        text = card.read_text(encoding="utf-8") if card.exists() else card_text(checkpoint.card)
        if isinstance(checkpoint.head, TokenHead) and checkpoint.head.case_types:
            text += "\nIts `token_type_ids` are 1 for the tokens of words that begin with a capital, else 0.\n"
        if onnx or int8:
            from models.onnx_export import add_onnx

            tell("Writing ONNX and comparing it with torch")
            text += "\n" + add_onnx(partial, checkpoint, int8)
        (partial / README).write_text(text, encoding="utf-8")
        os.rename(partial, target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return target


def export_zip(version: Path, target: Path, *, tell: Callable[[str], None] = untold, **formats: bool) -> Path:
    """The folder of `export_model`, under the version's id, as the zip file `target`; it replaces one that is there.

    `formats` are `export_model`'s, and so is what is raised.
    """
    with tempfile.TemporaryDirectory() as folder:
        plain = export_model(version, Path(folder) / version.name, tell=tell, **formats)
        tell("Packing")
        packed = Path(folder) / target.name
        with zipfile.ZipFile(packed, "w") as file:  # not compressed: weights hardly shrink
            for path in sorted(plain.rglob("*")):
                file.write(path, path.relative_to(folder))
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(packed, target)
    return target


def calibrated(checkpoint: Checkpoint) -> Checkpoint:
    """The checkpoint with its temperature in the head where that is one linear layer, and the task's label names."""
    model, head = checkpoint.model, getattr(checkpoint.model, "classifier", None)
    if isinstance(head, torch.nn.Linear):
        temperature = float(checkpoint.card.get("temperature") or 1.0)
        with torch.no_grad():
            head.weight.div_(temperature)
            if head.bias is not None:
                head.bias.div_(temperature)
        checkpoint = replace(checkpoint, card={**checkpoint.card, "temperature": 1.0})
    if isinstance(checkpoint.head, ClassifierHead | TokenHead):
        names = {output: name for name, output in zip(checkpoint.task.outputs, checkpoint.head.order, strict=True)}
        model.config.id2label = dict(sorted(names.items()))
        model.config.label2id = {name: output for output, name in names.items()}
    return checkpoint
