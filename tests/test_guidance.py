"""Guidance is read before the input, stands beside the plain answer, and is stored with what was judged."""

import json

import pytest

from components.guidance import answer_guided, run_guided_suites, show_guided, take_guidance
from components.probe import run_probe, save_right, save_wrong
from data.guidance import KINDS, guidance_for, guided, library
from data.suites import load_suites
from data.tasks import CATEGORIES, TASKS
from data.tasks.template import default_template
from data.transfer import export_rows
from models.predictor import Predictor
from models.registry import folder_of, register_pretrained
from models.suites import guidance_verdict, run_guided, run_suite
from tests.conftest import nli
from tests.test_components import values_of

TASK = TASKS["nli"]


@pytest.fixture
def few_suites(monkeypatch):
    suites = load_suites("nli")[:2]
    monkeypatch.setattr("components.guidance.all_suites", lambda task, own: suites)
    return suites


def test_every_category_has_a_text_of_each_kind():
    assert set(library()) == set(CATEGORIES)
    texts = [guidance_for(category, kind) for category in CATEGORIES for kind in KINDS]
    assert len(set(texts)) == len(texts)
    with pytest.raises(ValueError, match="one of question, goal, constraint, examples; found 'hint'"):
        guidance_for("negation", "hint")


def test_an_encoder_reads_it_before_the_first_field(lab):
    predictor = lab.serving.predictor("nli")
    plain, with_it = predictor.encode([nli(), guided(nli(), "Who does it?")])
    by_hand = predictor.encode([nli("Who does it? " + nli()["premise"])])[0]
    assert with_it.input_ids == by_hand.input_ids
    assert plain.input_ids != by_hand.input_ids
    assert TASK.content_hash(guided(nli(), "Who does it?")) == TASK.content_hash(nli())
    assert guided(nli(), "  ") == nli()


def test_a_language_model_reads_it_before_the_prompt_and_the_empty_prompt(settings, store, tiny_lm):
    predictor = Predictor.load(folder_of(settings, store, register_pretrained(settings, store, "nli", str(tiny_lm))))
    prompt, _ = predictor.head.fit(guided(nli(), "Who does it?"))
    assert prompt == "Who does it?\n" + default_template(TASK).render(nli())[0]
    (encoded,) = predictor.encode([guided(nli(), "Who does it?")])
    first = tuple(predictor.head.tokenizer("Who does it?")["input_ids"])
    assert {answer.ids[: len(first)] for answer in (*encoded.own, *encoded.empty)} == {first}


@pytest.mark.parametrize("words", [60, 2000])
def test_guidance_longer_than_half_the_window_is_refused(lab, words):
    with pytest.raises(ValueError, match=r"Guidance: expected at most (48 tokens|4,000 characters).*Shorten it"):
        lab.serving.predict("nli", guided(nli(), "dog " * words))


def test_answers_stand_side_by_side_and_are_stored(lab):
    _, answer, *_ = run_probe(lab, "nli", "other", *values_of("nli", nli()))
    assert answer_guided(lab, answer, " ") == ["", None]
    text = take_guidance(lab, "role swap and word order", "question")
    html, tried = answer_guided(lab, answer, text)
    assert "without guidance" in html
    assert "not made to follow instructions" in html
    said = lab.serving.predict("nli", guided(nli(), text)).prediction.label
    assert tried == {"guidance": text, "guided": said}
    wrong = (answer["label"] + 1) % 3
    save_wrong(lab, answer, wrong, "other", "", "ann", tried)
    (row,) = lab.db()["verdicts"].rows
    assert (row["guidance"], row["guided_label"]) == (text, TASK.labels[said])
    (exported,) = export_rows(lab.db(), TASK)
    assert json.loads(json.dumps(exported))["guidance"] == text
    save_right(lab, answer, "other", "ann")
    assert [row["guidance"] for row in lab.db()["verdicts"].rows] == [text, ""]


def test_suites_run_without_and_with_it_on_the_same_rows(lab, few_suites):
    predictor = lab.serving.predictor("nli")
    result = run_guided(predictor, few_suites[0], "question", rows=20)
    assert (result["rows"], result["failed"]) == (20, run_suite(predictor, few_suites[0], rows=20)["failed"])
    assert result["low"] <= (result["failed_guided"] - result["failed"]) / 20 <= result["high"]
    shown = list(run_guided_suites(lab, "nli", None, "goal"))
    assert "0 of 2 suites" in shown[0]
    table, plot = show_guided(lab, "nli", None, "goal")
    assert all(suite.name.replace("_", " ") in table for suite in few_suites)
    assert plot["visible"] is True
    assert "Not run yet" in show_guided(lab, "nli", None, "examples")[0]


@pytest.mark.parametrize(
    ("failed", "after", "low", "high", "verdict"),
    [
        (50, 10, -0.5, -0.3, "repairs"),
        (50, 40, -0.2, -0.01, "helps"),
        (50, 49, -0.1, 0.1, "training"),
        (50, 80, 0.1, 0.4, "harms"),
        (5, 4, -0.05, 0.02, "little"),
    ],
)
def test_the_figures_are_told_in_a_word(failed, after, low, high, verdict):
    found = {"rows": 100, "failed": failed, "failed_guided": after, "low": low, "high": high}
    assert guidance_verdict(found) == verdict
