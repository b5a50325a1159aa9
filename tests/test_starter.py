"""Making a starter from data files, and the files that are shipped."""

import gzip
import json
import shutil
import sys
import types

import pytest
from typer.testing import CliRunner

from data.seed import seed_rows
from data.tasks import TASKS
from models.encoder import ENCODER, encoder_dir
from models.folders import ADAPTER, read_card
from models.predictor import Predictor
from models.registry import STARTERS
from models.starter import datasets
from models.starter.evaluation import score_rows, table_text, wilson_interval

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


def test_intervals_hold_the_share_and_narrow_with_more_rows():
    low, high = wilson_interval(8, 10)
    assert low < 0.8 < high
    assert wilson_interval(800, 1000)[0] > low
    assert wilson_interval(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize("task", TASKS)
def test_the_shipped_starter_is_whole_small_and_better_than_chance_on_the_own_sets(task):
    assert (STARTERS / task / ADAPTER).stat().st_size < MAX_ADAPTER_BYTES
    predictor = Predictor.load(STARTERS / task)
    rows = [(row["example"], row["label"]) for row in seed_rows(TASKS[task], "retention")]
    predictions = predictor.predict([example for example, _ in rows], batch_size=64)
    result = score_rows(TASKS[task], rows, predictions)
    assert result["low"] > 0.1 + result.get("chance", 1 / 3)
    assert f"| own | retention | {len(rows)} |" in table_text([{"set": "own", "split": "retention", **result}])
