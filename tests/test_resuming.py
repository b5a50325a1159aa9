"""A run that is stopped goes on where it was, and ends as an unbroken one does."""

import os
import random
import signal
import subprocess
import sys
import time

import pytest
import torch
from safetensors.torch import load_file

from models.batches import TrainingError
from models.child import ERROR, STOPPED, read_progress
from models.folders import ADAPTER, WEIGHTS, read_card, write_rows
from models.resuming import Interrupted, SeededLengths, latest_checkpoint
from models.trainer import RowTrainer
from models.training import train
from settings import PROJECT
from tests.conftest import rows_of


class StopAfter:
    """As a SIGTERM would: asks the run to stop once so many steps are made."""

    def __init__(self, steps):
        self.left = steps

    def is_set(self):
        self.left -= 1
        return self.left <= 0


def test_pairs_stay_in_one_batch_whatever_is_single():
    lengths = [random.Random(i).randrange(5, 40) for i in range(61)]
    pairs = [i // 2 if i < 40 else None for i in range(61)]
    sampler = SeededLengths(8, lengths, 3, pairs)
    orders = []
    for epoch in (0, 1, 0):
        sampler.set_epoch(epoch)
        orders.append(list(sampler))
        batches = [set(orders[-1][i : i + 8]) for i in range(0, 61, 8)]
        assert sorted(orders[-1]) == list(range(61))
        assert all(any({2 * k, 2 * k + 1} <= batch for batch in batches) for k in range(20))
    assert orders[0] == orders[2] != orders[1]


def test_rows_without_pairs_go_by_length_alone():
    lengths = [random.Random(i).randrange(5, 40) for i in range(61)]
    plain, unpaired = SeededLengths(8, lengths, 3), SeededLengths(8, lengths, 3, [None] * 61)
    assert list(plain) == list(unpaired)


def weights(version):
    return load_file(version / (WEIGHTS if (version / WEIGHTS).exists() else ADAPTER))


@pytest.mark.parametrize(
    ("stop_after", "options"),
    [
        pytest.param(5, {"dropout": 0.1, "word_dropout": 0.2, "accumulation": 2}, id="lora within an epoch"),
        pytest.param(8, {"dropout": 0.1}, id="lora between epochs"),
        pytest.param(7, {"method": "full", "dropout": 0.1, "adversarial": 0.5}, id="full"),
        pytest.param(7, {"patience": 2, "check_steps": 3}, id="with early stopping"),
        pytest.param(7, {"anchored": 0.5}, id="before it is anchored"),
        pytest.param(15, {"anchored": 0.5}, id="as it is anchored"),
        pytest.param(17, {"anchored": 0.5, "patience": 2, "check_steps": 3}, id="after it is anchored"),
    ],
)
def test_resumed_run_ends_with_the_weights_of_an_unbroken_one(job, stop_after, options):
    rows = rows_of(count=15, distil=True)
    if options.get("anchored"):
        rows[:8] = [{**row, "distil": False} for row in rows[:8]]
    unbroken, broken = (
        job(rows, folder=name, **{"epochs": 5, "batch_size": 4, **options}) for name in ("unbroken", "broken")
    )
    for folder in (unbroken, broken):
        write_rows(folder / "twins.jsonl", rows_of(count=30)[20:])
    expected = weights(train(unbroken, "cpu"))
    with pytest.raises(Interrupted, match=f"after step {stop_after}"):
        train(broken, "cpu", StopAfter(stop_after))
    torch.rand(7)  # whatever happens in between
    found = weights(train(broken, "cpu"))
    assert expected.keys() == found.keys()
    assert all(torch.equal(expected[name], found[name]) for name in expected)
    steps = [[row["step"] for row in read_progress(folder)] for folder in (unbroken, broken)]
    assert steps[0] == steps[1]


def test_resumed_run_counts_the_rows_of_its_own_steps(job, capsys):
    folder = job(rows_of(count=8), epochs=5, batch_size=4)
    with pytest.raises(Interrupted):
        train(folder, "cpu", StopAfter(7))
    train(folder, "cpu")
    training = read_card(folder / "version")["training"]
    assert training["steps"] == 10
    assert "Trained 12 row-passes" in capsys.readouterr().out  # of 40


def test_checkpoint_that_was_cut_off_is_passed_over(job):
    folder = job(rows_of(), epochs=5, batch_size=4)
    with pytest.raises(Interrupted):
        train(folder, "cpu", StopAfter(3))
    whole = latest_checkpoint(folder / "checkpoints")
    cut = folder / "checkpoints" / "checkpoint-9"
    cut.mkdir()
    (cut / "trainer_state.json").write_text("{")
    assert latest_checkpoint(folder / "checkpoints") == whole
    assert read_card(train(folder, "cpu"))["training"]["steps"] == 10


def test_sigterm_leaves_a_checkpoint(job):
    folder = job(rows_of(), epochs=1000)
    child = subprocess.Popen(
        [sys.executable, "-m", "models.training", str(folder), "cpu"],
        cwd=PROJECT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while child.poll() is None and not read_progress(folder):
        time.sleep(0.05)
    os.kill(child.pid, signal.SIGTERM)
    assert child.wait(60) == STOPPED
    assert (folder / "checkpoints").is_dir()
    assert latest_checkpoint(folder / "checkpoints")
    assert not (folder / "version").exists()
    assert not (folder / ERROR).exists()


def test_out_of_memory_halves_the_batch_and_says_so(job, monkeypatch, capsys):
    step = RowTrainer._step

    def small_machine(self, model, inputs, *more, **named):
        if len(inputs["input_ids"]) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        return step(self, model, inputs, *more, **named)

    monkeypatch.setattr(RowTrainer, "_step", small_machine)
    card = read_card(train(job(rows_of(), epochs=3, batch_size=8), "cpu"))
    assert (card["recipe"]["batch_size"], card["recipe"]["accumulation"]) == (2, 4)
    assert card["training"]["steps"] == 3
    assert "Out of memory; goes on with 2 rows a batch and 4 batches a step." in capsys.readouterr().out


def test_one_row_that_does_not_fit_ends_the_run_with_advice(job, monkeypatch):
    def no_memory(*_, **__):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes.")

    monkeypatch.setattr(RowTrainer, "_step", no_memory)
    with pytest.raises(TrainingError, match="Lower max_tokens"):
        train(job(rows_of(), batch_size=4), "cpu")


def test_nan_names_the_rows_of_its_batch(job, monkeypatch):
    monkeypatch.setattr(RowTrainer, "_step", lambda *_, **__: torch.tensor(float("nan")))
    rows = rows_of(count=1)
    folder = job(rows)
    with pytest.raises(TrainingError, match="became nan at step 1; lower the learning rate") as error:
        train(folder, "cpu")
    said = str(error.value).lower()
    words = {word.strip(".,").lower() for word in rows[0]["premise"].split()}
    assert sum(word in said for word in words) >= len(words) // 2
    assert not (folder / "version").exists()
