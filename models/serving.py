"""The live predictors of a running app: load first, then swap."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sqlite_utils import Database

from data.tasks import Example
from data.versions import live_version, live_versions
from models.device import choose_device
from models.encoder import EncoderError
from models.folders import CheckpointError
from models.predictor import Prediction, Predictor
from models.registry import folder_of
from settings import Settings

KEPT = 4
"""How many versions beside the live ones stay loaded."""

log = logging.getLogger("blindspot.serving")


@dataclass(frozen=True)
class Served:
    prediction: Prediction
    version_id: str
    milliseconds: float


class Serving:
    """Answers with the live version of each task, and with any other version on request.

    `connect()` gives the calling thread its store. A promoted version is loaded beside the old one and then
    takes its place; where it cannot be loaded the old one stays and `problems[task]` says why.
    """

    def __init__(self, settings: Settings, connect: Callable[[], Database]) -> None:
        self.settings = settings
        self.connect = connect
        self.device = choose_device(settings.device)
        self.problems: dict[str, str] = {}
        self._live: dict[str, Predictor] = {}
        self._others: OrderedDict[str, Predictor] = OrderedDict()
        self._loading = threading.Lock()
        self._stop = threading.Event()

    @property
    def loaded(self) -> set[str]:
        """The tasks whose live version answers."""
        return set(self._live)

    def predict(self, task: str, example: Example, version_id: str | None = None) -> Served:
        """Raises ValueError, CheckpointError or EncoderError with a message for the person."""
        predictor = self.predictor(task, version_id)
        start = time.perf_counter()
        prediction = predictor.predict([example])[0]
        return Served(prediction, predictor.version_id, 1000 * (time.perf_counter() - start))

    def predictor(self, task: str, version_id: str | None = None) -> Predictor:
        """The loaded predictor of a version; of the live one where `version_id` is None."""
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

    def start(self, every_s: float = 1.0) -> threading.Thread:
        """Refreshes in a thread, at once and then every second, until `stop`."""

        def loop() -> None:
            while not self._stop.is_set():
                try:
                    self.refresh()
                except Exception:
                    log.exception("refresh failed")
                self._stop.wait(every_s)

        thread = threading.Thread(target=loop, name="serving", daemon=True)
        thread.start()
        return thread

    def stop(self) -> None:
        self._stop.set()

    def _load(self, version_id: str) -> Predictor:
        with self._loading:
            for predictor in (*self._live.values(), *self._others.values()):
                if predictor.version_id == version_id:
                    if version_id in self._others:
                        self._others.move_to_end(version_id)
                    return predictor
            folder: Path = folder_of(self.settings, self.connect(), version_id)
            predictor = Predictor.load(folder, self.device)
            self._others[version_id] = predictor
            while len(self._others) > KEPT:
                self._others.popitem(last=False)
            return predictor
