"""Concurrent probes are computed together, each gets its own answer, and a bad one harms no other."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from data.seed import seed_rows
from data.tasks import TASKS
from models import engine as engine_module
from models.batching import Batcher, Waiting, choose_batch
from models.device import has_bf16
from models.engine import TOLERANCE, Engine
from models.inputs import Encoded
from models.packing import PackedBertLayer, pack
from models.predictor import Predictor
from models.registry import folder_of


@pytest.fixture
def predictor(tiny_settings, tiny_store):
    return Predictor.load(folder_of(tiny_settings, tiny_store, live(tiny_store, "nli")))


def live(store, task):
    from data.versions import live_version

    return live_version(store, task)


@pytest.fixture
def batcher():
    seen = []
    batcher = Batcher(workers=2, cores=2, window_s=0.02, observe=lambda rows, seconds: seen.append(rows))
    batcher.seen = seen
    yield batcher
    batcher.stop()


def rows(count):
    return [row["example"] for row in seed_rows(TASKS["nli"], "validation")][:count]


def waiting(engine, length):
    encoded = Encoded.__new__(Encoded)
    object.__setattr__(encoded, "input_ids", [[1] * length])
    return Waiting(engine, encoded)


def test_each_asker_gets_its_own_answer(batcher, predictor):
    engine, asked = Engine(predictor, threads=2), rows(60)
    with ThreadPoolExecutor(16) as pool:
        futures = list(pool.map(lambda example: batcher.submit(engine, example), asked))
    for said, expected in zip(futures, predictor.predict(asked), strict=True):
        assert said.result(30).probabilities == pytest.approx(expected.probabilities, abs=1e-5)
    assert sum(batcher.seen) == 60
    assert len(batcher.seen) < 60


def test_batch_has_one_version_and_like_lengths():
    first, other = object(), object()
    lengths = [(first, 10), (first, 90), (other, 10), (first, 12), (first, 11)]
    queue = [waiting(engine, length) for engine, length in lengths]
    batch = choose_batch(queue, most_tokens=40)
    assert [w.encoded.length for w in batch] == [10, 11, 12]
    assert {w.engine for w in batch} == {first}


def test_oldest_is_always_in_the_next_batch():
    engine = object()
    queue = [waiting(engine, length) for length in (400, 5, 5, 5)]
    assert choose_batch(queue, most_tokens=64) == [queue[0]]  # longer than a batch should be: alone


def test_failing_row_fails_alone(batcher, predictor, monkeypatch):
    engine, asked = Engine(predictor, threads=2), rows(8)
    (bad,) = predictor.encode(asked[:1])
    answers = Engine.answer

    def answer(self, encoded, thread=0):
        if any(e.input_ids == bad.input_ids for e in encoded):
            raise RuntimeError("cannot be computed")
        return answers(self, encoded, thread)

    monkeypatch.setattr(Engine, "answer", answer)
    futures = [batcher.submit(engine, example) for example in asked]
    with pytest.raises(RuntimeError, match="cannot be computed"):
        futures[0].result(30)
    assert all(len(future.result(30).probabilities) == 3 for future in futures[1:])


def test_few_wait_for_the_batch_before_them(predictor, monkeypatch):
    engine, asked, seen = Engine(predictor, threads=2), rows(4), []
    batcher = Batcher(workers=2, cores=2, beside_s=600, observe=lambda rows, seconds: seen.append(rows))
    begun, go_on, answers = threading.Event(), threading.Event(), Engine.answer

    def answer(self, encoded, thread=0):
        begun.set()
        assert go_on.wait(60)
        return answers(self, encoded, thread)

    monkeypatch.setattr(Engine, "answer", answer)
    futures = [batcher.submit(engine, asked[0])]
    assert begun.wait(60)
    futures += [batcher.submit(engine, example) for example in asked[1:]]
    go_on.set()
    assert all(len(future.result(60).probabilities) == 3 for future in futures)
    batcher.stop()
    assert seen == [1, 3]


def test_stop_answers_what_waits(predictor):
    batcher = Batcher(workers=1, cores=1)
    futures = [batcher.submit(Engine(predictor, 1), example) for example in rows(5)]
    batcher.stop()
    assert all(future.done() for future in futures)
    with pytest.raises(RuntimeError, match="stopping"):
        batcher.submit(Engine(predictor, 1), rows(1)[0])


def test_replicas_share_the_weights_and_compute_side_by_side(predictor):
    replica = predictor.replica()
    mine, theirs = (next(p.model.parameters()) for p in (predictor, replica))
    assert mine.data_ptr() == theirs.data_ptr()
    with predictor.lock:  # as while somebody asks why
        done = []
        thread = threading.Thread(target=lambda: done.append(replica.predict(rows(1))))
        thread.start()
        thread.join(30)
    assert done


@pytest.mark.parametrize("task", TASKS)
def test_bfloat16_serves_where_it_is_close_and_faster(tiny_settings, tiny_store, monkeypatch, task):
    predictor = Predictor.load(folder_of(tiny_settings, tiny_store, live(tiny_store, task)))
    monkeypatch.setattr(engine_module, "has_bf16", lambda device: True)
    monkeypatch.setattr(engine_module, "is_close_and_faster", lambda exact, other: True)
    if not has_bf16(predictor.device):  # oneDNN refuses to pack it there
        monkeypatch.setattr(engine_module, "pack", lambda model: model)
    engine = Engine(predictor, threads=2)
    assert (engine.precision, engine.is_settled) == ("fp32", False)  # it answers before it has tried
    engine.settle()
    assert (engine.precision, engine.is_settled) == ("bf16", True)
    assert {next(r.model.parameters()).dtype for r in engine.replicas} == {torch.bfloat16}
    examples = [row["example"] for row in seed_rows(TASKS[task], "validation")[:8]]
    for said, exact in zip(engine.answer(predictor.encode(examples)), predictor.predict(examples), strict=True):
        assert said.probabilities == pytest.approx(exact.probabilities, abs=0.1)
    assert Engine(predictor, 1, precision="fp32").is_settled


@pytest.mark.parametrize("task", TASKS)
def test_packed_model_answers_as_before(tiny_settings, tiny_store, task):
    predictor = Predictor.load(folder_of(tiny_settings, tiny_store, live(tiny_store, task)))
    packed = predictor.replica(torch.float32)
    pack(packed.model)
    assert any(isinstance(part, PackedBertLayer) for part in packed.model.modules())
    assert not any(isinstance(part, torch.nn.Linear) for part in packed.model.modules())
    examples = [row["example"] for row in seed_rows(TASKS[task], "validation")[:8]]
    for said, exact in zip(packed.predict(examples), predictor.predict(examples), strict=True):
        assert said.probabilities == pytest.approx(exact.probabilities, abs=1e-4)


def test_layer_with_another_activation_is_packed_product_by_product(predictor):
    replica = predictor.replica(torch.float32)
    for layer in replica.model.bert.encoder.layer:
        layer.attention.self.config.hidden_act = "relu"
        layer.intermediate.intermediate_act_fn = torch.nn.ReLU()
    expected = replica.predict(rows(4))
    pack(replica.model)
    assert not any(isinstance(part, PackedBertLayer) for part in replica.model.modules())
    for said, exact in zip(replica.predict(rows(4)), expected, strict=True):
        assert said.probabilities == pytest.approx(exact.probabilities, abs=1e-4)


def test_replicas_share_packed_weights(predictor):
    packed = predictor.replica(torch.float32)
    pack(packed.model)
    mine, theirs = ({id(buffer) for buffer in p.model.buffers()} for p in (packed, packed.replica()))
    assert mine == theirs


def test_format_whose_answers_differ_is_not_taken(predictor):
    other = predictor.replica(torch.float32)
    with torch.no_grad():
        other.model.classifier.bias += 1 + torch.arange(3) * 50 * TOLERANCE
    assert not engine_module.is_close_and_faster(predictor, other)
