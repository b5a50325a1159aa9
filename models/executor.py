"""Where a job is trained: here in one process, here in several (torchrun), or on a Ray cluster."""

from __future__ import annotations

from pathlib import Path

from settings import Settings


def training_command(settings: Settings, folder: Path) -> list[str]:
    """The module, with its arguments, that trains the job folder."""
    job = [str(folder), settings.device]
    if settings.executor == "ray":
        options = ["--address", settings.ray_address, "--storage", settings.ray_storage]
        return ["models.ray_training", *job, "--workers", str(settings.train_workers), *options]
    if settings.train_workers > 1:
        torchrun = ["torch.distributed.run", "--standalone", f"--nproc-per-node={settings.train_workers}"]
        return [*torchrun, "-m", "models.training", *job]
    return ["models.training", *job]


def jobs_at_once(settings: Settings, gpus: list[str]) -> list[str | None]:
    """The devices that jobs are worked off on side by side; None names none in particular.

    A cluster finds each job its place, and a job of several processes takes all GPUs of the machine.
    """
    if settings.executor == "ray":
        return [None] * settings.ray_jobs
    return [*gpus] if len(gpus) > 1 and settings.train_workers == 1 else [None]
