"""A model's products with their weights laid out for this CPU's matrix units, through oneDNN.

PyTorch's own bfloat16 products lay the weights out anew at each call, which at one row costs as much as the product.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn.functional import scaled_dot_product_attention

USUAL_ROWS = 32
"""For so many tokens at once the layout is chosen; any number can be computed."""


class PackedLinear(nn.Module):
    """One or more linear layers on the same input as a single product; their outputs lie side by side."""

    def __init__(self, *layers: nn.Linear, gelu: bool = False) -> None:
        super().__init__()
        self.then = ("gelu", [], "none") if gelu else ("none", [], "")  # `none`: the exact one, by erf
        weight = torch.cat([layer.weight.detach() for layer in layers])
        self.register_buffer("weight", torch.ops.mkldnn._reorder_linear_weight(weight, USUAL_ROWS))
        biases = [layer.bias for layer in layers if layer.bias is not None]
        self.register_buffer("bias", torch.cat([bias.detach() for bias in biases]) if biases else None)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.ops.mkldnn._linear_pointwise(x, self.weight, self.bias, *self.then)


class PackedBertLayer(nn.Module):
    """A layer of a BERT encoder in four products, and without what only training needs."""

    def __init__(self, layer: Any) -> None:
        super().__init__()
        attention = layer.attention.self
        self.heads = attention.num_attention_heads
        self.projections = PackedLinear(attention.query, attention.key, attention.value)
        self.attended = PackedLinear(layer.attention.output.dense)
        self.attention_norm = layer.attention.output.LayerNorm
        self.widened = PackedLinear(layer.intermediate.dense, gelu=True)
        self.narrowed = PackedLinear(layer.output.dense)
        self.norm = layer.output.LayerNorm

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None, *_: Any, **__: Any) -> torch.Tensor:
        """`x` of shape (row, token, width); `mask` as the library makes it for its fused attention."""
        split = self.projections(x).unflatten(-1, (3, self.heads, -1))
        query, key, value = split.permute(2, 0, 3, 1, 4)
        heads = scaled_dot_product_attention(query, key, value, attn_mask=mask)
        x = self.attention_norm(self.attended(heads.transpose(1, 2).flatten(-2)) + x)
        return self.norm(self.narrowed(self.widened(x)) + x)


def pack(model: nn.Module) -> nn.Module:
    """`model`, its linear layers packed in place, in the format that its weights have; it learns no more."""
    from transformers.models.bert.modeling_bert import BertLayer

    for name, part in list(model.named_children()):
        if type(part) is nn.Linear:
            setattr(model, name, PackedLinear(part))
        elif isinstance(part, BertLayer) and is_plain(part):
            setattr(model, name, PackedBertLayer(part))
        else:
            pack(part)
    return model


def is_plain(layer: Any) -> bool:
    """Whether it is an encoder's layer with the usual activation."""
    config = layer.attention.self.config
    return not layer.is_decoder and config.hidden_act == "gelu" and config._attn_implementation == "sdpa"
