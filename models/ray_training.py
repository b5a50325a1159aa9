"""Trains a job folder on a Ray cluster: `python -m models.ray_training FOLDER DEVICE --address ADDR --workers N`.

Ray Train's TorchTrainer starts N workers, data parallel, and starts them anew from the last checkpoint, as few as are
left, where one is lost. The folder is used where it lies, which all machines then have to share, or is copied to
`--storage`, any path that fsspec knows (`s3://bucket/jobs`), and back. Exit status and files are those of
`models.training`.
"""

from __future__ import annotations

import argparse
import contextlib
import shutil
import signal
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

import fsspec

from models.child import ERROR, STOPPED, await_job
from models.ray_cluster import join_cluster, look_for

STOP = "stop"
"""A file in the folder that asks the workers to end after their step, with a checkpoint."""
PROGRESS = "progress.jsonl"
VERSION = "version"
CHECKPOINTS = "checkpoints"
FAILURES = 3
"""How often lost workers are replaced before the job fails."""
LOOK_S = 1.0


class Copies:
    """The job folder on shared storage, and its copies."""

    def __init__(self, url: str) -> None:
        self.files, self.root = fsspec.core.url_to_fs(url)

    def path(self, name: str) -> str:
        return f"{self.root.rstrip('/')}/{name}" if name else self.root

    def put(self, source: Path, name: str) -> None:
        """Copies a file or folder there, over what was there."""
        if source.is_dir():
            if self.files.exists(self.path(name)):
                self.files.rm(self.path(name), recursive=True)
            self.files.makedirs(self.path(name), exist_ok=True)
            for path in sorted(p for p in source.rglob("*") if p.is_file()):
                inside = path.relative_to(source).as_posix()
                target = self.path(f"{name}/{inside}" if name else inside)
                self.files.makedirs(target.rpartition("/")[0], exist_ok=True)
                self.files.put_file(str(path), target)
        elif source.exists():
            self.files.put_file(str(source), self.path(name))

    def get(self, name: str, target: Path) -> bool:
        """Copies a file or folder from there; False where there is none."""
        if not self.files.exists(self.path(name)):
            return False
        if not self.files.isdir(self.path(name)):
            self.files.get_file(self.path(name), str(target))
            return True
        base = len(self.path(name).lstrip("/")) + 1
        for found in self.files.find(self.path(name)):
            path = target / found.lstrip("/")[base:]
            path.parent.mkdir(parents=True, exist_ok=True)
            self.files.get_file(found, str(path))
        return True

    def exists(self, name: str) -> bool:
        return bool(self.files.exists(self.path(name)))


def every(seconds: float, act: Any, ended: threading.Event) -> threading.Thread:
    """Does it again and again in the background, until `ended`, and then once more; a failure waits for the next."""

    def loop() -> None:
        while True:
            last = ended.wait(seconds)
            with contextlib.suppress(Exception):
                act()
            if last:
                return

    thread = threading.Thread(target=loop, daemon=True)
    thread.start()
    return thread


def work(config: dict[str, Any]) -> None:
    """One worker's part: the job, from its last checkpoint on."""
    from models.batches import TrainingError
    from models.distributed import leads, wait_for_all
    from models.encoder import EncoderError
    from models.folders import CheckpointError
    from models.resuming import Interrupted
    from models.training import train

    shared = Copies(config["storage"]) if config["storage"] else None
    folder = Path(config["folder"])
    if shared:
        folder = Path(tempfile.mkdtemp(prefix="blindspot-")) / "job"
        shared.get("", folder)
    if (folder / ERROR).exists():
        return  # told by a worker before this one; trying again would not help
    stop, ended = threading.Event(), threading.Event()

    def look() -> None:
        if shared.exists(STOP) if shared else (folder / STOP).exists():
            stop.set()
        if shared and leads():
            shared.put(folder / PROGRESS, PROGRESS)

    def keep(checkpoint: Path) -> None:
        shared.put(folder / PROGRESS, PROGRESS)
        shared.put(checkpoint, f"{CHECKPOINTS}/{checkpoint.name}")

    looking = every(LOOK_S, look, ended)
    try:
        train(
            folder,
            config["device"],
            stop,
            kept=keep if shared and leads() else None,
            checkpoint_s=config["checkpoint_s"],
        )
        if shared and leads():
            shared.put(folder / VERSION, VERSION)
        wait_for_all()
    except Interrupted as stopped:
        print(stopped, flush=True)
    except (TrainingError, CheckpointError, EncoderError, ValueError) as error:  # others come of a lost fellow
        text = f"{type(error).__name__}: {error}"
        (folder / ERROR).write_text(text, encoding="utf-8")
        if shared:
            shared.put(folder / ERROR, ERROR)
        raise
    finally:
        ended.set()
        looking.join(30)
        if shared:
            shutil.rmtree(folder.parent, ignore_errors=True)


def run(folder: Path, device: str, address: str, workers: int, storage: str, checkpoint_s: float) -> int:
    """Trains on the cluster; returns the exit status. Raises RuntimeError where the cluster or training failed."""
    import ray
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchTrainer

    from models.device import choose_device

    look_for(address)
    url = f"{storage.rstrip('/')}/{folder.name}" if storage else ""
    shared = Copies(url) if url else None
    for name in (STOP, ERROR):
        (folder / name).unlink(missing_ok=True)
    if shared:
        if shared.exists(CHECKPOINTS):  # a driver that died left them
            shared.get(CHECKPOINTS, folder / CHECKPOINTS)
        if shared.exists(""):
            shared.files.rm(shared.root, recursive=True)
        shared.put(folder, "")

    def ask_to_stop(*_: Any) -> None:
        (folder / STOP).touch()
        if shared:
            shared.put(folder / STOP, STOP)

    join_cluster(address)
    signal.signal(signal.SIGTERM, ask_to_stop)  # now: Ray puts a handler of its own there
    ended = threading.Event()
    copying = every(LOOK_S, lambda: shared.get(PROGRESS, folder / PROGRESS), ended) if shared else None
    trainer = TorchTrainer(
        work,
        train_loop_config={
            "folder": str(folder),
            "storage": url,
            "device": device,
            "checkpoint_s": checkpoint_s,
        },
        scaling_config=ScalingConfig(
            num_workers=(1, workers) if workers > 1 else 1, use_gpu=choose_device(device).type == "cuda"
        ),
        run_config=RunConfig(
            name="ray", storage_path=url or str(folder), failure_config=FailureConfig(max_failures=FAILURES)
        ),
    )
    try:
        trainer.fit()
    except Exception as error:
        if not (shared.get(ERROR, folder / ERROR) if shared else (folder / ERROR).exists()):
            raise RuntimeError(f"The training was lost on the cluster {FAILURES + 1} times: {error}") from error
    finally:
        ended.set()
        if copying:
            copying.join(30)
        ray.shutdown()
    if shared:
        shared.get(VERSION, folder / VERSION)
        shared.get(ERROR, folder / ERROR)
        if not (folder / VERSION).is_dir():
            shared.get(CHECKPOINTS, folder / CHECKPOINTS)
        shared.files.rm(shared.root, recursive=True)
    if (folder / ERROR).exists():
        return 1
    return 0 if (folder / VERSION).is_dir() else STOPPED


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("device", choices=("auto", "cpu", "cuda"))
    parser.add_argument("--address", default="")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--storage", default="")
    parser.add_argument("--checkpoint-s", type=float, default=60.0)
    chosen = parser.parse_args()
    await_job(chosen.folder)
    try:
        sys.exit(
            run(
                chosen.folder.resolve(),
                chosen.device,
                chosen.address,
                chosen.workers,
                chosen.storage,
                chosen.checkpoint_s,
            )
        )
    except Exception as error:
        (chosen.folder / ERROR).write_text(f"{type(error).__name__}: {error}", encoding="utf-8")
        raise


if __name__ == "__main__":
    main()
