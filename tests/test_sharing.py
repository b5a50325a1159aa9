"""What loaded versions have alike is in memory once."""

import gc
import sys
import weakref

import psutil
import pytest
import torch

from models.folders import STARTERS
from models.predictor import Predictor
from models.sharing import share_weights, trim_memory
from tests.conftest import nli


def weights(model):
    return dict(model.named_parameters())


def test_versions_share_what_is_alike_and_answer_as_before():
    first, second, other = (Predictor.load(STARTERS / "nli") for _ in range(3))
    with torch.no_grad():
        weights(other.model)["classifier.weight"].add_(torch.eye(3, 384))
    examples = [nli(), nli("Nobody left.", "A man left.")]
    said = [[p.probabilities for p in one.predict(examples)] for one in (first, second, other)]
    for predictor in (first, second, other):
        share_weights(predictor.model)
    large = "bert.embeddings.word_embeddings.weight"
    assert weights(first.model)[large] is weights(second.model)[large] is weights(other.model)[large]
    assert not torch.equal(weights(first.model)["classifier.weight"], weights(other.model)["classifier.weight"])
    assert [[p.probabilities for p in one.predict(examples)] for one in (first, second, other)] == said


def test_shared_weights_go_with_the_last_version_that_has_them():
    layers = [torch.nn.Linear(256, 256, bias=False) for _ in range(2)]
    with torch.no_grad():
        layers[1].weight.copy_(layers[0].weight)
    for layer in layers:
        share_weights(layer)
    assert layers[0].weight is layers[1].weight
    gone = weakref.ref(layers[0].weight)
    del layers[0]
    assert gone() is not None
    del layers, layer
    gc.collect()
    assert gone() is None


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc gives memory back on demand")
def test_freed_memory_goes_back_to_the_system():
    kept, freed = [], []
    for _ in range(20_000):  # small pieces in turn: what is freed lies between what is not
        freed.append(bytearray(8_000))
        kept.append(bytearray(100))
    freed.clear()
    before = psutil.Process().memory_info().rss
    trim_memory()
    assert psutil.Process().memory_info().rss < before - 50 * 2**20
    assert len(kept) == 20_000
