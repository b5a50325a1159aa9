"""The live version answers; a promotion swaps it without a failed request."""

import dataclasses
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from data.versions import live_version, promote_version, roll_back
from models.folders import CARD, WEIGHTS
from models.serving import Serving
from tests.conftest import connecting, nli


@pytest.fixture
def serving(tiny_settings):
    serving = Serving(tiny_settings, connecting(tiny_settings))
    yield serving
    serving.stop()


def test_live_version_answers(serving, tiny_store):
    served = serving.predict("nli", nli())
    assert served.version_id == live_version(tiny_store, "nli")
    assert sum(served.prediction.probabilities) == pytest.approx(1)


def test_another_version_answers_on_request(serving, add_model):
    other = add_model(1)
    assert serving.predict("nli", nli(), other).version_id == other
    assert serving.predict("nli", nli()).version_id != other


def test_unknown_version_is_an_error(serving):
    with pytest.raises(ValueError, match="no version 'nli-v9'"):
        serving.predict("nli", nli(), "nli-v9")


def test_promotion_takes_over_at_the_next_refresh(serving, tiny_store, add_model):
    serving.refresh()
    before, other = live_version(tiny_store, "nli"), add_model(1)
    promote_version(tiny_store, other, by="ann")
    assert serving.predict("nli", nli()).version_id == before
    serving.refresh()
    assert serving.predict("nli", nli()).version_id == other
    roll_back(tiny_store, "nli", by="ann")
    serving.refresh()
    assert serving.predict("nli", nli()).version_id == before


def test_no_request_fails_while_versions_swap(serving, tiny_store, add_model):
    versions = [live_version(tiny_store, "nli"), add_model(1)]
    serving.refresh()
    swapped = threading.Event()

    def ask(_):
        answers = []
        while not (swapped.is_set() and answers):
            answers.append(serving.predict("nli", nli()))
        return answers

    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(ask, i) for i in range(4)]
        for _ in range(5):
            for version in reversed(versions):
                promote_version(tiny_store, version, by="ann")
                serving.refresh()
        swapped.set()
        answers = [answer for future in asked for answer in future.result()]
    by_version = {}
    for answer in answers:
        by_version.setdefault(answer.version_id, answer.prediction.probabilities)
        assert answer.prediction.probabilities == pytest.approx(by_version[answer.version_id], abs=1e-5)
    assert set(by_version) <= set(versions)


@pytest.mark.parametrize("damage", ["card", "weights", "folder"])
def test_version_that_cannot_be_loaded_leaves_the_old_one_answering(
    serving, tiny_settings, tiny_store, add_model, tmp_path, damage
):
    serving.refresh()
    before, broken = live_version(tiny_store, "nli"), add_model(1)
    folder = tiny_settings.versions / "nli" / broken
    if damage == "card":
        (folder / CARD).write_text("{")
    elif damage == "weights":
        (tmp_path / "other-1" / WEIGHTS).write_bytes(b"")
    else:
        folder.rename(tmp_path / "gone")
    promote_version(tiny_store, broken, by="ann")
    serving.refresh()
    assert serving.predict("nli", nli()).version_id == before
    assert f"{broken} cannot be loaded" in serving.problems["nli"]
    assert f"{before} goes on answering" in serving.problems["nli"]
    roll_back(tiny_store, "nli", by="ann")
    serving.refresh()
    assert serving.problems == {}


def test_loaded_versions_are_bounded_by_memory(tiny_settings, serving, add_model):
    """A budget of zero keeps the live version and the last other one that was asked for."""
    serving.settings = dataclasses.replace(tiny_settings, model_memory_mib=0)
    serving.refresh()
    live = {engine.version_id for engine in serving.engines}
    versions = [add_model(seed) for seed in range(1, 4)]
    for version in versions:
        assert serving.predict("nli", nli(), version).version_id == version
        assert {engine.version_id for engine in serving.engines} == live | {version}
    assert serving.predict("nli", nli(), versions[0]).version_id == versions[0]


def test_thread_serves_what_is_promoted(serving, tiny_store, add_model):
    thread = serving.start(every_s=0.01)
    other = add_model(1)
    promote_version(tiny_store, other, by="ann")
    for _ in range(6000):  # a crowded machine loads slowly
        serving.predict("nli", nli())
        if other in serving.live:  # asked before the thread has loaded what was live, it is loaded beside
            break
        thread.join(0.01)
    assert serving.predict("nli", nli()).version_id == other
    serving.stop()
    thread.join(10)
    assert not thread.is_alive()


def test_serving_on_ray_says_what_it_lacks(tiny_settings, monkeypatch):
    monkeypatch.setattr("models.replicas.find_spec", lambda name: None)
    with pytest.raises(RuntimeError, match=r"Expected Ray .*pip install -r requirements-ray\.txt"):
        Serving(dataclasses.replace(tiny_settings, serving="ray"), lambda: None)
    with pytest.raises(RuntimeError, match=r"a cluster's own address.*found 'ray://head:10001'"):
        Serving(dataclasses.replace(tiny_settings, serving="ray", ray_address="ray://head:10001"), lambda: None)
