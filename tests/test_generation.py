"""A language model says what comes next: the same for the same seed, and only what it may choose from."""

from itertools import pairwise

import pytest
import torch

from components.next_words import GREEDY, NUCLEUS, ask_why, note_of, show_box, show_tokens, speak_on
from data.versions import live_version
from models.generation import Sampling, choose, next_tokens, sample, token_texts
from models.predictor import Predictor
from models.registry import folder_of, register_pretrained

TEXT = "The film was good.\nThe feeling of this text is"


@pytest.fixture
def speaker(settings, store, tiny_lm):
    return Predictor.load(folder_of(settings, store, register_pretrained(settings, store, "sentiment", str(tiny_lm))))


def test_the_next_token_has_the_models_own_probability(speaker):
    found = next_tokens(speaker, TEXT, 5)
    ids = speaker.head.tokenizer(TEXT)["input_ids"]
    with torch.inference_mode():
        top = speaker.model(torch.tensor([ids])).logits[0, -1].softmax(-1).topk(5)
    assert [token.probability for token in found] == pytest.approx(top.values.tolist())
    assert found[0].text == speaker.head.tokenizer.decode([int(top.indices[0])])
    assert next_tokens(speaker, TEXT, 3, place=4) == next_tokens(speaker, "The ", 3)
    assert "".join(token_texts(speaker, TEXT)) == TEXT


def test_an_empty_text_has_a_beginning(speaker):
    assert len(next_tokens(speaker, "", 4)) == 4


def test_greedy_says_the_likeliest_and_grows_by_a_token(speaker):
    parts = list(sample(speaker, TEXT, Sampling(temperature=0, max_tokens=8)))
    assert all(later.startswith(sooner) for sooner, later in pairwise(parts))
    ids = speaker.head.tokenizer(TEXT, return_tensors="pt")["input_ids"]
    plain = speaker.model.generate(
        ids, attention_mask=torch.ones_like(ids), max_new_tokens=8, do_sample=False, pad_token_id=0
    )[0, ids.shape[1] :].tolist()
    plain = plain[: plain.index(0)] if 0 in plain else plain
    assert parts[-1] == speaker.head.tokenizer.decode(plain)


def test_the_seed_decides(speaker):
    first, again, other = (list(sample(speaker, TEXT, Sampling(seed=seed, max_tokens=20)))[-1:] for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_only_the_likeliest_are_chosen_from():
    logits, generator = torch.tensor([0.5, 0.3, 0.15, 0.05]).log(), torch.Generator().manual_seed(0)

    def drawn(**how):
        return {choose(logits, Sampling(**how), generator) for _ in range(200)}

    assert drawn() == {0, 1, 2, 3}
    assert drawn(top_k=2) == {0, 1}
    assert drawn(top_p=0.6) == {0, 1}
    assert drawn(top_p=0.4) == {0}
    assert drawn(temperature=0) == {0}
    assert drawn(temperature=5.0, top_k=3, top_p=0.99) == {0, 1, 2}


@pytest.mark.parametrize("option", [{"top_p": 0}, {"max_tokens": 0}, {"temperature": -1}, {"top_k": "40"}])
def test_sampling_that_cannot_work_is_refused(option):
    with pytest.raises(ValueError, match="Sampling, "):
        Sampling(**option)


def test_a_classifier_says_nothing(lab):
    predictor = lab.serving.predictor("nli")
    with pytest.raises(ValueError, match=r"Expected a causal language model; .* says nothing"):
        next_tokens(predictor, TEXT)
    answer = {"task": "nli", "version_id": live_version(lab.db(), "nli"), "example": {}, "label": 0}
    assert show_box(lab, answer)[0]["visible"] is False


def test_what_it_says_becomes_a_note(lm_lab):
    example = {"text": "The film was <b>good</b>."}
    answer = {"task": "sentiment", "version_id": None, "example": example, "label": 2}
    box, text, *_ = show_box(lm_lab, answer)
    assert (box["visible"], text) == (True, "The film was <b>good</b>.\nThe feeling of this text is")
    assert ask_why(lm_lab, answer).endswith("this text is positive, because")
    assert "&lt;b&gt;" in show_tokens(lm_lab, answer, text[:16], 16)
    *_, said = speak_on(lm_lab, answer, text, GREEDY, 0.9, 1.0, 0, 12)
    assert note_of(lm_lab, said, GREEDY, 0.9, 0) == f"The model says (greedy): {said.strip()}"
    assert note_of(lm_lab, "so it is", NUCLEUS, 0.9, 3).startswith("The model says (nucleus 0.9, seed 3)")
    with pytest.raises(Exception, match="Let the model speak first"):
        note_of(lm_lab, " ", GREEDY, 0.9, 0)
