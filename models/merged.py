"""A small adapter computed together with the weight that it lies over, so that a training step takes fewer products.

LoRA adds B·A·x to W·x. Of a small encoder's short texts most of a step then goes into many tiny products and copies.
(W + B·A)·x is the same sum with one product over the texts, and its gradient reaches both factors.
"""

from __future__ import annotations

from types import MethodType

import torch
import torch.nn.functional as F
from peft.tuners.lora import Linear

MOST_WEIGHTS = 100_000_000
"""The sums are kept until the backward pass: of a larger model they would take the memory that LoRA saves."""


def compute_merged(model: torch.nn.Module) -> int:
    """Has the model's plain LoRA layers compute so from now on; returns how many. A larger model is left as it is."""
    if sum(parameter.numel() for parameter in model.parameters()) > MOST_WEIGHTS:
        return 0
    layers = [module for module in model.modules() if type(module) is Linear and _is_plain(module)]
    for layer in layers:
        layer.forward = MethodType(_forward, layer)
    return len(layers)


def _is_plain(layer: Linear) -> bool:
    """Whether it adds one adapter's product to a linear layer and does nothing else."""
    if len(layer.active_adapters) != 1 or not isinstance(layer.base_layer, torch.nn.Linear) or layer.merged:
        return False
    (key,) = layer.active_adapters
    dropout = layer.lora_dropout[key]
    still = isinstance(dropout, torch.nn.Identity) or dropout.p == 0.0
    return key in layer.lora_A and key not in layer.lora_variant and not layer.lora_bias[key] and still


def _forward(layer: Linear, x: torch.Tensor) -> torch.Tensor:
    (key,) = layer.active_adapters
    base, down, up = layer.base_layer, layer.lora_A[key].weight, layer.lora_B[key].weight
    return F.linear(x, torch.addmm(base.weight, up, down, alpha=layer.scaling[key]), base.bias)
