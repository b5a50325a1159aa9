"""Making a starter from data files, and the files that are shipped."""

import gzip
import json
import shutil
import sys
import types

import pytest
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

from data.seed import seed_rows
from data.tasks import TASKS
from models.adapters import trainable_model
from models.encoder import ENCODER, encoder_dir
from models.folders import ADAPTER, STARTERS, read_card
from models.predictor import Predictor
from models.recipe import Recipe
from models.starter import datasets
from models.starter.card import MEASURED, PLOT, card_text, report_text, runs_of
from models.starter.evaluation import own_sets, table_text
from models.starter.train import HEAD, RECIPES, copy_parent, mixture, read_plan
from tests.conftest import STARTED

NLI = TASKS["nli"]
MAX_ADAPTER_BYTES = 12_000_000


@pytest.fixture
def data_folder(tmp_path):
    """A folder as the public data sets come, with a few of the project's own rows in it."""
    folder = tmp_path / "data"
    for name in ("one", "two"):
        write_split(folder, name, "train", 8)
        write_split(folder, name, "validation", 9)
    return folder


def write_split(folder, name, split, rows):
    path = folder / "nli" / name / f"{split}.jsonl.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(path, "wt", encoding="utf-8") as file:
        for row in seed_rows(NLI, "retention")[:rows]:
            file.write(json.dumps({**row["example"], "label": NLI.labels[row["label"]]}) + "\n")
    return path


@pytest.fixture
def recipe(tmp_path):
    path = tmp_path / "recipe.json"
    plan = {
        "sets": {"one": {"repeat": 2}, "two": {"rows": 4, "max_words": 30}},
        "recipe": {"rank": 2, "epochs": 1, "batch_size": 8, "max_tokens": 32},
        "calibrate": ["one"],
    }
    path.write_text(json.dumps(plan), encoding="utf-8")
    return path


def make(tmp_path, recipe, *arguments):
    import typer

    from models.starter.train import main

    app = typer.Typer()
    app.command()(main)
    options = ["--task", "nli", "--recipe", str(recipe), "--out", str(tmp_path / "out"), "--device", "cpu"]
    return CliRunner().invoke(app, [*options, "--work", str(tmp_path / "work"), *map(str, arguments)])


def test_a_starter_is_made_calibrated_and_measured(tmp_path, recipe, data_folder):
    result = make(tmp_path, recipe, "--data", data_folder)
    assert result.exit_code == 0, result.output
    card = read_card(tmp_path / "out")
    assert (card["base"], card["training"]["rows"]) == (ENCODER, 20)
    assert card["temperature"] > 0
    assert "| one | validation | 9 |" in result.output
    assert len(Predictor.load(tmp_path / "out").predict([seed_rows(NLI, "gallery")[0]["example"]])) == 1


def test_a_starter_of_another_task_lends_its_encoder_and_not_its_head(tmp_path):
    copy_parent(STARTERS / "nli", tmp_path / "parent", TASKS["commonsense"])
    lent = load_file(tmp_path / "parent" / ADAPTER)
    given = load_file(STARTERS / "nli" / ADAPTER)
    assert read_card(tmp_path / "parent")["task"] == "commonsense"
    changed = {name for name in given if not torch.equal(given[name], lent[name])}
    assert changed == {f"{HEAD}weight", f"{HEAD}bias"}
    recipe = Recipe.from_dict({"rank": 64})
    model, _, adapted = trainable_model(
        tmp_path / "parent", read_card(tmp_path / "parent"), TASKS["commonsense"], recipe, torch.device("cpu")
    )
    weights = dict(model.named_parameters())
    assert adapted
    assert weights["base_model.model.classifier.modules_to_save.default.weight"].shape == (1, 384)
    name = next(name for name in lent if name.endswith("lora_B.weight"))
    assert torch.equal(weights[name.replace("lora_B.", "lora_B.default.")], lent[name].float())


def test_runs_are_averaged_and_labels_shifted(tmp_path, recipe, data_folder):
    plan = json.loads(recipe.read_text())
    for name in ("first", "second"):
        (tmp_path / f"{name}.json").write_text(json.dumps(plan))
    both = {"average": {"first": 0.5, "second": 0.5}, "label_shift": {"neutral": -2.0}, "calibrate": ["one"]}
    recipe.write_text(json.dumps(both))
    result = make(tmp_path, recipe, "--data", data_folder)
    assert result.exit_code == 0, result.output
    made, one = (load_file(f / ADAPTER) for f in (tmp_path / "out", tmp_path / "work" / "first-seed0" / "version"))
    neutral = NLI.labels.index("neutral")
    for name in made:  # both runs are the same, so their mean is either
        expected = one[name].clone()
        if name == f"{HEAD}bias":
            expected[neutral] -= 2
        assert torch.allclose(made[name], expected, atol=2e-3), name
    card = read_card(tmp_path / "out")
    assert (card["training"]["rows"], card["label_shift"]) == (40, {"neutral": -2.0})
    again = make(tmp_path, recipe, "--data", data_folder)
    assert again.exit_code == 0, again.output
    assert torch.equal(load_file(tmp_path / "out" / ADAPTER)[f"{HEAD}bias"], made[f"{HEAD}bias"])


def test_a_label_can_be_held_down(data_folder, capsys):
    plan = {"sets": {"one": {"most": {"neutral": 1}}}}
    rows = mixture(NLI, plan, data_folder, 0)
    labels = [NLI.labels[label] for _, label in rows]
    assert labels.count("neutral") == 1
    assert labels.count("entailment") > 1
    assert rows == mixture(NLI, plan, data_folder, 0)


def test_a_missing_data_set_and_a_bad_line_are_named_and_nothing_is_written(tmp_path, recipe, data_folder):
    shutil.rmtree(data_folder / "nli" / "two")
    result = make(tmp_path, recipe, "--data", data_folder)
    assert result.exit_code == 1
    assert "two/train.jsonl.gz" in result.output
    path = write_split(data_folder, "two", "train", 3)
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()) + b'{"premise": "A", "label": "neutral"}\n'))
    result = make(tmp_path, recipe, "--data", data_folder)
    assert result.exit_code == 1
    assert "train.jsonl.gz line 4: Hypothesis is empty" in result.output
    assert not (tmp_path / "out").exists()


def test_an_altered_encoder_stops_the_script(tmp_path, recipe, data_folder, monkeypatch):
    shutil.copytree(encoder_dir(), tmp_path / "encoder")
    with (tmp_path / "encoder" / "model.safetensors").open("r+b") as file:
        file.seek(-4, 2)
        file.write(b"\0\0\0\1")
    monkeypatch.setenv("BLINDSPOT_ENCODER", str(tmp_path / "encoder"))
    result = make(tmp_path, recipe, "--data", data_folder)
    assert result.exit_code == 1
    assert "altered" in result.output
    assert not (tmp_path / "out").exists()


def test_a_damaged_archive_is_named(data_folder):
    path = data_folder / "nli" / "one" / "train.jsonl.gz"
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(datasets.DataError, match=r"one/train.jsonl.gz line"):
        datasets.read_split(data_folder, NLI, "one", "train")


def test_hub_rows_are_mapped_by_column_and_label_name(monkeypatch):
    """The loading library is stood in for: there is no network here."""

    class Rows(list):
        features = {"gold": types.SimpleNamespace(names=["contradiction", "neutral", "entailment"])}  # noqa: RUF012

    records = Rows([{"a": "A dog.", "b": "A pet.", "gold": 2}, {"a": "A dog.", "b": "A cat.", "gold": -1}])
    stand_in = types.SimpleNamespace(load_dataset=lambda path, name, split: records)
    monkeypatch.setitem(sys.modules, "datasets", stand_in)
    columns = {"premise": "a", "hypothesis": "b", "label": "gold"}
    assert datasets.read_hub(NLI, "some/set:part", "train", columns) == [
        ({"premise": "A dog.", "hypothesis": "A pet."}, 0)
    ]


@pytest.mark.parametrize("task", STARTED)
def test_the_shipped_starter_is_whole_small_and_better_than_chance_on_the_own_sets(task):
    assert (STARTERS / task / ADAPTER).stat().st_size < MAX_ADAPTER_BYTES
    predictor = Predictor.load(STARTERS / task)
    table = own_sets(predictor)
    assert [row["split"] for row in table] == ["validation", "retention"]
    retention = table[1]
    assert retention["low"] > 0.1 + retention.get("chance", 1 / 3)
    assert f"| own | retention | {retention['rows']} |" in table_text(table)


@pytest.mark.parametrize("task", STARTED)
def test_a_version_answers_the_same_to_the_bit_each_time_it_is_loaded(task):
    examples = [row["example"] for row in seed_rows(TASKS[task], "gallery")[:24]]
    first, second = (Predictor.load(STARTERS / task).predict(examples) for _ in range(2))
    assert [p.probabilities for p in first] == [p.probabilities for p in second]


NOT_FOR_ALL = {"sick", "xnli_en", "airline_tweets"}
"""Public sets for non-commercial use alone: nothing that is shipped may have learnt from them."""


@pytest.mark.parametrize("task", STARTED)
def test_the_card_is_what_the_figures_and_the_recipe_say(task):
    plan, folder = read_plan(RECIPES / f"{task}.json"), STARTERS / task
    for run in runs_of(plan):
        assert not NOT_FOR_ALL & set(run["sets"])
        assert all("licence" in options for options in run["sets"].values())
    measured = json.loads((folder / MEASURED).read_text(encoding="utf-8"))
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert text == card_text(TASKS[task], plan, read_card(folder), measured)
    assert f"({PLOT})" in text
    assert (folder / PLOT).stat().st_size > 1000
    assert f"Temperature {read_card(folder)['temperature']:g}" in text


def test_report_of_a_confusion_matrix_is_scikit_learns():
    from sklearn.metrics import precision_recall_fscore_support

    right, said = [0, 0, 0, 1, 1, 2], [0, 1, 0, 1, 2, 2]
    confusion = [[2, 1, 0], [0, 1, 1], [0, 0, 1]]
    precision, recall, f1, rows = precision_recall_fscore_support(right, said)
    expected = f"{100 * precision[1]:.1f} | {100 * recall[1]:.1f} | {100 * f1[1]:.1f} | {rows[1]} |"
    assert f"| neutral | {expected}" in report_text(NLI, confusion)
