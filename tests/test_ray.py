"""Training on a cluster of two nodes, of which one is lost, and by torchrun: the job ends right."""

import json
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from models.child import ERROR, STOPPED, read_progress
from models.executor import jobs_at_once, training_command
from models.folders import read_card
from models.predictor import Predictor
from models.resuming import latest_checkpoint
from settings import PROJECT, Settings
from tests.conftest import nli, rows_of

LIMIT_S = 300


def until(true, process=None):
    limit = time.monotonic() + LIMIT_S
    while not true():
        assert time.monotonic() < limit
        assert process is None or process.poll() is None
        time.sleep(0.1)


def start(folder, *options):
    log = (folder / "train.log").open("ab")
    command = [sys.executable, "-m", "models.ray_training", str(folder), "cpu", "--checkpoint-s", "0.5", *options]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "RAY_DEDUP_LOGS": "0"}
    return subprocess.Popen(command, cwd=PROJECT, stdout=log, stderr=log, env=environment)


def assert_learnt(folder, steps):
    card = read_card(folder / "version")
    assert (card["id"], card["training"]["steps"]) == ("nli-v1", steps)
    assert read_progress(folder)[-1]["step"] == steps
    assert len(Predictor.load(folder / "version").predict([nli()])[0].probabilities) == 3


def test_command_follows_the_settings(tmp_path):
    cpu = Settings(device="cpu")
    assert training_command(cpu, tmp_path) == ["models.training", str(tmp_path), "cpu"]
    several = training_command(Settings(device="cuda", train_workers=2), tmp_path)
    assert several[:3] == ["torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    cluster = Settings(executor="ray", ray_address="head:6379", train_workers=3, ray_jobs=5)
    command = training_command(cluster, tmp_path)
    assert command[0] == "models.ray_training"
    assert command[command.index("--workers") + 1] == "3"
    assert command[command.index("--address") + 1] == "head:6379"
    assert jobs_at_once(cpu, []) == [None]
    assert jobs_at_once(Settings(), ["0", "1"]) == ["0", "1"]
    assert jobs_at_once(Settings(train_workers=2), ["0", "1"]) == [None]
    assert jobs_at_once(cluster, ["0", "1"]) == [None] * 5


def test_two_processes_train_one_version(job):
    general = rows_of(count=16, distil=True)[8:]
    folder = job(rows_of() + general, epochs=20, batch_size=8, anchored=0.1)
    command = training_command(Settings(device="cpu", train_workers=2), folder)
    subprocess.run([sys.executable, "-m", *command], cwd=PROJECT, check=True, timeout=LIMIT_S, capture_output=True)
    assert_learnt(folder, 40)
    assert read_card(folder / "version")["training"]["processes"] == 2


@pytest.fixture(scope="module")
def cluster():
    pytest.importorskip("ray", reason="pip install -r requirements-ray.txt")
    from ray.cluster_utils import Cluster

    memory = {"object_store_memory": 100 * 2**20}
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False, **memory})
    made.add_node(num_cpus=1, **memory)
    made.wait_for_nodes()
    yield made
    made.shutdown()


def train_workers():
    """The processes of the cluster that train."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        if any("RayTrainWorker" in part for part in process.info["cmdline"] or []):
            found.append(process)
    return found


@pytest.mark.ray
@pytest.mark.parametrize("shared", [True, False], ids=["shared folder", "copied by fsspec"])
def test_job_outlives_a_killed_worker(cluster, job, tmp_path, shared):
    folder = job(rows_of(), epochs=200, batch_size=4)
    storage = [] if shared else ["--storage", f"file://{tmp_path}/storage"]
    driver = start(folder, "--address", cluster.address, "--workers", "2", *storage)
    checkpoints = (folder if shared else tmp_path / "storage" / folder.name) / "checkpoints"
    until(lambda: latest_checkpoint(checkpoints), driver)
    train_workers()[0].send_signal(signal.SIGKILL)
    assert driver.wait(LIMIT_S) == 0, (folder / "train.log").read_text()[-3000:]
    assert_learnt(folder, 400)
    steps = [json.loads(line)["step"] for line in (folder / "progress.jsonl").read_text().splitlines()]
    assert steps.count(1) == 1  # it went on from the checkpoint


@pytest.mark.ray
def test_job_stops_with_a_checkpoint_and_goes_on(cluster, job):
    folder = job(rows_of(), epochs=1000, batch_size=4)
    driver = start(folder, "--address", cluster.address, "--workers", "2")
    until(lambda: read_progress(folder), driver)
    driver.terminate()
    assert driver.wait(LIMIT_S) == STOPPED, (folder / "train.log").read_text()[-3000:]
    assert latest_checkpoint(folder / "checkpoints")
    assert not (folder / "version").exists()


@pytest.mark.ray
def test_error_of_the_training_is_told_once(cluster, job):
    folder = job(rows_of(), epochs=1)
    (folder / "train.jsonl").write_text(json.dumps({"premise": "A."}) + "\n")
    driver = start(folder, "--address", cluster.address)
    assert driver.wait(LIMIT_S) == 1
    assert "Hypothesis is empty" in (folder / ERROR).read_text()


@pytest.mark.ray
def test_absent_cluster_is_named(job):
    pytest.importorskip("ray", reason="pip install -r requirements-ray.txt")
    folder = job(rows_of())
    assert start(folder, "--address", "127.0.0.1:1").wait(LIMIT_S) == 1
    assert "Expected a Ray cluster at 127.0.0.1:1" in (folder / ERROR).read_text()


@pytest.mark.ray
def test_node_that_is_lost_leaves_the_job_to_the_other(cluster, job):
    folder = job(rows_of(), epochs=200, batch_size=4)
    driver = start(folder, "--address", cluster.address, "--workers", "2")
    until(lambda: len(read_progress(folder)) > 5, driver)
    cluster.remove_node(next(iter(cluster.worker_nodes)), allow_graceful=False)
    assert driver.wait(LIMIT_S) == 0, (folder / "train.log").read_text()[-3000:]
    assert_learnt(folder, 400)
    assert read_card(folder / "version")["training"]["processes"] == 1
