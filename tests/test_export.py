"""An exported version answers in plain transformers as it does here."""

import sys

import pytest
import torch
from typer.testing import CliRunner

import cli
from data.seed import seed_rows
from data.tasks import TASKS
from models.export import export_model
from models.folders import STARTERS
from models.onnx_export import ExportError
from models.predictor import Predictor


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


def tiny_version(settings, name):
    return next((settings.workspace / "versions" / name).iterdir())


@pytest.mark.parametrize("name", ["nli", "commonsense", "ner"])
def test_the_onnx_file_answers_as_the_version(name, tiny_settings, tmp_path):
    import onnxruntime
    from transformers import AutoTokenizer

    source = tiny_version(tiny_settings, name)
    folder = export_model(source, tmp_path / "out", onnx=True)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    session = onnxruntime.InferenceSession(folder / "onnx" / "model.onnx")
    task, predictor = TASKS[name], Predictor.load(source)
    for row in seed_rows(task, "validation")[:5]:
        example = row["example"]
        pairs = task.text_pairs(example) if name != "ner" else [(example["text"], None)]
        seconds = [second for _, second in pairs]
        batch = tokenizer([first for first, _ in pairs], seconds if seconds[0] else None, padding=True)
        inputs = {key: torch.tensor(value).numpy() for key, value in batch.items()}
        if name == "commonsense":
            inputs = {key: value[None] for key, value in inputs.items()}
        (logits,) = session.run(["logits"], inputs)
        if name == "ner":
            encoded = predictor.encode([example])
            (exact,) = predictor.logits(encoded)
            said = torch.from_numpy(logits)[0, encoded[0].first_tokens][:, list(predictor.head.order)]
            assert torch.allclose(said, exact, atol=1e-4)
        else:
            order = predictor.head.order if name == "nli" else range(len(pairs))
            said = torch.from_numpy(logits)[0, list(order)].softmax(-1)
            assert said.tolist() == pytest.approx(predictor.predict([example])[0].probabilities, abs=1e-4)


def test_eight_bits_are_measured_in_the_model_card(tiny_settings, tmp_path):
    version_id, out = tiny_version(tiny_settings, "nli").name, tmp_path / "out"
    arguments = ["export-model", version_id, str(out), "--int8", "--workspace", str(tiny_settings.workspace)]
    assert CliRunner().invoke(cli.app, arguments).exit_code == 0
    assert {path.name for path in (out / "onnx").iterdir()} == {"model.onnx", "model_int8.onnx"}
    card = (out / "README.md").read_text(encoding="utf-8")
    assert "opset 18" in card
    assert card.count("| ONNX") == 2


def test_a_file_that_differs_is_not_put_in_place(tiny_settings, tmp_path, monkeypatch):
    monkeypatch.setattr("models.onnx_export.TOLERANCE", -1.0)
    with pytest.raises(ExportError, match=r"differ from torch's by .* expected at most"):
        export_model(tiny_version(tiny_settings, "nli"), tmp_path / "out", onnx=True)
    assert [path.name for path in tmp_path.iterdir()] == ["workspace"]


def test_a_missing_library_is_named(tiny_settings, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ExportError, match=r"takes onnxruntime, .* pip install -r requirements-onnx\.txt"):
        export_model(tiny_version(tiny_settings, "nli"), tmp_path / "out", onnx=True)
