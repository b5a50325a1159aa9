"""Which device and number format this machine works best with."""

from __future__ import annotations

import os
from functools import cache

import torch


def choose_device(wanted: str = "auto") -> torch.device:
    """The device asked for; `auto` takes CUDA where there is one. Raises ValueError."""
    if wanted not in ("auto", "cpu", "cuda"):
        raise ValueError(f"Expected as device auto, cpu or cuda; found {wanted!r}.")
    if wanted == "cuda" and not torch.cuda.is_available():
        raise ValueError("Expected a CUDA device; this machine has none. Use --device auto or cpu.")
    use_cuda = wanted == "cuda" or (wanted == "auto" and torch.cuda.is_available())
    return torch.device("cuda" if use_cuda else "cpu")


def has_bf16(device: torch.device) -> bool:
    """Whether bfloat16 is computed in hardware there, and so is faster than float32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return bool(torch.cpu.get_capabilities().get("avx512_bf16")) and torch.backends.mkldnn.is_available()


@cache
def tile() -> int:
    """Rows of tokens are filled up to a multiple of this, so that kernels' shapes are few: AMX computes tiles of 16,
    and its attention over 24 tokens takes longer than over 32."""
    return 16 if torch.cpu.get_capabilities().get("amx_bf16") else 8


def describe(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"CPU, {torch.get_num_threads()} threads"


def usable_cores() -> int:
    """Those that this process may use, which can be fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
