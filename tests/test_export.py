"""An exported version answers in plain transformers as it does here."""

import pytest
import torch
from typer.testing import CliRunner

import cli
from data.seed import seed_rows
from data.tasks import TASKS
from models.export import export_model
from models.predictor import Predictor
from models.registry import STARTERS


@pytest.mark.parametrize("name", ["nli", "sentiment"])
def test_a_plain_pipeline_gives_the_same_probabilities(name, tmp_path):
    from transformers import pipeline

    folder = export_model(STARTERS / name, tmp_path / "out")
    pipe = pipeline("text-classification", model=str(folder), top_k=None, device="cpu")
    task, predictor = TASKS[name], Predictor.load(STARTERS / name)
    examples = [row["example"] for row in seed_rows(task, "validation")[:6]]
    for example, prediction in zip(examples, predictor.predict(examples), strict=True):
        first, second = task.text_pairs(example)[0]
        texts = {"text": first} | ({"text_pair": second} if second else {})
        said = {one["label"]: one["score"] for one in pipe(texts)}
        assert set(said) == set(task.labels)
        for label, probability in zip(task.labels, prediction.probabilities, strict=True):
            assert said[label] == pytest.approx(probability, abs=1e-4)


def test_choices_are_scored_alike(tmp_path):
    from transformers import AutoModelForMultipleChoice, AutoTokenizer

    folder = export_model(STARTERS / "commonsense", tmp_path / "out")
    model, tokenizer = AutoModelForMultipleChoice.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    task, predictor = TASKS["commonsense"], Predictor.load(STARTERS / "commonsense")
    example = seed_rows(task, "validation")[0]["example"]
    first, second = zip(*task.text_pairs(example), strict=True)
    batch = tokenizer(list(first), list(second), padding=True, return_tensors="pt")
    with torch.inference_mode():
        said = model(**{key: value.unsqueeze(0) for key, value in batch.items()}).logits.softmax(-1)[0]
    assert said.tolist() == pytest.approx(predictor.predict([example])[0].probabilities, abs=1e-4)


def test_nothing_is_overwritten(tmp_path, tiny_settings):
    run = CliRunner().invoke
    version_id = next(iter((tiny_settings.workspace / "versions" / "nli").iterdir())).name
    arguments = ["export-model", version_id, str(tmp_path / "out"), "--workspace", str(tiny_settings.workspace)]
    assert run(cli.app, arguments).exit_code == 0
    again = run(cli.app, arguments)
    assert again.exit_code == 1
    assert "exists" in again.output
