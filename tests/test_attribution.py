"""Word scores add up to the label's logit and read as the text did."""

import pytest

from data.tasks import TASKS
from data.versions import live_version
from models.attribution import integrated_gradients
from models.predictor import Predictor
from models.registry import folder_of
from tests.conftest import nli

EXAMPLES = {
    "nli": nli("  The actor  paid\nthe doctor.", "The doctor didn't pay!"),
    "sentiment": {"text": "I can't say that the crew is ridiculous; I loved it."},
    "commonsense": {
        "context": "It rains.",
        "question": "What helps?",
        "choices": ["a hat", "an old umbrella", "ice"],
    },
}


@pytest.fixture
def predictor(tiny_settings, tiny_store):
    return lambda task: Predictor.load(folder_of(tiny_settings, tiny_store, live_version(tiny_store, task)))


@pytest.mark.parametrize("name", TASKS)
def test_scores_add_up_to_the_logit(predictor, name):
    found = integrated_gradients(predictor(name), EXAMPLES[name], 1, steps=64)
    assert found.attributed == pytest.approx(found.total, rel=0.05, abs=0.01)


@pytest.mark.parametrize("name", TASKS)
def test_words_carry_the_whole_of_it(predictor, name):
    found = integrated_gradients(predictor(name), EXAMPLES[name], 1)
    total = sum(word.score for segment in found.segments for word in segment)
    assert total == pytest.approx(found.attributed, abs=1e-4)


@pytest.mark.parametrize("name", TASKS)
def test_words_join_back_to_the_texts_that_were_read(predictor, name):
    found = integrated_gradients(predictor(name), EXAMPLES[name], 1)
    pair = TASKS[name].text_pairs(EXAMPLES[name])[1 if name == "commonsense" else 0]
    assert ["".join(word.text for word in segment) for segment in found.segments] == [
        t for t in pair if t is not None
    ]


def test_each_word_stands_alone(predictor):
    found = integrated_gradients(predictor("nli"), EXAMPLES["nli"], 0)
    assert [word.text.strip() for word in found.segments[1]] == ["The", "doctor", "didn't", "pay!"]


def test_labels_have_scores_of_their_own(predictor):
    tiny = predictor("nli")
    first, second = (integrated_gradients(tiny, nli(), label) for label in (0, 1))
    assert first.segments != second.segments


def test_answers_are_the_same_afterwards(predictor):
    tiny = predictor("nli")
    before = tiny.predict([nli()])
    integrated_gradients(tiny, nli(), 0)
    assert tiny.predict([nli()]) == before


def test_text_over_the_window_is_cut_not_refused(predictor):
    found = integrated_gradients(predictor("sentiment"), {"text": "dog " * 300 + "end"}, 0)
    assert found.segments[0][-1].score == 0


def test_unknown_label_is_refused(predictor):
    with pytest.raises(ValueError, match="an index from 0 to 2; found 3"):
        integrated_gradients(predictor("nli"), nli(), 3)
