"""The live predictors of a running app: load first, then swap."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

import torch
from sqlite_utils import Database

from data.tasks import Example
from data.versions import live_version, live_versions
from models.batching import Batcher, compute_here
from models.device import choose_device, usable_cores
from models.encoder import EncoderError
from models.engine import Engine
from models.folders import CheckpointError
from models.predictor import Prediction, Predictor
from models.registry import folder_of
from models.replicas import Replicas
from models.sharing import trim_memory
from settings import Settings

MOST_THREADS = 8

log = logging.getLogger("blindspot.serving")


@dataclass(frozen=True)
class Served:
    prediction: Prediction
    version_id: str
    milliseconds: float


class Observer:
    """Is told what is answered; this one counts nothing."""

    def probe(self, task: str, seconds: float) -> None: ...

    def batch(self, rows: int, seconds: float) -> None: ...


class Serving:
    """Answers with the live version of each task, and with any other version on request.

    `connect()` gives the calling thread its store. A promoted version is loaded beside the old one, tried once and
    then takes its place; where it cannot be loaded the old one stays and `problems[task]` says why. With
    `settings.serving` `ray` replicas on a cluster answer for it as soon as they are up. Other versions
    stay loaded while all of them fit into `settings.model_memory_mib`; the one asked for longest ago goes first.
    """

    def __init__(
        self,
        settings: Settings,
        connect: Callable[[], Database],
        observer: Observer | None = None,
    ) -> None:
        self.settings = settings
        self.connect = connect
        self.device = choose_device(settings.device)
        self.problems: dict[str, str] = {}
        self.observer = observer or Observer()
        on_cpu = self.device.type == "cpu"
        self.threads = min(usable_cores(), MOST_THREADS) if on_cpu else 1
        self.replicas = Replicas(settings, self.device.type, self.problems) if settings.serving == "ray" else None
        self.batcher = Batcher(
            max(self.threads, self.replicas.batches) if self.replicas else self.threads,
            usable_cores(),
            observe=self.observer.batch,
            compute=self.replicas.answer if self.replicas else compute_here,
        )
        self._live: dict[str, Engine] = {}
        self._others: OrderedDict[str, Engine] = OrderedDict()
        self._loading = threading.Lock()
        self._stop = threading.Event()
        self._watcher: threading.Thread | None = None

    @property
    def loaded(self) -> set[str]:
        """The tasks whose live version answers."""
        return set(self._live)

    @property
    def live(self) -> set[str]:
        """The versions that answer for their tasks."""
        return {engine.version_id for engine in self._live.values()}

    def live_folders(self) -> dict[str, Path]:
        """Where the files of the versions are that answer for their tasks."""
        return {version_id: folder_of(self.settings, self.connect(), version_id) for version_id in self.live}

    @property
    def engines(self) -> list[Engine]:
        """All that is loaded, the live versions first."""
        return list({id(e): e for e in (*self._live.values(), *self._others.values())}.values())

    def predict(self, task: str, example: Example, version_id: str | None = None) -> Served:
        """Raises ValueError, CheckpointError or EncoderError with a message for the person."""
        start = time.perf_counter()
        version, answer = self.submit(task, example, version_id)
        prediction, seconds = answer.result(), time.perf_counter() - start
        return Served(prediction, version, 1000 * seconds)

    def submit(self, task: str, example: Example, version_id: str | None = None) -> tuple[str, Future[Prediction]]:
        """The version that answers, and its prediction to come; raises as `predict` does."""
        engine = self.engine(task, version_id)
        start, answer = time.perf_counter(), self.batcher.submit(engine, example)
        answer.add_done_callback(lambda _: self.observer.probe(task, time.perf_counter() - start))
        return engine.version_id, answer

    def predictor(self, task: str, version_id: str | None = None) -> Predictor:
        """The loaded predictor of a version, in float32; of the live one where `version_id` is None."""
        return self.engine(task, version_id).predictor

    def engine(self, task: str, version_id: str | None = None) -> Engine:
        """What answers for a version; for the live one where `version_id` is None."""
        live = self._live.get(task)
        if version_id is None:
            if live is not None:
                return live
            version_id = live_version(self.connect(), task)
        elif live is not None and live.version_id == version_id:
            return live
        return self._load(version_id)

    def refresh(self) -> None:
        """Loads what was promoted since, and swaps it in; never raises for a version that cannot be loaded."""
        for task, version_id in live_versions(self.connect()).items():
            current = self._live.get(task)
            if current is not None and current.version_id == version_id:
                self.problems.pop(task, None)
                continue
            try:
                self._live[task] = self._load(version_id)
                self.problems.pop(task, None)
                log.info("task %s: %s answers now", task, version_id)
            except (CheckpointError, EncoderError, ValueError) as error:
                kept = f" {current.version_id} goes on answering." if current else ""
                if task not in self.problems:
                    log.error("task %s: %s cannot be loaded: %s", task, version_id, error)
                self.problems[task] = f"{version_id} cannot be loaded: {error}{kept}"

    def settle(self) -> None:
        """Lets one loaded version choose the format it computes in, the live ones first."""
        for engine in self.engines:
            if not engine.is_settled and not self._stop.is_set():
                engine.settle()
                with self._loading:
                    self._shrink()
                trim_memory()
                return

    def start(self, every_s: float = 1.0) -> threading.Thread:
        """Refreshes in a thread, at once and then every second, until `stop`; settles one version each time."""

        def loop() -> None:
            while not self._stop.is_set():
                try:
                    self.refresh()
                    self.settle()
                except Exception:
                    log.exception("refresh failed")
                self._stop.wait(every_s)

        self._watcher = threading.Thread(target=loop, name="serving", daemon=True)
        self._watcher.start()
        if self.replicas is not None:
            self.replicas.start(self.live_folders)
        return self._watcher

    def gpu_bytes(self) -> int:
        """GPU memory that the models take."""
        return torch.cuda.memory_allocated() if self.device.type == "cuda" else 0

    def stop(self) -> None:
        """Answers what was asked, then ends the threads."""
        self._stop.set()
        if self._watcher is not None:  # torch aborts the process that ends while it computes
            self._watcher.join(30)
        self.batcher.stop()
        if self.replicas is not None:
            self.replicas.stop()

    def _load(self, version_id: str) -> Engine:
        with self._loading:
            for engine in self.engines:
                if engine.version_id == version_id:
                    if version_id in self._others:
                        self._others.move_to_end(version_id)
                    return engine
            folder: Path = folder_of(self.settings, self.connect(), version_id)
            engine = Engine(Predictor.load(folder, self.device), self.threads, self.settings.precision)
            self._others[version_id] = engine
            self._shrink()
            return engine

    def _shrink(self) -> None:
        """Lets go of versions that were asked for longest ago, until the rest fit; live ones and the newest stay."""
        budget = self.settings.model_memory_mib * 2**20
        while len(self._others) > 1 and sum(e.size_bytes for e in self.engines) > budget:
            self._others.popitem(last=False)
