"""An inference version answers any task by entailment, without training, and is then trained like any other."""

import json

import pytest
import torch

from data.tasks import TASKS
from data.tasks.template import parse_claim
from data.versions import get_version, live_version
from models.attribution import leave_one_out
from models.folders import ADAPTER, CheckpointError, read_card
from models.predictor import Predictor
from models.registry import (
    STARTERS,
    folder_of,
    prepare_workspace,
    register_pretrained,
    register_template,
    register_zero_shot,
)
from models.training import train

TEXT = "The goalkeeper saved a penalty in the last minute."
EXAMPLE = {"text": TEXT, "choices": ["cooking", "sports", "the weather"]}


@pytest.fixture(scope="module")
def starter():
    return Predictor.load(STARTERS / "nli")


def test_the_starters_answer_any_text_by_any_labels(settings, store, starter):
    prepare_workspace(settings, store)
    version_id = live_version(store, "labels")
    assert get_version(store, version_id)["note"].startswith("entailment by nli-starter")
    labels = Predictor.load(folder_of(settings, store, version_id))
    (answer,) = labels.predict([EXAMPLE])
    assert answer.label == 1
    pairs = [{"premise": TEXT, "hypothesis": f"This text is about {label}."} for label in EXAMPLE["choices"]]
    entailed = torch.stack(starter.logits(starter.encode(pairs)))[:, 0]
    assert answer.probabilities == pytest.approx(entailed.softmax(-1).tolist(), abs=1e-4)
    two, five = ({**EXAMPLE, "choices": [*EXAMPLE["choices"], "money", "law"][:n]} for n in (2, 5))
    assert [len(p.probabilities) for p in labels.predict([two, five])] == [2, 5]
    words = leave_one_out(labels, EXAMPLE, 1)
    assert words.titles == ["Text", "Claim"]
    assert max(words.segments[0], key=lambda word: word.score).text.strip() in TEXT


def test_sentiment_by_entailment_is_trained_on(settings, store, tmp_path):
    prepare_workspace(settings, store)
    version_id = register_zero_shot(settings, store, "sentiment", live_version(store, "nli"))
    folder = folder_of(settings, store, version_id)
    rows = [{"text": f"The {noun} was warm and funny.", "label": 0} for noun in ("film", "play", "song", "book")]
    predictor = Predictor.load(folder)
    examples = [{"text": row["text"]} for row in rows]
    assert {p.label for p in predictor.predict(examples)} == {2}
    (tmp_path / "job").mkdir()
    (tmp_path / "job" / "parent").symlink_to(folder)
    recipe = {"data": "corrections", "epochs": 8, "batch_size": 4, "learning_rate": 2e-3}
    description = {"task": "sentiment", "version": "sentiment-v1", "parent": version_id, "recipe": recipe}
    (tmp_path / "job" / "job.json").write_text(json.dumps(description))
    (tmp_path / "job" / "train.jsonl").write_text("\n".join(map(json.dumps, rows)))
    child = train(tmp_path / "job", "cpu")
    assert (read_card(child)["kind"], (child / ADAPTER).exists()) == ("entailment", True)
    assert {p.label for p in Predictor.load(child).predict(examples)} == {0}


def test_a_hub_style_inference_checkpoint_is_known_by_its_outputs(settings, store, tiny_checkpoint):
    version_id = register_pretrained(settings, store, "labels", str(tiny_checkpoint))
    assert read_card(folder_of(settings, store, version_id))["kind"] == "entailment"
    other = register_template(settings, store, version_id, {"claim": "It speaks of {label}."})
    head = Predictor.load(folder_of(settings, store, other)).head
    assert head.pairs(EXAMPLE)[1] == (TEXT, "It speaks of sports.")


def test_a_checkpoint_without_entailment_says_so(settings, store, tiny_checkpoints):
    with pytest.raises(
        CheckpointError, match=r"Expected an inference checkpoint .*found .*negative, neutral, positive"
    ):
        register_pretrained(settings, store, "labels", str(tiny_checkpoints["sentiment"]), kind="entailment")
    assert store["versions"].count == 0


def test_only_inference_versions_answer_other_tasks(tiny_settings, tiny_store):
    with pytest.raises(ValueError, match=r"Expected an inference version for another task; .* of 'sentiment'"):
        register_zero_shot(tiny_settings, tiny_store, "labels", live_version(tiny_store, "sentiment"))


@pytest.mark.parametrize("claim", ["It is about it.", "{label} or {label}"])
def test_a_claim_needs_its_slot_once(claim):
    with pytest.raises(ValueError, match=r"expected the slot \{label\} once"):
        parse_claim(TASKS["labels"], {"claim": claim})
