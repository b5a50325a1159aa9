"""Word scores add up to the label's logit and read as the text did."""

import pytest
import torch

from data.seed import seed_rows
from data.tasks import TASKS
from data.versions import live_version
from models.attribution import gradient_x_input, integrated_gradients, leave_one_out
from models.folders import STARTERS
from models.partial_input import partial_input
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
    "labels": {"text": "Hail broke the panes.", "choices": ["cooking", "bad weather"]},
}


@pytest.fixture
def predictor(tiny_settings, tiny_store):
    return lambda task: Predictor.load(folder_of(tiny_settings, tiny_store, live_version(tiny_store, task)))


@pytest.mark.parametrize("name", EXAMPLES)
def test_scores_add_up_to_the_logit(predictor, name):
    found = integrated_gradients(predictor(name), EXAMPLES[name], 1)
    assert found.attributed == pytest.approx(found.total, rel=0.05, abs=0.02)
    assert found.is_complete


def test_scores_of_a_starter_add_up_too():
    starter = Predictor.load(STARTERS / "nli")
    for row in seed_rows(TASKS["nli"], "gallery")[:3]:
        for label in range(3):
            found = integrated_gradients(starter, row["example"], label)
            assert found.attributed == pytest.approx(found.total, rel=0.05, abs=0.02)


def test_more_steps_are_taken_until_the_scores_add_up(predictor):
    tiny = predictor("nli")
    rough = integrated_gradients(tiny, EXAMPLES["nli"], 1, steps=1)
    assert rough.is_complete


@pytest.mark.parametrize("name", EXAMPLES)
def test_words_carry_the_whole_of_it(predictor, name):
    found = integrated_gradients(predictor(name), EXAMPLES[name], 1)
    total = sum(word.score for segment in found.segments for word in segment)
    assert total == pytest.approx(found.attributed, abs=1e-4)


@pytest.mark.parametrize("name", EXAMPLES)
def test_words_join_back_to_the_texts_that_were_read(predictor, name):
    found = integrated_gradients(predictor(name), EXAMPLES[name], 1)
    pair = TASKS[name].text_pairs(EXAMPLES[name])[0 if TASKS[name].labels else 1]
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


@pytest.mark.parametrize("method", [integrated_gradients, gradient_x_input, leave_one_out])
@pytest.mark.parametrize("name", EXAMPLES)
def test_every_method_scores_the_same_words(predictor, name, method):
    tiny = predictor(name)
    words = [[w.text for w in segment] for segment in method(tiny, EXAMPLES[name], 1).segments]
    assert words == [[w.text for w in segment] for segment in integrated_gradients(tiny, EXAMPLES[name], 1).segments]
    with pytest.raises(ValueError, match="found 9"):
        method(tiny, EXAMPLES[name], 9)


def test_a_word_left_out_scores_what_the_logit_falls_by(predictor):
    tiny, text = predictor("sentiment"), "The crew is ridiculous, and I loved it."
    found = leave_one_out(tiny, {"text": text}, 2)
    (words,) = found.segments
    whole, without = tiny.logits(tiny.encode([{"text": text}, {"text": text.replace(" ridiculous,", "")}]))
    (score,) = [word.score for word in words if word.text == " ridiculous,"]
    assert score == pytest.approx(float(whole[2] - without[2]), abs=1e-4)


@pytest.mark.parametrize("method", [integrated_gradients, gradient_x_input, leave_one_out])
def test_other_weights_give_another_map(predictor, method):
    """The sanity check of Adebayo et al. 2018: a map that stays under random weights explains nothing."""
    tiny = predictor("nli")

    def scores():
        return [word.score for words in method(tiny, EXAMPLES["nli"], 1).segments for word in words]

    before = scores()
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in tiny.model.parameters():
            parameter.normal_(std=0.2)
    correlation = torch.corrcoef(torch.tensor([before, scores()]))[0, 1]
    assert abs(float(correlation)) < 0.9


def test_the_answer_without_a_part_is_that_of_the_other_part_alone(predictor):
    hidden, label, probability = partial_input(predictor("nli"), EXAMPLES["nli"])
    alone = predictor("nli").predict([{**EXAMPLES["nli"], "premise": ""}])[0]
    assert (hidden, label) == ("premise", alone.label)
    assert probability == pytest.approx(max(alone.probabilities))
    assert partial_input(predictor("commonsense"), EXAMPLES["commonsense"])[0] == "context and question"
    assert partial_input(predictor("sentiment"), EXAMPLES["sentiment"]) is None
