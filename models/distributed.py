"""Several processes that train one model (torchrun or Ray Train start them): who leads, what all agree on."""

from __future__ import annotations

import os
from collections.abc import Iterable

import torch
import torch.distributed as dist


def processes() -> int:
    """How many train together; 1 where nothing started several."""
    return int(os.environ.get("WORLD_SIZE") or 1)


def leads() -> bool:
    """Whether this process writes the checkpoints, the progress and the version."""
    return int(os.environ.get("RANK") or 0) == 0


def share(rows: int) -> int:
    """How many of a batch's rows each process takes, so that an update sees about as many as with one process."""
    return max(1, round(rows / processes()))


def take_device(device: torch.device) -> None:
    """Gives each process of a machine a GPU of its own, where it sees more than one."""
    if device.type == "cuda" and processes() > 1:
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK") or 0) % torch.cuda.device_count())


def any_of(*flags: bool) -> tuple[bool, ...]:
    """For each flag whether it is set in any process: all of them then stop or save after the same step."""
    if processes() == 1 or not dist.is_initialized():
        return flags
    told = torch.tensor(flags, dtype=torch.int32, device="cuda" if dist.get_backend() == "nccl" else "cpu")
    dist.all_reduce(told, dist.ReduceOp.MAX)
    return tuple(bool(flag) for flag in told.tolist())


def as_the_first(tensors: Iterable[torch.Tensor]) -> None:
    """Gives them the first process's values in all: what each computes for itself may differ in its last bit."""
    if dist.is_initialized() and processes() > 1:
        for tensor in tensors:
            dist.broadcast(tensor, 0)


def wait_for_all() -> None:
    """Until every process is here."""
    if dist.is_initialized() and processes() > 1:
        dist.barrier()
