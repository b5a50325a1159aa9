"""An exported folder as ONNX: the same answers without torch, and in eight bits with what that costs."""

from __future__ import annotations

import copy
import importlib
import os
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

from data.seed import seed_rows
from models.checkpoint import Checkpoint
from models.folders import CheckpointError
from models.heads import ChoiceHead, PairHead
from models.inputs import Batch
from models.predictor import Predictor
from models.tokens import TokenHead

LIBRARIES = ("onnx", "onnxruntime", "onnxscript")
OPSET = 18
FULL, INT8 = Path("onnx/model.onnx"), Path("onnx/model_int8.onnx")
"""Where a folder on the Hub has them too."""
TOLERANCE = 1e-4
"""By how much a logit may differ from torch's."""
CHECKED_ROWS, BATCH_SIZES = 48, (1, 3, 16)
TIMED_ROUNDS = 20


class ExportError(CheckpointError):
    """The version cannot be taken away in this form; the message says why and what to do."""


class OnnxModel:
    """An ONNX file that is asked as a transformers model is; it computes on `threads` cores."""

    def __init__(self, path: Path, threads: int | None = None) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or torch.get_num_threads()
        self.session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self.names = [one.name for one in self.session.get_inputs()]

    def __call__(self, **inputs: torch.Tensor) -> SimpleNamespace:
        """`logits` as the model would give them."""
        (logits,) = self.session.run(["logits"], {name: inputs[name].numpy() for name in self.names})
        return SimpleNamespace(logits=torch.from_numpy(logits))


def require_onnx() -> None:
    """Raises ExportError where a library is missing that the export takes."""
    try:
        for name in LIBRARIES:
            importlib.import_module(name)
    except ImportError as error:
        raise ExportError(
            f"The export to ONNX takes {error.name}, which is not installed: pip install -r requirements-onnx.txt."
        ) from error


def check_exportable(checkpoint: Checkpoint) -> None:
    """Raises ExportError where a version answers by something that has no single file of its own."""
    if not isinstance(checkpoint.head, PairHead | TokenHead):
        raise ExportError(
            f"Expected a sequence-classification, multiple-choice or token-classification version; "
            f"{checkpoint.card['id']} is a causal language model. Export the plain folder (without --onnx and "
            "--int8) and convert it with `optimum-cli export onnx`."
        )


def add_onnx(folder: Path, checkpoint: Checkpoint, int8: bool) -> str:
    """Puts `onnx/model.onnx` into an exported folder, with `int8` `onnx/model_int8.onnx` too; Markdown about them.

    `checkpoint` is what the folder was written from. The file is put in place once its logits on the task's own rows,
    alone and padded in batches, differ from torch's by at most TOLERANCE; else ExportError is raised, also where a
    library is missing.
    """
    require_onnx()
    check_exportable(checkpoint)
    (folder / FULL).parent.mkdir()
    predictor = Predictor(checkpoint, torch.device("cpu"))
    rows = seed_rows(checkpoint.task, "validation")
    encoded = predictor.encode([row["example"] for row in rows])
    partial = folder / FULL.with_name("partial.onnx")
    write_onnx(folder, checkpoint, predictor.head.collate(encoded[:3]), partial)
    worst = largest_difference(predictor, asked_by(predictor, partial), encoded[:CHECKED_ROWS])
    if not worst <= TOLERANCE:
        raise ExportError(
            f"The ONNX file's logits differ from torch's by {worst:.2g}; expected at most {TOLERANCE:g}. Nothing was "
            "written. Export without --onnx and --int8."
        )
    os.rename(partial, folder / FULL)
    text = [
        "## ONNX",
        "",
        f"`{FULL}`, opset {OPSET}: inputs {', '.join(f'`{n}`' for n in OnnxModel(folder / FULL).names)} "
        f"(int64, any length and number{', shape (example, choice, token)' if is_grouped(checkpoint) else ''}), "
        f"output `logits`. On {min(CHECKED_ROWS, len(rows))} rows, alone and padded, they differ from torch's by at "
        f"most {worst:.1g}.",
        "",
    ]
    files = {"PyTorch": predictor, "ONNX": asked_by(predictor, folder / FULL)}
    if int8:
        quantize(folder / FULL, folder / INT8)
        files["ONNX, int8"] = asked_by(predictor, folder / INT8)
        text += [f"`{INT8}`: weights in eight bits, activations quantised as they come; trust it by the table.", ""]
    return "\n".join(text + comparison(files, rows, encoded))


def is_grouped(checkpoint: Checkpoint) -> bool:
    return isinstance(checkpoint.head, ChoiceHead)


def write_onnx(folder: Path, checkpoint: Checkpoint, batch: Batch, target: Path) -> None:
    """Writes the model of an exported folder as it computes in float32 with plain matrix products."""
    model = type(checkpoint.model).from_pretrained(folder, attn_implementation="eager", dtype=torch.float32).eval()
    inputs = {name: batch[name] for name in ("input_ids", "attention_mask", "token_type_ids") if name in batch}
    sizes = {0: torch.export.Dim("example"), 1: torch.export.Dim("token")}
    if is_grouped(checkpoint):
        inputs = {name: torch.stack([value[:2], value[1:3]]) for name, value in inputs.items()}
        sizes = {0: sizes[0], 1: torch.export.Dim("choice"), 2: sizes[1]}
    with torch.no_grad():
        torch.onnx.export(
            OnlyLogits(model, list(inputs)),
            tuple(inputs.values()),
            target,
            input_names=list(inputs),
            output_names=["logits"],
            dynamic_shapes=((sizes,) * len(inputs),),
            opset_version=OPSET,
            dynamo=True,
            external_data=False,
            verbose=False,
        )


class OnlyLogits(torch.nn.Module):
    """A model as a function of the tensors that are named, in their order."""

    def __init__(self, model: torch.nn.Module, names: Sequence[str]) -> None:
        super().__init__()
        self.model, self.names = model, names

    def forward(self, *tensors: torch.Tensor) -> torch.Tensor:
        return self.model(**dict(zip(self.names, tensors, strict=True))).logits


def asked_by(predictor: Predictor, path: Path) -> Predictor:
    """The predictor with the ONNX file in its model's place."""
    twin = copy.copy(predictor)
    twin.model = OnnxModel(path)
    return twin


def largest_difference(exact: Predictor, other: Predictor, encoded: Sequence[Any]) -> float:
    """Between any two logits, in batches of several sizes, so that lengths and paddings differ."""
    worst = 0.0
    for size in BATCH_SIZES:
        for a, b in zip(exact.logits(encoded, size), other.logits(encoded, size), strict=True):
            worst = max(worst, float((a - b).abs().max()))
    return worst


def quantize(source: Path, target: Path) -> None:
    """Dynamic int8: weights by channel, in seven bits of eight, as older processors add products in 16 bits."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(source, target, weight_type=QuantType.QInt8, per_channel=True, reduce_range=True)


def comparison(files: dict[str, Predictor], rows: Sequence[dict[str, Any]], encoded: Sequence[Any]) -> list[str]:
    """A Markdown table: how each answers the task's validation rows, and how long a row takes."""
    said = {name: predictor.answers(encoded) for name, predictor in files.items()}
    exact = next(iter(said.values()))
    taken = milliseconds(files, encoded)
    lines = [
        f"On {len(rows)} validation rows, one at a time on {torch.get_num_threads()} cores:",
        "",
        "| | right | other answers than PyTorch | largest difference of a probability | ms a row |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for name, answers in said.items():
        right = sum(a.label == row["label"] for a, row in zip(answers, rows, strict=True))
        others = sum(a.label != b.label for a, b in zip(answers, exact, strict=True))
        pairs = zip(answers, exact, strict=True)
        worst = max(abs(p - q) for a, b in pairs for p, q in zip(a.probabilities, b.probabilities, strict=True))
        lines.append(
            f"| {name} | {right} ({100 * right / len(rows):.1f} %) | {others} ({100 * others / len(rows):.1f} %) "
            f"| {worst:.4f} | {taken[name]:.1f} |"
        )
    return [*lines, ""]


def milliseconds(files: dict[str, Predictor], encoded: Sequence[Any]) -> dict[str, float]:
    """The median of each for a row, asked in turn."""
    taken: dict[str, list[float]] = {name: [] for name in files}
    for number in range(TIMED_ROUNDS + 1):
        row = encoded[number % len(encoded)]
        for name, predictor in files.items():
            start = time.perf_counter()
            predictor.logits([row])
            taken[name].append(1000 * (time.perf_counter() - start))
    return {name: statistics.median(values[1:]) for name, values in taken.items()}  # the first warms up
