"""A version folder as a model, and a trained model as a version folder.

A folder holds `version.json` and either an adapter (peft's files) over a named base, full weights, or
neither, where the base itself is the version. The base is the embedded encoder, a local folder or a Hub
name; weights are read from safetensors only, and no code is taken from a checkpoint.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from data.tasks import Task, get_task
from models.encoder import ENCODER, encoder_dir
from models.folders import ADAPTER, ADAPTER_CONFIG, WEIGHTS, CheckpointError, read_card
from models.inputs import window


@dataclass(frozen=True)
class Checkpoint:
    model: torch.nn.Module
    tokenizer: Any
    task: Task
    card: dict[str, Any]
    """What `version.json` says."""
    label_order: list[int] | None
    """For each of the task's labels, the model's output; None where the outputs are choices."""

    @property
    def max_tokens(self) -> int:
        """The model's window."""
        return window(self.model.config, self.tokenizer)


def load_checkpoint(folder: Path) -> Checkpoint:
    """The version's model in float32 on the CPU, adapter merged, in evaluation mode.

    Raises CheckpointError where files are missing, damaged or do not fit, and EncoderError.
    """
    card = read_card(folder)
    task = get_task(card["task"])
    model, tokenizer = load_base(folder, card)
    if (folder / ADAPTER).exists():
        merge_adapter(model, folder)
    return Checkpoint(model.eval(), tokenizer, task, card, label_order(task, model.config, card))


def load_base(folder: Path, card: dict[str, Any], attention: str | None = None) -> tuple[torch.nn.Module, Any]:
    """Model (without adapter) and tokenizer that the version stands on.

    `attention` names another implementation than the library's choice: on a CPU the backward pass of the
    fused one is twice as slow as plain matrix products at the lengths probed here.
    """
    from transformers import AutoTokenizer, logging
    from transformers.models.auto import modeling_auto

    task = get_task(card["task"])
    source = folder if (folder / WEIGHTS).exists() else base_source(card["base"])
    auto = {
        "sequence_classification": modeling_auto.AutoModelForSequenceClassification,
        "multiple_choice": modeling_auto.AutoModelForMultipleChoice,
    }[task.head]
    options: dict[str, Any] = {"use_safetensors": True, "trust_remote_code": False, "dtype": torch.float32}
    if attention:
        options["attn_implementation"] = attention
    if card["base"] == ENCODER and task.labels:
        options |= {
            "id2label": dict(enumerate(task.labels)),
            "label2id": {label: i for i, label in enumerate(task.labels)},
        }
    level = logging.get_verbosity()
    logging.set_verbosity_error()  # the encoder's new head is no news
    logging.disable_progress_bar()
    try:
        tokenizer = AutoTokenizer.from_pretrained(source, trust_remote_code=False)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(card.get("seed") or 0))  # a fresh head is the same for the same seed
            model = auto.from_pretrained(source, **options)
    except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
        raise CheckpointError(
            f"The model {source} cannot be loaded: {error}. Expected a Hugging Face {task.head} checkpoint "
            "with safetensors weights."
        ) from error
    finally:
        logging.set_verbosity(level)
    return model, tokenizer


def base_source(base: str) -> str | Path:
    """Where a base's files are: a folder, or a Hub name."""
    return encoder_dir() if base == ENCODER else base


def label_order(task: Task, config: Any, card: dict[str, Any]) -> list[int] | None:
    """For each of the task's labels the model's output, mapped by name.

    `card["label_map"]` may name the model's labels ({"LABEL_0": "entailment"}). Raises CheckpointError.
    """
    if not task.labels:
        return None
    names = card.get("label_map") or {}
    found = {i: str(names.get(name, name)).casefold() for i, name in dict(config.id2label).items()}
    order = []
    for label in task.labels:
        outputs = [i for i, name in found.items() if name == label]
        if len(outputs) != 1 or len(found) != len(task.labels):
            raise CheckpointError(
                f"Task {task.name!r} expects labels {', '.join(task.labels)}; checkpoint {card['base']!r} has "
                f"{', '.join(map(str, config.id2label.values()))}. "
                "Pass --label-map or rename them in its config.json."
            )
        order.append(outputs[0])
    return order


def merge_adapter(model: torch.nn.Module, folder: Path) -> None:
    """Adds a LoRA adapter's product to the weights it adapts, and puts its trained modules in place.

    Done here and not by peft, whose import costs a serving process seconds. Raises CheckpointError.
    """
    try:
        config = json.loads((folder / ADAPTER_CONFIG).read_text(encoding="utf-8"))
        tensors = load_file(folder / ADAPTER)
    except (OSError, ValueError, SafetensorError) as error:
        raise CheckpointError(
            f"The adapter in {folder} is damaged: {error}. Restore the folder from a backup, or roll back."
        ) from error
    if config.get("peft_type") != "LORA":
        raise CheckpointError(f"Expected a LORA adapter in {folder}; found {config.get('peft_type')}.")
    try:
        apply_adapter(model, tensors, config)
    except (KeyError, RuntimeError) as error:
        raise CheckpointError(f"The adapter in {folder} does not fit its base: {error}.") from error


def apply_adapter(model: torch.nn.Module, tensors: dict[str, torch.Tensor], config: dict[str, Any]) -> None:
    """Adds the adapter's products to the model's weights, in place. Raises KeyError or RuntimeError on a misfit."""
    scale = adapter_scale(config)
    weights = dict(model.named_parameters())
    with torch.no_grad():
        for key, tensor in tensors.items():
            name = key.removeprefix("base_model.model.")
            if name.endswith(".lora_A.weight"):
                up = tensors[key.replace(".lora_A.", ".lora_B.")].float()
                weights[name.replace(".lora_A.", ".")].add_(scale * (up @ tensor.float()))
            elif not name.endswith(".lora_B.weight"):
                weights[name].copy_(tensor)


def adapter_scale(config: dict[str, Any]) -> float:
    """What the product of a LoRA adapter's factors is multiplied by."""
    return config["lora_alpha"] / (config["r"] ** 0.5 if config.get("use_rslora") else config["r"])


def halve_adapter(folder: Path) -> None:
    """Rewrites the adapter's tensors as float16 (peft writes the float32 it trained in)."""
    tensors = {name: t.to(torch.float16).contiguous() for name, t in load_file(folder / ADAPTER).items()}
    save_file(tensors, folder / ADAPTER, metadata={"format": "pt"})
