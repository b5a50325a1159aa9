"""A causal language model answers every task as a plain, slow reading of its likelihoods would."""

import pytest
import torch

from data.seed import seed_rows
from data.tasks import TASKS
from data.tasks.template import Template, default_template, parse_template
from data.versions import get_version
from models.attribution import gradient_x_input, integrated_gradients, leave_one_out
from models.folders import CARD, CheckpointError, read_card, write_json
from models.predictor import Predictor
from models.registry import folder_of, register_pretrained, register_template
from tests.conftest import BY_LABEL, nli

EXAMPLES = {
    "nli": [nli(), nli("It rains.", "It is wet."), nli("A " + "very " * 40 + "old man sleeps.", "A man sleeps.")],
    "sentiment": [{"text": "I can't say that the crew is ridiculous; I loved it."}, {"text": "Bad."}],
    "commonsense": [
        {"context": "It rains.", "question": "What helps?", "choices": ["a hat", "an old umbrella", "ice"]},
        {"context": "", "question": "What is cold?", "choices": ["fire", "ice"]},
    ],
    "labels": [{"text": "Hail broke the panes.", "choices": ["cooking", "bad weather"]}],
}


@pytest.fixture
def version(settings, store, tiny_lm):
    """Makes the tiny language model a version of a task and loads it."""

    def make(task, **options):
        version_id = register_pretrained(settings, store, task, str(tiny_lm), **options)
        return Predictor.load(folder_of(settings, store, version_id))

    return make


def log_likelihood(predictor, prompt, words):
    """The mean log-probability of the tokens of `words` after the prompt, one at a time, and their number."""
    tokenizer = predictor.head.tokenizer
    ids = tokenizer(prompt)["input_ids"] or [tokenizer.eos_token_id]
    answer = tokenizer(words)["input_ids"]
    total = 0.0
    for token in answer:
        with torch.inference_mode():
            logits = predictor.model(torch.tensor([ids])).logits[0, -1].double()
        total += float(logits.log_softmax(-1)[token])
        ids = [*ids, token]
    return total / len(answer), len(answer)


def slow_logits(predictor, example):
    task, template = predictor.task, predictor.head.template
    blank = {field.name: "" for field in task.fields if field.kind == "text"}
    scores, lengths = [], []
    for words in template.continuations(task, example):
        mean, length = log_likelihood(predictor, template.render(example)[0], words)
        if template.calibrated:
            mean -= log_likelihood(predictor, template.render(blank)[0], words)[0]
        scores.append(mean)
        lengths.append(length)
    return torch.tensor(scores) * sum(lengths) / len(lengths)


@pytest.mark.parametrize("calibrated", [True, False])
@pytest.mark.parametrize("name", BY_LABEL)
def test_batched_scores_with_shared_prefixes_are_those_of_a_slow_reading(version, name, calibrated):
    template = default_template(TASKS[name]).to_dict(TASKS[name])
    predictor = version(name, template={**template, "calibrated": calibrated})
    found = predictor.logits(predictor.encode(EXAMPLES[name]))
    for example, logits in zip(EXAMPLES[name], found, strict=True):
        torch.testing.assert_close(logits, slow_logits(predictor, example).float(), atol=1e-4, rtol=0)


def test_a_model_without_keys_to_share_scores_the_same(version, monkeypatch):
    predictor = version("commonsense")
    encoded = predictor.encode(EXAMPLES["commonsense"])
    shared = predictor.logits(encoded)
    monkeypatch.setattr(type(predictor.model), "_is_stateful", True)
    for a, b in zip(shared, predictor.logits(encoded), strict=True):
        torch.testing.assert_close(a, b, atol=1e-4, rtol=0)


def test_a_prompt_that_five_choices_share_is_read_once(version):
    predictor = version("commonsense")
    choices = [f"{word} umbrella" for word in ("a red", "no", "one", "her", "the old")]
    example = {"context": "It rains. " * 20, "question": "What helps?", "choices": choices}
    batch = predictor.head.collate(predictor.encode([example]))
    assert len(batch["input_ids"]) == 2  # the prompt, and the empty one
    assert batch["own"].shape == (1, 5)
    assert batch["rest_mask"].sum(1).max() < 20


@pytest.mark.parametrize("name", BY_LABEL)
def test_the_longest_field_is_cut_to_the_window(version, name):
    predictor = version(name)
    field = TASKS[name].fields[0].name
    long = {**EXAMPLES[name][0], field: "dog " * 400}
    (prediction,) = predictor.predict([long])
    assert sum(prediction.probabilities) == pytest.approx(1)
    assert prediction.tokens_dropped > 1000
    prompt, _ = predictor.head.fit(long)
    assert prompt.endswith(default_template(TASKS[name]).render(EXAMPLES[name][0])[0].rpartition("\n")[2])


def test_answers_that_do_not_fit_are_refused(version):
    predictor = version("commonsense")
    with pytest.raises(ValueError, match="Shorten the template or the choices"):
        predictor.predict([{"context": "", "question": "What?", "choices": ["a " * 400, "b"]}])


@pytest.mark.parametrize("method", [integrated_gradients, gradient_x_input, leave_one_out])
@pytest.mark.parametrize("name", BY_LABEL)
def test_every_method_scores_the_words_of_the_fields(version, name, method):
    example = EXAMPLES[name][0]
    found = method(version(name), example, 1)
    texts = [value for value in example.values() if isinstance(value, str)]
    texts += [example["choices"][1]] if "choices" in example else []
    assert ["".join(word.text for word in words) for words in found.segments] == texts
    assert any(word.score for words in found.segments for word in words)
    assert found.titles[0] == TASKS[name].fields[0].title


def test_integrated_gradients_add_up(version):
    found = integrated_gradients(version("nli"), EXAMPLES["nli"][0], 0, steps=128)
    assert found.attributed == pytest.approx(found.total, rel=0.05, abs=0.05)


def test_a_word_left_out_scores_what_the_logit_falls_by(version):
    predictor, text = version("sentiment"), "The crew is ridiculous, and I loved it."
    (words,) = leave_one_out(predictor, {"text": text}, 2).segments
    whole, without = predictor.logits(predictor.encode([{"text": text}, {"text": text.replace(" loved", "")}]))
    (score,) = [word.score for word in words if word.text == " loved"]
    assert score == pytest.approx(float(whole[2] - without[2]), abs=1e-4)


def test_a_template_is_stored_with_the_version_and_changed_in_another(settings, store, tiny_lm):
    first = register_pretrained(settings, store, "sentiment", str(tiny_lm))
    asked = {
        "prompt": "Review: {text}\nGood or bad?",
        "answers": {"negative": "bad", "neutral": "so", "positive": "good"},
    }
    second = register_template(settings, store, first, asked)
    assert get_version(store, second)["parent_id"] == first
    cards = [read_card(folder_of(settings, store, v)) for v in (first, second)]
    assert [card["template"]["answers"]["positive"] for card in cards] == ["positive", "good"]
    prompt = Predictor.load(folder_of(settings, store, second)).head.fit({"text": "Fine."})[0]
    assert prompt == "Review: Fine.\nGood or bad?"
    with pytest.raises(ValueError, match="asked in these words already"):
        register_template(settings, store, second, asked)


def test_only_a_language_model_is_asked_by_a_template(tiny_settings, tiny_store, tiny_checkpoint):
    version_id = register_pretrained(tiny_settings, tiny_store, "nli", str(tiny_checkpoint))
    with pytest.raises(ValueError, match=r"which a template asks; .* is a classifier"):
        register_template(tiny_settings, tiny_store, version_id, {"prompt": "{premise} {hypothesis}"})
    with pytest.raises(ValueError, match="are for causal language models"):
        register_pretrained(tiny_settings, tiny_store, "nli", str(tiny_checkpoint), load="4bit")


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ({"prompt": "{premise} so?"}, r"expected the slots {premise}, {hypothesis}; {hypothesis} missing"),
        ({"prompt": "{premise} {hypothesis} {text}"}, "found {text}, which is no field"),
        ({"prompt": "{premise} {hypothesis:>9}"}, "found {hypothesis}"),
        ({"prompt": "{premise} {hypothesis} {premise}"}, "expected {premise} once"),
        ({"prompt": "{premise} {hypothesis"}, "for braces that are no slot"),
        ({"prompt": "{premise} {hypothesis}", "answers": {"entailment": "yes"}}, "expected words for entailment"),
        ({"prompt": "{premise} {hypothesis}", "answer": {}}, "found answer too"),
        ({"prompt": 3}, 'expected an object with "prompt"'),
        (
            {
                "prompt": "{premise} {hypothesis}",
                "answers": {"entailment": "yes", "neutral": "yes", "contradiction": "no"},
            },
            "'yes' for more than one",
        ),
    ],
)
def test_a_template_that_cannot_work_is_refused(template, message):
    with pytest.raises(ValueError, match=message):
        parse_template(TASKS["nli"], template)


def test_a_line_with_nothing_to_say_is_left_out():
    template = Template("Scene: {context}\nAsk: {question}\nAnswer:", ())
    assert template.render({"context": "", "question": "Why?"})[0] == "Ask: Why?\nAnswer:"
    assert template.render({"context": "", "question": ""})[0] == "Scene: \nAsk: \nAnswer:"


def test_braces_that_are_no_slot_stay():
    template = parse_template(TASKS["sentiment"], {"prompt": "{{json}} {text}"})
    text, places = template.render({"text": "Fine."})
    assert text == "{json} Fine."
    assert text[slice(*places["text"])] == "Fine."


def test_a_language_model_is_no_classifier(settings, store, tiny_lm):
    with pytest.raises(
        CheckpointError, match=r"Expected a sequence_classification .*GPT2LMHeadModel.*--kind likelihood"
    ):
        register_pretrained(settings, store, "nli", str(tiny_lm), kind="classifier")
    assert store["versions"].count == 0


def test_a_classifier_is_no_language_model(settings, store, tiny_checkpoint):
    with pytest.raises(CheckpointError, match=r"Expected a causal .*found BertForSequenceClassification.*--kind"):
        register_pretrained(settings, store, "nli", str(tiny_checkpoint), kind="likelihood")
    with pytest.raises(ValueError, match="Expected as kind classifier, likelihood, entailment; found 'magic'"):
        register_pretrained(settings, store, "nli", str(tiny_checkpoint), kind="magic")


def test_a_version_whose_base_is_of_another_kind_says_so(tmp_path, tiny_lm):
    write_json(tmp_path / CARD, {"id": "nli-x", "task": "nli", "base": str(tiny_lm)})
    with pytest.raises(CheckpointError, match=r"a causal language model\. Leave --kind out"):
        Predictor.load(tmp_path)


def test_four_bits_without_the_package_say_what_to_install(settings, store, tiny_lm, monkeypatch):
    monkeypatch.setattr("models.placement.find_spec", lambda name: None)
    with pytest.raises(CheckpointError, match=r"expected the package bitsandbytes, found none\. Install it"):
        register_pretrained(settings, store, "nli", str(tiny_lm), load="4bit")
    with pytest.raises(ValueError, match="Expected as load 4bit; found '2bit'"):
        register_pretrained(settings, store, "nli", str(tiny_lm), load="2bit")


def test_seed_examples_all_fit_a_prompt():
    for task in map(TASKS.get, BY_LABEL):
        for row in seed_rows(task, "gallery"):
            assert row["example"][task.fields[0].name] in default_template(task).render(row["example"])[0]
