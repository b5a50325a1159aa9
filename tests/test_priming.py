"""A repair of a starter, or of what came of it, begins with the lessons of its task, learnt beforehand."""

import json
import shutil

import pytest
import torch
import typer
from peft import get_peft_model_state_dict
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from data.lessons import load_lessons
from data.seed import seed_rows
from data.tasks import TASKS
from models import priming
from models.adapters import trainable_model
from models.folders import ADAPTER, CARD, STARTERS, read_card, write_json, write_rows
from models.priming import origin_of, prime, read_primer, write_primer
from models.recipe import Recipe, preset
from models.repair import retention_split
from models.starter import lessons
from models.training import train

NLI = TASKS["nli"]
STARTER = STARTERS / "nli"
MOST_BYTES = 6_000_000


@pytest.fixture
def taught(tmp_path, monkeypatch):
    """A copy of the starter that lessons moved, and the primer made of the two in place of the shipped ones."""
    folder = tmp_path / "taught"
    shutil.copytree(STARTER, folder)
    torch.manual_seed(0)
    moved = {n: (t.float() + 0.01 * torch.randn(t.shape)).half() for n, t in load_file(STARTER / ADAPTER).items()}
    save_file(moved, folder / ADAPTER)
    write_primer(STARTER, folder, tmp_path / "primers" / "nli.safetensors")
    monkeypatch.setattr(priming, "PRIMERS", tmp_path / "primers")
    read_primer.cache_clear()
    yield folder
    read_primer.cache_clear()


def adapter_of(folder):
    """The version as a model to train."""
    return trainable_model(folder, read_card(folder), NLI, Recipe(), torch.device("cpu"))[0]


def weights(model):
    return {name: tensor.float().clone() for name, tensor in get_peft_model_state_dict(model).items()}


def farthest(found, folder):
    return max((found[name] - tensor.float()).abs().max() for name, tensor in load_file(folder / ADAPTER).items())


def test_starter_begins_as_the_lessons_left_it(taught):
    model = adapter_of(STARTER)
    assert prime(model, "nli", origin_of(STARTER, read_card(STARTER)))
    assert farthest(weights(model), taught) < 1e-4


def test_half_the_share_is_half_the_way(taught):
    model = adapter_of(STARTER)
    start = weights(model)
    prime(model, "nli", origin_of(STARTER, {}), 0.5)
    for name, tensor in weights(model).items():
        halfway = (start[name] + load_file(taught / ADAPTER)[name].float()) / 2
        assert torch.allclose(tensor, halfway, atol=1e-4), name


def test_what_a_version_has_of_the_lessons_does_not_come_again(taught):
    model = adapter_of(taught)
    before = weights(model)
    assert prime(model, "nli", origin_of(STARTER, {}))
    assert all(torch.allclose(tensor, before[name], atol=1e-4) for name, tensor in weights(model).items())


@pytest.mark.parametrize(("task", "origin"), [("nli", "another"), ("nli", None), ("sentiment", None)])
def test_what_began_elsewhere_stays_as_it_is(taught, task, origin):
    model = adapter_of(STARTER)
    before = weights(model)
    assert not prime(model, task, origin)
    assert all(torch.equal(tensor, before[name]) for name, tensor in weights(model).items())


@pytest.mark.parametrize(("data", "begins"), [("phenomenon", True), ("replay", False)])
def test_run_begins_there_and_its_version_knows_its_origin(tmp_path, taught, data, begins):
    job = tmp_path / "job"
    job.mkdir()
    recipe = Recipe(epochs=0.01, learning_rate=1e-8, precision="fp32", data=data, primed=1.0)
    (job / "parent").symlink_to(STARTER)
    write_json(job / "job.json", {"task": "nli", "version": "child", "recipe": recipe.to_dict()})
    write_rows(job / "train.jsonl", [{**r["example"], "label": r["label"]} for r in seed_rows(NLI, "retention")[:4]])
    child = train(job, "cpu")
    assert (
        farthest({n: t.float() for n, t in load_file(child / ADAPTER).items()}, taught if begins else STARTER) < 1e-3
    )
    card = read_card(child)
    assert card["origin"] == origin_of(STARTER, read_card(STARTER)) == origin_of(child, card)


def test_origin_of_a_whole_model_is_unknown(tmp_path):
    write_json(tmp_path / CARD, {"task": "nli"})
    assert origin_of(tmp_path, {"task": "nli"}) is None


def test_presets_begin_with_the_lessons_of_the_tasks_that_have_them():
    primed = {name for name, task in TASKS.items() if preset("quick", task).primed}
    assert primed == {path.stem for path in priming.PRIMERS.glob("*.safetensors")}


@pytest.mark.parametrize("path", sorted(priming.PRIMERS.glob("*.safetensors")), ids=lambda path: path.stem)
def test_shipped_primer_is_of_the_shipped_starter_and_small(path):
    origin, moved = read_primer(path.stem)
    starter = STARTERS / path.stem
    assert origin == origin_of(starter, read_card(starter))
    assert {n: t.shape for n, t in moved.items()} == {n: t.shape for n, t in load_file(starter / ADAPTER).items()}
    assert path.stat().st_size < MOST_BYTES


def test_primer_is_made_of_all_lessons_and_general_rows(tmp_path, monkeypatch):
    monkeypatch.setattr(lessons, "preset", lambda *_: Recipe(batch_size=2, max_tokens=32))
    app = typer.Typer()
    app.command()(lessons.main)
    options = ["--task", "nli", "--work", tmp_path / "work", "--out", tmp_path / "out", "--pairs", 1, "--steps", 2]
    result = CliRunner().invoke(app, [*map(str, options), "--device", "cpu"])
    assert result.exit_code == 0, result.output
    rows = [json.loads(line) for line in (tmp_path / "work/nli_lessons-seed0/train.jsonl").read_text().splitlines()]
    assert sum("pair" in row for row in rows) == 2 * len(load_lessons(NLI))
    general = {NLI.content_hash(row) for row in rows if row.get("distil")}
    assert general == {NLI.content_hash(row["example"]) for row in retention_split(NLI)[0]}
    child = load_file(tmp_path / "work/nli_lessons-seed0/version" / ADAPTER)
    moved = load_file(tmp_path / "out")
    start = load_file(STARTER / ADAPTER)
    assert any(change.any() for change in moved.values())
    assert all(torch.allclose(start[n].float() + moved[n].float(), child[n].float(), atol=1e-3) for n in moved)
