"""A version folder as a model, and a trained model as a version folder.

A folder holds `version.json` and either an adapter (peft's files) over a named base, full weights, or
neither, where the base itself is the version. The base is the embedded encoder, a local folder or a Hub
name; weights are read from safetensors only, and no code is taken from a checkpoint.
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from data.tasks import Task, get_task
from models.encoder import ENCODER, encoder_dir
from models.folders import ADAPTER, ADAPTER_CONFIG, WEIGHTS, CheckpointError, read_card
from models.heads import Head, make_head
from models.kinds import LIKELIHOOD, auto_class, base_labels, card_kind, check_kind, read_config
from models.placement import is_quantized, placement

LOADING = threading.Lock()
"""Held while the library loads a model: it takes away the method that ties weights and puts it back, and of two
threads at once the later one would put back that nothing is tied, for good."""


@dataclass(frozen=True)
class Checkpoint:
    model: torch.nn.Module
    tokenizer: Any
    task: Task
    card: dict[str, Any]
    """What `version.json` says."""
    head: Head
    """How it answers the task."""


def load_checkpoint(folder: Path, device: torch.device | None = None) -> Checkpoint:
    """The version's model, adapter merged, in evaluation mode: in float32 on the CPU, but for a language model that
    `models.placement` puts on the device.

    Raises CheckpointError where files are missing, damaged or do not fit, and EncoderError.
    """
    card = read_card(folder)
    task = get_task(card["task"])
    model, tokenizer = load_base(folder, card, device=device)
    head = make_head(task, card, model.config, tokenizer)
    if (folder / ADAPTER).exists():
        if is_quantized(model):  # four bits hold no sum: the adapter stays beside them
            from peft import PeftModel

            model = PeftModel.from_pretrained(model, folder)
        else:
            merge_adapter(model, folder)
    return Checkpoint(model.eval(), tokenizer, task, card, head)


def load_base(
    folder: Path, card: dict[str, Any], attention: str | None = None, device: torch.device | None = None
) -> tuple[torch.nn.Module, Any]:
    """Model (without adapter) and tokenizer that the version stands on.

    `attention` names another implementation than the library's choice: on a CPU the backward pass of the
    fused one is twice as slow as plain matrix products at the lengths probed here.
    """
    from transformers import AutoTokenizer, logging

    task = get_task(card["task"])
    source = folder if (folder / WEIGHTS).exists() else base_source(card["base"])
    auto = auto_class(card)
    options: dict[str, Any] = {"use_safetensors": True, "trust_remote_code": False, **placement(card, device)}
    if card["base"] != ENCODER:
        check_kind(task, card_kind(card), read_config(source), source, card.get("label_map"))
    if attention:
        options["attn_implementation"] = attention
    if card["base"] == ENCODER and (labels := base_labels(card)):
        options |= {"id2label": dict(enumerate(labels)), "label2id": {label: i for i, label in enumerate(labels)}}
    level = logging.get_verbosity()
    logging.set_verbosity_error()  # the encoder's new head is no news
    logging.disable_progress_bar()
    try:
        tokenizer = AutoTokenizer.from_pretrained(source, trust_remote_code=False)
        with LOADING, torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(card.get("seed") or 0))  # a fresh head is the same for the same seed
            model = auto.from_pretrained(source, **options)
    except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
        raise CheckpointError(
            f"The model {source} cannot be loaded: {error}. Expected a Hugging Face "
            f"{'causal' if card_kind(card) == LIKELIHOOD else task.head} checkpoint with safetensors weights."
        ) from error
    finally:
        logging.set_verbosity(level)
    return model, tokenizer


def base_source(base: str) -> str | Path:
    """Where a base's files are: a folder, or a Hub name."""
    return encoder_dir() if base == ENCODER else base


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
    except (KeyError, AttributeError, RuntimeError) as error:
        raise CheckpointError(f"The adapter in {folder} does not fit its base: {error}.") from error


def apply_adapter(model: torch.nn.Module, tensors: dict[str, torch.Tensor], config: dict[str, Any]) -> None:
    """Adds the adapter's products to the model's weights, in place. Raises KeyError or RuntimeError on a misfit."""
    from transformers.pytorch_utils import Conv1D

    scale = adapter_scale(config)
    weights = dict(model.named_parameters())
    with torch.no_grad():
        for key, tensor in tensors.items():
            name = key.removeprefix("base_model.model.")
            if name.endswith(".lora_A.weight"):
                up = tensors[key.replace(".lora_A.", ".lora_B.")].float()
                product = scale * (up @ tensor.float())
                module = name.removesuffix(".lora_A.weight")
                if isinstance(model.get_submodule(module), Conv1D):  # GPT-2 keeps its weights the other way round
                    product = product.T
                weight = weights[f"{module}.weight"]
                weight.add_(product.to(weight.device, weight.dtype))
            elif not name.endswith(".lora_B.weight"):
                weights[name].copy_(tensor)


def adapter_scale(config: dict[str, Any]) -> float:
    """What the product of a LoRA adapter's factors is multiplied by."""
    return config["lora_alpha"] / (config["r"] ** 0.5 if config.get("use_rslora") else config["r"])


def halve_adapter(folder: Path) -> None:
    """Rewrites the adapter's tensors as float16 (peft writes the float32 it trained in)."""
    tensors = {name: t.to(torch.float16).contiguous() for name, t in load_file(folder / ADAPTER).items()}
    save_file(tensors, folder / ADAPTER, metadata={"format": "pt"})
