"""Replicas of versions under Ray Serve: `python -m models.ray_serving`, the process between the app and the cluster.

The app (`models/replicas.py`) starts it, says on a line of its input what it wants, reads from a line of its output
where to ask, and ends it by closing the input. It is a process of its own since Ray ends whichever process is
connected to a cluster that is gone.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import pickle
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from multiprocessing.managers import BaseManager
from pathlib import Path
from typing import Any

from models.ray_cluster import join_cluster

ANSWERS = "answers"
"""What `Gateway.keep` says of a version whose replicas answer."""
STARTS = "starts"
"""What it says of one whose first replica is on its way."""
FRESH_S = 10.0
"""After so long without a word from the cluster it is taken for lost."""
LOOK_S = 1.0
UNDER_WAY = 2
"""Batches a replica has at once: one that is computed, and the next."""
SCALING = {"target_ongoing_requests": 1, "look_back_period_s": 15, "upscale_delay_s": 5, "downscale_delay_s": 120}
"""A replica is added where more than one batch a replica was under way, in the mean of a few seconds."""


@contextlib.contextmanager
def plain_errors() -> Iterator[None]:
    """Ray's errors as RuntimeError, which the app knows."""
    try:
        yield
    except Exception as error:
        raise RuntimeError(f"{type(error).__name__}: {error}") from None


class Replica:
    """One process of the cluster; answers for one version, on one core or one GPU."""

    def __init__(self, folder: str, storage: str, device: str, precision: str) -> None:
        from models.device import choose_device
        from models.engine import Engine
        from models.predictor import Predictor
        from models.ray_training import Copies

        if storage:
            folder = tempfile.mkdtemp(prefix="blindspot-")
            Copies(storage).get("", Path(folder))
        self.engine = Engine(Predictor.load(Path(folder), choose_device(device)), threads=1, precision=precision)
        if not self.engine.is_settled:
            self.engine.settle()

    def answer(self, encoded: bytes) -> bytes:
        """Predictions for encoded examples, in order, computed as one batch; both pickled."""
        return pickle.dumps(self.engine.answer(pickle.loads(encoded)))  # noqa: S301 the app wrote it


class Gateway:
    """The app's versions on the cluster, an application of Ray Serve each. Its methods may be called side by side.

    Raises RuntimeError where no cluster answers at `address`.
    """

    def __init__(
        self, address: str, workspace: str, device: str, precision: str, most_replicas: int, storage: str
    ) -> None:
        from ray import serve

        join_cluster(address, log_to_driver=False)
        serve.start(proxy_location="Disabled")
        self.device, self.precision, self.most_replicas = device, precision, most_replicas
        self.storage = storage.rstrip("/")
        self.prefix = f"blindspot-{hashlib.sha1(workspace.encode(), usedforsecurity=False).hexdigest()[:8]}-"
        self._handles: dict[str, Any] = {}
        self._seen = time.monotonic()

    @plain_errors()
    def keep(self, folders: dict[str, str]) -> dict[str, str]:
        """Brings these versions, by ids and folders, onto the cluster, and takes others of the workspace off.

        Returns at once; for each version ANSWERS, STARTS or what keeps it from answering. Raises RuntimeError.
        """
        from ray import serve

        applications = {
            name.removeprefix(self.prefix): application
            for name, application in serve.status().applications.items()
            if name.startswith(self.prefix)
        }
        for version_id, application in applications.items():
            if version_id not in folders and application.status != "DELETING":
                serve.delete(self.prefix + version_id, _blocking=False)
        states = {}
        for version_id, folder in folders.items():
            if version_id not in applications:
                self._deploy(version_id, folder)
            states[version_id] = _state(applications.get(version_id))
        self._handles = {
            version_id: self._handles.get(version_id) or serve.get_app_handle(self.prefix + version_id).answer
            for version_id, state in states.items()
            if state == ANSWERS
        }
        self._seen = time.monotonic()
        return states

    @plain_errors()
    def answer(self, version_id: str, encoded: bytes) -> bytes:
        """What a replica answers. Raises RuntimeError where those of the version are lost, or it gives none.

        The bytes are not looked into, so that this process needs no torch.
        """
        handle = self._handles.get(version_id)
        if handle is None:
            raise RuntimeError(f"no replica of {version_id} answers")
        response = handle.remote(encoded)
        while True:
            try:
                return response.result(timeout_s=LOOK_S)
            except TimeoutError:
                if self._handles.get(version_id) is not handle or time.monotonic() - self._seen > FRESH_S:
                    response.cancel()
                    raise RuntimeError(f"the replicas of {version_id} are lost") from None

    def close(self) -> None:
        """Takes the workspace's versions off the cluster."""
        import ray

        with contextlib.suppress(Exception):
            self.keep({})
            self.keep({})  # comes after what the first one asked for
        ray.shutdown()

    def _deploy(self, version_id: str, folder: str) -> None:
        from ray import serve

        from models.ray_training import Copies

        url = f"{self.storage}/versions/{version_id}" if self.storage else ""
        if url:
            Copies(url).put(Path(folder), "")
        deployment = serve.deployment(
            Replica,
            autoscaling_config={"min_replicas": 1, "max_replicas": self.most_replicas, **SCALING},
            max_ongoing_requests=UNDER_WAY,
            health_check_period_s=LOOK_S,
            ray_actor_options={"num_cpus": 1, "num_gpus": int(self.device == "cuda")},
        )
        target = serve.RunTarget(
            deployment.bind(folder, url, self.device, self.precision), self.prefix + version_id, route_prefix=None
        )
        serve.run_many([target], wait_for_ingress_deployment_creation=False, wait_for_applications_running=False)


def _state(application: Any) -> str:
    if application is None:
        return STARTS
    (deployment,) = application.deployments.values() or (None,)
    if deployment and deployment.replica_states.get("RUNNING"):
        return ANSWERS
    message = application.message or (deployment.message if deployment else "")
    return message or STARTS


class Door(BaseManager):
    """Where the app finds the gateway."""


Door.register("gateway", exposed=("keep", "answer"))


def main() -> None:
    said = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what Ray prints goes to the log
    wanted = json.loads(sys.stdin.readline())
    key = bytes.fromhex(wanted.pop("key"))
    try:
        gateway = Gateway(**wanted)
    except Exception as error:
        print(json.dumps({"error": str(error)}), file=said, flush=True)
        raise
    Door.register("gateway", lambda: gateway, exposed=("keep", "answer"))
    server = Door(authkey=key).get_server()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(json.dumps({"address": server.address}), file=said, flush=True)
    sys.stdin.read()  # until the app closes it, or dies
    gateway.close()
    os._exit(0)


if __name__ == "__main__":
    main()
