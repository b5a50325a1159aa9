"""In what number format, and where, a version's weights are loaded."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import torch

from models.folders import CheckpointError
from models.kinds import FOUR_BIT, LIKELIHOOD, card_kind


def placement(card: dict[str, Any], device: torch.device | None) -> dict[str, Any]:
    """Options for `from_pretrained`. Raises CheckpointError where the machine cannot load as the version asks.

    Classifiers are small: float32, moved by whoever loads them. A language model goes to a CUDA device in bfloat16,
    spread by accelerate over the devices that are there; one whose card says `"load": "4bit"` keeps its linear layers
    in four bits (NF4, Dettmers et al. 2023).
    """
    on_gpu = device is not None and device.type == "cuda"
    if card_kind(card) != LIKELIHOOD or not (on_gpu or card.get("load")):
        return {"dtype": torch.float32}
    dtype = torch.bfloat16 if on_gpu else torch.float32
    options: dict[str, Any] = {"dtype": dtype, "device_map": "auto" if on_gpu else {"": "cpu"}}
    if card.get("load") == FOUR_BIT:
        if find_spec("bitsandbytes") is None:
            raise CheckpointError(
                f"Version {card['id']} is to be loaded in four bits; expected the package bitsandbytes, found none. "
                "Install it (pip install -r requirements-4bit.txt), or add the model again without --load 4bit."
            )
        from transformers import BitsAndBytesConfig

        options["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=dtype,
        )
    return options


def is_placed(model: torch.nn.Module) -> bool:
    """Whether the model is where it belongs and must not be moved."""
    return hasattr(model, "hf_device_map") or is_quantized(model)


def is_quantized(model: torch.nn.Module) -> bool:
    return bool(getattr(model, "is_quantized", False))
