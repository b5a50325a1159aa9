"""Probabilities in the task's order, whatever the checkpoint's order and the batch."""

import pytest
import torch
from safetensors.torch import load_file, save_file

from data.seed import seed_rows
from data.tasks import TASKS
from data.versions import live_version
from models.evaluation import accuracy, compare, metrics
from models.folders import CARD, WEIGHTS, write_json
from models.predictor import Prediction, Predictor
from models.registry import folder_of
from tests.conftest import BY_LABEL, MAX_TOKENS, build_tiny, nli


@pytest.fixture
def predictor(tiny_settings, tiny_store):
    """Loads the live tiny version of a task."""
    return lambda task: Predictor.load(folder_of(tiny_settings, tiny_store, live_version(tiny_store, task)))


def some_examples(name, count=20):
    return [row["example"] for row in seed_rows(TASKS[name], "validation")[:count]]


@pytest.mark.parametrize("name", BY_LABEL)
def test_probabilities_sum_to_one(predictor, name):
    examples = some_examples(name)
    for example, prediction in zip(examples, predictor(name).predict(examples), strict=True):
        assert len(prediction.probabilities) == len(TASKS[name].label_names(example))
        assert sum(prediction.probabilities) == pytest.approx(1)
        assert prediction.probabilities[prediction.label] == max(prediction.probabilities)


@pytest.mark.parametrize("name", BY_LABEL)
def test_batch_answers_as_one_by_one(predictor, name):
    tiny, examples = predictor(name), some_examples(name)
    for example, batched in zip(examples, tiny.predict(examples, batch_size=7), strict=True):
        assert tiny.predict([example])[0].probabilities == pytest.approx(batched.probabilities, abs=1e-5)


def test_nothing_asked_is_nothing_answered(predictor):
    assert predictor("nli").predict([]) == []


def test_columns_follow_label_names_not_positions(tmp_path, predictor, tiny_checkpoint):
    shuffled = build_tiny(tmp_path / "base", "nli", ("contradiction", "entailment", "neutral"))
    tensors = load_file(tiny_checkpoint / WEIGHTS)
    for name in ("classifier.weight", "classifier.bias"):
        tensors[name] = tensors[name][[2, 0, 1]].contiguous()
    save_file(tensors, shuffled / WEIGHTS, metadata={"format": "pt"})
    (tmp_path / "version").mkdir()
    write_json(tmp_path / "version" / CARD, {"id": "nli-shuffled", "task": "nli", "base": str(shuffled)})
    other = Predictor.load(tmp_path / "version")
    for a, b in zip(predictor("nli").predict([nli()]), other.predict([nli()]), strict=True):
        assert a.probabilities == pytest.approx(b.probabilities, abs=1e-6)


def test_long_text_is_answered_and_says_what_was_left_out(predictor):
    short, long = {"text": "dog " * 10}, {"text": "dog " * 200}
    answers = predictor("sentiment").predict([short, long])
    assert [a.tokens_dropped for a in answers] == [0, 200 + 2 - MAX_TOKENS]


def test_text_that_just_fits_is_whole(predictor):
    assert predictor("sentiment").predict([{"text": "dog " * (MAX_TOKENS - 2)}])[0].tokens_dropped == 0


def test_window_that_is_no_multiple_of_sixteen_is_not_passed(tmp_path):
    base = build_tiny(tmp_path / "base", "sentiment", max_tokens=50)
    (tmp_path / "version").mkdir()
    write_json(tmp_path / "version" / CARD, {"id": "sentiment-odd", "task": "sentiment", "base": str(base)})
    answer = Predictor.load(tmp_path / "version").predict([{"text": "dog " * 200}])[0]
    assert answer.tokens_dropped == 200 + 2 - 48


def test_two_and_five_choices_share_a_batch(predictor):
    two = {"context": "", "question": "What is cold?", "choices": ["ice", "fire"]}
    five = {"context": "It rains.", "question": "What?", "choices": ["a hat", "a coat", "a cup", "a key", "a map"]}
    answers = predictor("commonsense").predict([two, five, two])
    assert [len(a.probabilities) for a in answers] == [2, 5, 2]
    assert answers[0].probabilities == pytest.approx(answers[2].probabilities, abs=1e-6)
    assert sum(answers[1].probabilities) == pytest.approx(1)


def test_temperature_of_the_card_makes_answers_milder(tmp_path, tiny_checkpoint):
    top = []
    for temperature in (1.0, 10.0):
        folder = tmp_path / str(temperature)
        folder.mkdir()
        card = {"id": "nli-t", "task": "nli", "base": str(tiny_checkpoint), "temperature": temperature}
        write_json(folder / CARD, card)
        top.append(max(Predictor.load(folder, torch.device("cpu")).predict([nli()])[0].probabilities))
    assert top[1] < top[0]


def test_metrics_count_right_answers_and_confusions():
    predictions = [Prediction([0.8, 0.1, 0.1], 0), Prediction([0.8, 0.1, 0.1], 0), Prediction([0.1, 0.1, 0.8], 0)]
    result = metrics(TASKS["nli"], predictions, [0, 1, 2])
    assert (result["rows"], result["right"], result["accuracy"]) == (3, 2, pytest.approx(2 / 3))
    assert result["confusion"] == [[1, 0, 0], [1, 0, 0], [0, 0, 1]]
    assert result["macro_f1"] == pytest.approx((2 / 3 + 0 + 1) / 3)


def test_metrics_of_no_rows_are_zero():
    assert metrics(TASKS["nli"], [], [])["accuracy"] == accuracy([], []) == 0.0


def test_comparison_sorts_rows_by_what_changed():
    wrong, right = Prediction([0.9, 0.1], 0), Prediction([0.2, 0.8], 0)
    rows = [{"example": {"n": i}, "label": 1, "category": "other"} for i in range(4)]
    outcome = compare(rows, [wrong, wrong, right, right], [right, wrong, wrong, right])
    found = {name: [row["example"]["n"] for row in changed] for name, changed in outcome.items()}
    assert found == {"fixed": [0], "failing": [1], "broken": [2], "kept": [3]}
    assert (outcome["fixed"][0]["before_p"], outcome["fixed"][0]["after_p"]) == (0.1, 0.8)
