"""One copy in memory of what loaded versions have alike: those of one encoder share its word embeddings."""

from __future__ import annotations

import ctypes
import hashlib
import sys
import weakref

import torch

LEAST_BYTES = 2**16
"""Smaller tensors are not worth the look."""

_known: weakref.WeakValueDictionary[str, torch.Tensor] = weakref.WeakValueDictionary()


def share_weights(model: torch.nn.Module) -> None:
    """Puts in place of each parameter on the CPU one with the same content that another model has, if one has.

    Only for models that learn no more: a change to one would be a change to all. What is left stands in memory of its
    own, so that the mapped file it was read from is let go.
    """
    for name, weight in list(model.named_parameters()):
        if weight.device.type != "cpu" or weight.layout != torch.strided:
            continue
        module, _, last = name.rpartition(".")
        if weight.nbytes >= LEAST_BYTES and (known := _known.get(key := _content(weight))) is not None:
            setattr(model.get_submodule(module), last, known)
            continue
        weight.data = weight.data.clone()
        if weight.nbytes >= LEAST_BYTES:
            _known[key] = weight


def trim_memory() -> None:
    """Gives memory that was freed back to the system, where the C library can (glibc): loading leaves much of it."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim:
        trim(0)


def _content(weight: torch.Tensor) -> str:
    data = weight.detach().contiguous().view(torch.uint8).numpy()
    return f"{weight.dtype} {tuple(weight.shape)} {hashlib.sha1(data, usedforsecurity=False).hexdigest()}"
