"""Answers from replicas on a Ray cluster, and from this process wherever those give none."""

from __future__ import annotations

import json
import logging
import pickle
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from models.engine import Engine
from models.predictions import Prediction
from models.ray_serving import ANSWERS, FRESH_S, STARTS, UNDER_WAY, Door
from settings import PROJECT, Settings

LOG = "cluster.log"
CLUSTER = "the cluster"
"""Where `problems` says what is wrong with it."""
AGAIN_S = 15.0
"""After so long a lost cluster is looked for again."""

log = logging.getLogger("blindspot.replicas")


class Replicas:
    """The live versions on the cluster of `settings.ray_address`, which a process of their own speaks to.

    `device` is what each replica computes on, cpu or cuda.
    Raises RuntimeError where Ray is not installed or no cluster answers. Later troubles stand in `problems`.
    """

    def __init__(self, settings: Settings, device: str, problems: dict[str, str]) -> None:
        self.settings, self.device, self.problems = settings, device, problems
        if settings.ray_address.startswith("ray://"):
            raise RuntimeError(
                "Expected for --serving ray a cluster's own address, such as auto or 10.0.0.5:6379; found "
                f"{settings.ray_address!r}. Make this machine one of the cluster: `ray start --address HOST:6379`."
            )
        if find_spec("ray") is None:
            raise RuntimeError(
                "Expected Ray for --serving ray; it is not installed. Run `pip install -r requirements-ray.txt`, "
                "or leave --serving out."
            )
        self._answering: frozenset[str] = frozenset()
        self._told = 0.0
        self._tried = 0.0
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._process: subprocess.Popen[str]
        self._gateway: Any
        self._open()

    @property
    def batches(self) -> int:
        """How many batches under way keep the replicas of one version busy."""
        return UNDER_WAY * self.settings.ray_replicas

    @property
    def answering(self) -> frozenset[str]:
        """The versions that the cluster answers for."""
        return self._answering if time.monotonic() - self._told < FRESH_S else frozenset()

    def answer(self, engine: Engine, encoded: Sequence[Any], thread: int) -> list[Prediction]:
        """One prediction for each, in order; what the cluster does not answer, `engine` does."""
        if engine.version_id in self.answering:
            try:
                answers = self._gateway.answer(engine.version_id, pickle.dumps(list(encoded)))
                return pickle.loads(answers)  # noqa: S301 our own code wrote it, on a cluster that runs it
            except (RuntimeError, OSError, EOFError) as error:
                log.warning("%s: %d rows are answered here: %s", engine.version_id, len(encoded), error)
                self.problems[CLUSTER] = f"{engine.version_id} is answered here: {error}"
        return engine.answer(encoded, thread % engine.threads)

    def keep(self, folders: dict[str, Path]) -> None:
        """Brings these versions onto the cluster, takes others off, and looks which answer; never raises for it."""
        try:
            if self._process.poll() is not None:
                if time.monotonic() - self._tried < AGAIN_S:
                    return
                self._open()
            states = self._gateway.keep({version_id: str(folder) for version_id, folder in folders.items()})
        except Exception as error:
            why = str(error) or f"the process that speaks to it ended; see {self.settings.workspace / LOG}"
            if self._answering:
                log.error("the cluster is lost: %s", why)
            self._answering = frozenset()
            self.problems[CLUSTER] = f"It is lost, answers are computed here: {why}"
            return
        answering = frozenset(version_id for version_id, state in states.items() if state == ANSWERS)
        for version_id in answering - self._answering:
            log.info("%s answers on the cluster now", version_id)
        self._answering, self._told = answering, time.monotonic()
        waiting = {version_id: state for version_id, state in states.items() if state not in (ANSWERS, STARTS)}
        if waiting:
            told = "; ".join(f"{version_id} is answered here: {state}" for version_id, state in waiting.items())
            self.problems[CLUSTER] = told
        else:
            self.problems.pop(CLUSTER, None)

    def start(self, live: Callable[[], dict[str, Path]], every_s: float = 1.0) -> None:
        """Keeps what `live` gives on the cluster, in a thread, until `stop`."""

        def loop() -> None:
            while not self._ended.is_set():
                try:
                    self.keep(live())
                except Exception:
                    log.exception("the cluster was not told of the live versions")
                self._ended.wait(every_s)

        self._thread = threading.Thread(target=loop, name="replicas", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Takes the versions off the cluster."""
        self._ended.set()
        self._answering = frozenset()
        self._process.stdin.close()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
        if self._thread is not None:
            self._thread.join(10)

    def _open(self) -> None:
        """Starts the process that speaks to the cluster. Raises RuntimeError with what it says of the failure."""
        self._tried, key = time.monotonic(), secrets.token_hex(32)
        settings = self.settings
        wanted = {
            "key": key,
            "address": settings.ray_address,
            "workspace": str(settings.workspace),
            "device": self.device,
            "precision": settings.precision,
            "most_replicas": settings.ray_replicas,
            "storage": settings.ray_storage,
        }
        with (settings.workspace / LOG).open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "models.ray_serving"],
                cwd=PROJECT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                text=True,
                start_new_session=True,
            )
        self._process.stdin.write(json.dumps(wanted) + "\n")
        self._process.stdin.flush()
        said = json.loads(self._process.stdout.readline() or "{}")
        if "address" not in said:
            self._process.wait()
            raise RuntimeError(said.get("error") or f"The way to the cluster ended; see {settings.workspace / LOG}.")
        door = Door(said["address"], bytes.fromhex(key))
        door.connect()
        self._gateway = door.gateway()
