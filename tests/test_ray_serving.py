"""Live versions answer in replicas on a cluster; what becomes of those, every probe is answered."""

import dataclasses
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from data.seed import seed_rows
from data.store import open_store
from data.tasks import TASKS
from data.versions import live_version, promote_version
from models.engine import TOLERANCE, Engine
from models.predictor import Predictor
from models.registry import folder_of, register_pretrained
from models.replicas import CLUSTER
from models.serving import Serving
from settings import PROJECT
from tests.conftest import connecting, nli

pytestmark = pytest.mark.ray

LIMIT_S = 300


def until(true):
    limit = time.monotonic() + LIMIT_S
    while not true():
        assert time.monotonic() < limit
        time.sleep(0.1)


def rows(count):
    return [row["example"] for row in seed_rows(TASKS["nli"], "validation")][:count]


def start_cluster():
    """A cluster of one machine, on loopback."""
    pytest.importorskip("ray", reason="pip install -r requirements-ray.txt")
    from ray.cluster_utils import Cluster

    options = {"num_cpus": 4, "object_store_memory": 100 * 2**20, "node_ip_address": "127.0.0.1"}
    return Cluster(initialize_head=True, head_node_args={**options, "include_dashboard": False})


@pytest.fixture(autouse=True)
def loopback(monkeypatch):
    """Ray takes the address of the first network for 127.0.0.1, but for clusters on a desktop of one machine."""
    monkeypatch.setenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")


@pytest.fixture(scope="module")
def cluster():
    made = start_cluster()
    yield made
    made.shutdown()


@pytest.fixture
def tiny_settings(settings, tiny_checkpoint):
    """Only inference is live, so that the cluster has one version to answer for."""
    db = open_store(settings.store)
    promote_version(db, register_pretrained(settings, db, "nli", str(tiny_checkpoint)), by="test")
    db.close()
    return dataclasses.replace(settings, serving="ray", ray_replicas=2, precision="fp32")


@pytest.fixture
def serve(tiny_settings):
    """Starts what serves with the cluster at an address; `options` are settings."""
    begun = []

    def start(address, **options):
        settings = dataclasses.replace(tiny_settings, ray_address=address, **options)
        serving = Serving(settings, connecting(settings))
        begun.append(serving)
        serving.refresh()
        serving.start(every_s=0.2)
        until(lambda: serving.replicas.answering == serving.live)
        return serving

    yield start
    for serving in begun:
        serving.stop()


@pytest.fixture
def exact(tiny_settings, tiny_store):
    """The live version, computed here in float32."""
    return Predictor.load(folder_of(tiny_settings, tiny_store, live_version(tiny_store, "nli")))


def replica_processes(version_id):
    """The processes of the cluster that answer for the version."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        line = " ".join(process.info["cmdline"] or [])
        if "ServeReplica" in line and version_id in line:
            found.append(process)
    return found


@pytest.mark.parametrize(
    ("precision", "tolerance", "is_copied"),
    [("fp32", 1e-4, False), ("auto", TOLERANCE, True)],
    ids=["fp32, shared folder", "auto, copied by fsspec"],
)
def test_cluster_answers_as_this_machine_does(
    cluster, serve, exact, tmp_path, monkeypatch, precision, tolerance, is_copied
):
    storage = f"file://{tmp_path}/storage" if is_copied else ""
    serving = serve(cluster.address, precision=precision, ray_storage=storage)
    monkeypatch.setattr(Engine, "answer", lambda *_: pytest.fail("computed here"))
    asked = rows(60)
    with ThreadPoolExecutor(16) as pool:
        said = list(pool.map(lambda example: serving.predict("nli", example), asked))
    for served, expected in zip(said, exact.predict(asked), strict=True):
        assert served.prediction.probabilities == pytest.approx(expected.probabilities, abs=tolerance)
    assert {served.version_id for served in said} == serving.live
    assert serving.problems == {}


def asked_while(serving, clients, act):
    """What so many clients are answered, who ask without a pause while it is done."""
    ended = threading.Event()

    def ask():
        answers = []
        while not (ended.is_set() and answers):
            answers.append(serving.predict("nli", nli()))
        return answers

    with ThreadPoolExecutor(clients) as pool:
        asked = [pool.submit(ask) for _ in range(clients)]
        try:
            act()
        finally:
            ended.set()
        return [answer for future in asked for answer in future.result()]


def assert_exact(answers, exact):
    (expected,) = exact.predict([nli()])
    for answer in answers:
        assert answer.prediction.probabilities == pytest.approx(expected.probabilities, abs=1e-4)


def test_many_who_ask_get_another_replica(cluster, serve, exact):
    serving = serve(cluster.address)
    (version,) = serving.live
    answers = asked_while(serving, 48, lambda: until(lambda: len(replica_processes(version)) == 2))
    assert_exact(answers, exact)


def test_promotion_swaps_without_a_failed_request(cluster, serve, tiny_store, add_model):
    serving = serve(cluster.address)
    before, after = live_version(tiny_store, "nli"), add_model(1)

    def promote():
        promote_version(tiny_store, after, by="ann")
        until(lambda: serving.replicas.answering == {after} and not replica_processes(before))

    answers = asked_while(serving, 4, promote)
    by_version = {}
    for answer in answers:
        first = by_version.setdefault(answer.version_id, answer.prediction.probabilities)
        assert answer.prediction.probabilities == pytest.approx(first, abs=1e-4)
    assert set(by_version) == {before, after}
    assert serving.predict("nli", nli()).version_id == after
    assert serving.problems == {}


def test_killed_replica_is_replaced_and_nothing_is_lost(cluster, serve, exact):
    serving = serve(cluster.address)
    (version,) = serving.live
    killed = replica_processes(version)
    assert killed

    def kill():
        for process in killed:
            process.send_signal(signal.SIGKILL)
        until(lambda: not any(process.is_running() for process in killed))
        until(lambda: replica_processes(version) and version in serving.replicas.answering)

    assert_exact(asked_while(serving, 4, kill), exact)


def test_absent_cluster_ends_the_start_with_a_message(tiny_settings):
    pytest.importorskip("ray", reason="pip install -r requirements-ray.txt")
    options = ["--workspace", str(tiny_settings.workspace), "--serving", "ray", "--ray-address", "127.0.0.1:1"]
    ended = subprocess.run(
        [sys.executable, "app.py", *options, "--port", "0"],
        cwd=PROJECT, capture_output=True, text=True, timeout=LIMIT_S,
    )  # fmt: skip
    assert ended.returncode == 1
    assert "error: Expected a Ray cluster at 127.0.0.1:1; found none that answers" in ended.stderr
    assert "ray start --head" in ended.stderr


def test_lost_cluster_leaves_the_answers_to_this_machine(serve, exact):
    cluster = start_cluster()
    try:
        serving = serve(cluster.address)
    finally:
        cluster.shutdown()
    (expected,) = exact.predict([nli()])
    for _ in range(20):
        served = serving.predict("nli", nli())
        assert served.prediction.probabilities == pytest.approx(expected.probabilities, abs=1e-4)
    told = "answers are computed here: Expected a Ray cluster at"  # after the process that was connected to it
    until(lambda: told in serving.problems.get(CLUSTER, ""))
    assert not serving.replicas.answering
    assert serving.predict("nli", nli()).version_id in serving.live
