"""A job folder in, a version folder out: learnt, complete, or not there."""

import dataclasses
import json
import os
import subprocess
import sys

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

from data.seed import seed_rows
from data.tasks import TASKS
from models.adapters import halve_frozen_weights, trainable_model
from models.batches import Rows, TrainingError, collate_rows, hide_words, read_rows
from models.folders import ADAPTER, CARD, STARTERS, WEIGHTS, CheckpointError, read_card, write_rows
from models.heads import make_head
from models.merged import compute_merged
from models.predictor import Predictor
from models.recipe import PRESETS, Recipe, parse_options, preset
from models.trainer import loss_of, twins_loss
from models.training import train
from settings import PROJECT
from tests.conftest import build_tiny, rows_of

TASK = TASKS["nli"]
NOT_NEEDED = ("sqlite_utils", "gradio", "pandas", "plotly", "sklearn", "captum", "typer")


def right(folder, name="nli", count=8):
    rows = seed_rows(TASKS[name], "retention")[:count]
    predictions = Predictor.load(folder).predict([row["example"] for row in rows])
    return sum(p.label == row["label"] for p, row in zip(predictions, rows, strict=True))


@pytest.mark.parametrize("method", ["lora", "adalora", "full"])
def test_eight_rows_are_learnt_by_heart(job, method):
    folder = job(rows_of(), method=method, epochs=40, batch_size=4)
    assert right(train(folder, "cpu")) == 8


def test_choices_of_any_number_are_learnt(job):
    rows = rows_of("commonsense", 6)
    rows.append({"question": "What is cold?", "choices": ["fire", "ice"], "label": 1})
    folder = job(rows, "commonsense", epochs=30, batch_size=4)
    assert right(train(folder, "cpu"), "commonsense", 6) >= 5


def test_adapter_version_is_small_and_says_where_it_comes_from(job, tiny_checkpoint):
    folder = train(job(rows_of(), seed=3), "cpu")
    assert (folder / ADAPTER).exists()
    assert not (folder / WEIGHTS).exists()
    card = json.loads((folder / CARD).read_text())
    assert (card["id"], card["parent"], card["base"]) == ("nli-v1", "nli-v0", str(tiny_checkpoint))
    assert (card["seed"], card["example_ids"], card["temperature"]) == (3, [7], 1.5)
    assert card["training"]["rows"] == 8
    assert set(card["libraries"]) == {"torch", "transformers", "peft", "accelerate", "safetensors"}
    assert str(tiny_checkpoint) not in (folder / "adapter_config.json").read_text()


def test_child_goes_on_from_its_parents_adapter(job, tmp_path):
    parent = train(job(rows_of(), epochs=40, batch_size=4), "cpu")
    second = job(rows_of(), folder="second", learning_rate=1e-8)
    (second / "parent" / CARD).unlink()
    for path in parent.iterdir():
        (second / "parent" / path.name).write_bytes(path.read_bytes())
    assert right(train(second, "cpu")) == 8


def test_same_seed_gives_the_same_version(job):
    weights = [
        (train(job(rows_of(), folder=name, seed=seed), "cpu") / ADAPTER).read_bytes()
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    ]
    assert weights[0] == weights[1]
    assert weights[0] != weights[2]


def test_progress_is_written_as_it_goes(job):
    folder = job(rows_of(), epochs=3, batch_size=4)
    train(folder, "cpu")
    progress = [json.loads(line) for line in (folder / "progress.jsonl").read_text().splitlines()]
    assert [row["step"] for row in progress] == list(range(1, 7))
    assert {row["steps"] for row in progress} == {6}
    assert set(progress[0]) == {"step", "steps", "epoch", "loss", "rows_per_s", "eta_s"}


def test_row_longer_than_the_window_is_cut(job):
    rows = rows_of(count=2)
    rows[0]["premise"] = "A dog barks. " * 100
    assert (train(job(rows, max_tokens=256), "cpu") / ADAPTER).exists()


def test_distilled_rows_keep_the_parents_answers(job, tiny_checkpoint):
    """Wrong labels pull the answers away; the divergence from the parent holds them."""
    parent_folder = job([], folder="parent-only") / "parent"
    kept = [row["example"] for row in seed_rows(TASK, "retention")[8:40]]
    before = Predictor.load(parent_folder).predict(kept)
    distance = {}
    for data in ("corrections", "replay", "distilled"):
        rows = rows_of()
        if data != "corrections":
            rows += [{**example, "label": 0, "distil": data == "distilled"} for example in kept]
        after = Predictor.load(train(job(rows, folder=data, data=data, epochs=8), "cpu")).predict(kept)
        distance[data] = sum(
            abs(p - q)
            for a, b in zip(before, after, strict=True)
            for p, q in zip(a.probabilities, b.probabilities, strict=True)
        )
    assert distance["distilled"] < 0.8 * distance["corrections"]
    assert distance["distilled"] < 0.2 * distance["replay"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "Expecting property name"),
        ("[]", r"expected an object; found \[\]"),
        ('{"premise": "A."}', "Hypothesis is empty"),
        ('{"premise": "A.", "hypothesis": "B."}', "label"),
        ('{"premise": "A.", "hypothesis": "B.", "label": 3}', "Expected as label an index from 0 to 2; found 3"),
        ('{"premise": "A.", "hypothesis": "B.", "label": "neutral"}', "not supported"),
        ('{"premise": "A.", "hypothesis": "B.", "label": 1, "weight": NaN}', "weight"),
        ('{"premise": "A.", "hypothesis": "B.", "label": 1, "weight": "much"}', "much"),
    ],
)
def test_malformed_row_is_named_by_line(job, line, reason):
    folder = job([*rows_of(count=2), line])
    with pytest.raises(TrainingError, match=rf"train\.jsonl line 3: .*{reason}"):
        read_rows(folder / "train.jsonl", TASK)


def test_job_without_rows_is_refused(job):
    folder = job([])
    (folder / "train.jsonl").write_text("")
    with pytest.raises(TrainingError, match="holds no rows"):
        train(folder, "cpu")


def test_loss_that_is_no_number_stops_the_run(job, tmp_path):
    base = build_tiny(tmp_path / "broken", "nli")
    tensors = load_file(base / WEIGHTS)
    tensors["classifier.bias"][:] = float("nan")
    save_file(tensors, base / WEIGHTS, metadata={"format": "pt"})
    folder = job(rows_of(), base=base, epochs=10)
    with pytest.raises(TrainingError, match="The loss became nan at step 1; lower the learning rate"):
        train(folder, "cpu")
    assert not (folder / "version").exists()


def test_run_that_fails_at_the_end_leaves_no_version(job, monkeypatch):
    def no_space(folder, *_):
        (folder / ADAPTER).write_bytes(b"half")
        raise OSError("no space left on device")

    monkeypatch.setattr("models.training.write_weights", no_space)
    folder = job(rows_of())
    with pytest.raises(OSError, match="no space left"):
        train(folder, "cpu")
    assert sorted(path.name for path in folder.iterdir() if "version" in path.name) == []


def test_damaged_parent_is_named(job):
    folder = job(rows_of())
    (folder / "parent" / CARD).write_text("{")
    with pytest.raises(CheckpointError, match="is damaged"):
        train(folder, "cpu")


def test_runs_where_only_the_training_libraries_are_installed(job):
    """As on a GPU node: a fresh interpreter that finds none of the page's and the store's libraries."""
    folder = job(rows_of())
    code = f"""
import importlib.machinery, runpy, sys

class Installed(importlib.machinery.PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] in {NOT_NEEDED!r} else super().find_spec(name, path, target)

sys.meta_path = [f for f in sys.meta_path if f is not importlib.machinery.PathFinder] + [Installed]
runpy.run_module("models.training", run_name="__main__")
loaded = {{name.partition(".")[0] for name in sys.modules}}
assert not loaded & set({NOT_NEEDED!r}), loaded
"""
    result = subprocess.run(
        [sys.executable, "-c", code, str(folder), "cpu"],
        cwd=PROJECT,
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert "Trained 8 row-passes" in result.stdout
    assert (folder / "version" / ADAPTER).exists()


def moved(folder):
    """Names of the tensors that training moved."""
    after = Predictor.load(folder / "version").model.state_dict()
    before = Predictor.load(folder / "parent").model.state_dict()
    return {name for name in after if not torch.equal(after[name], before[name])}


@pytest.mark.parametrize("method", ["lora", "full"])
def test_frozen_layers_stay_as_they_were(job, method):
    folder = job(rows_of(), method=method, frozen_layers=1, epochs=10)
    train(folder, "cpu")
    names = moved(folder)
    assert any(".layer.1." in name for name in names)
    assert not any(".layer.0." in name or "embeddings" in name for name in names)


@pytest.mark.parametrize("memory", [{"beta1": 0.5}, {"beta2": 0.5}])
def test_adams_memory_is_the_recipes(job, memory):
    steps = {"epochs": 4, "batch_size": 8, "warmup_share": 0.0}
    usual, other = (
        load_file(train(job(rows_of(), folder=name, **steps, **more), "cpu") / ADAPTER)
        for name, more in (("usual", {}), ("other", memory))
    )
    assert any(not torch.equal(usual[name], other[name]) for name in usual)


def test_more_frozen_layers_than_there_are_is_refused(job):
    with pytest.raises(ValueError, match="at most the encoder's 2 layers; found 9"):
        train(job(rows_of(), frozen_layers=9), "cpu")


def test_a_run_stops_where_held_out_twins_get_worse_and_keeps_the_best_weights(job):
    """The twins' labels contradict what is trained on. Of 120 steps 90 are made anyway, while the rate is high."""
    rows = rows_of()
    against = [{**row, "label": (row["label"] + 1) % 3} for row in rows]
    folder = job(rows, epochs=60, batch_size=4, patience=2, check_steps=5, precision="fp32")
    write_rows(folder / "twins.jsonl", against)
    assert 90 < read_card(train(folder, "cpu"))["training"]["steps"] < 120
    progress = [json.loads(line) for line in (folder / "progress.jsonl").read_text().splitlines()]
    checked = [row["twins_loss"] for row in progress if row["step"] > 90]
    assert checked[0] < checked[-1]
    kept, held = Predictor.load(folder / "version"), read_rows(folder / "twins.jsonl", TASK)
    twins = Rows(held, kept.encode([row["example"] for row in held]))
    loss = twins_loss(kept.model, kept.head, twins, torch.device("cpu"), bf16=False)
    assert loss == pytest.approx(min(checked), rel=0.01)  # of the best check, not the last


def test_a_run_whose_twins_improve_makes_all_its_steps(job):
    folder = job(rows_of(), epochs=10, batch_size=4, patience=3, check_steps=5)
    write_rows(folder / "twins.jsonl", rows_of())
    assert read_card(train(folder, "cpu"))["training"]["steps"] == 20


def worst_loss_nearby(folder, length=0.1):
    """Mean loss of the taught rows after a step of that length against their embeddings."""
    predictor = Predictor.load(folder / "version")
    rows, model = rows_of(), predictor.model
    batch = predictor.head.collate(predictor.encode([TASK.parse_example(row) for row in rows]))
    batch.pop("group_sizes")
    labels = torch.tensor([row["label"] for row in rows])
    words = model.get_input_embeddings()(batch.pop("input_ids")).detach().requires_grad_()
    (gradient,) = torch.autograd.grad(F.cross_entropy(model(inputs_embeds=words, **batch).logits, labels), words)
    pushed = words + length * gradient / gradient.flatten(1).norm(dim=1).view(-1, 1, 1)
    return float(F.cross_entropy(model(inputs_embeds=pushed, **batch).logits, labels))


def test_adversarial_training_holds_against_pushed_embeddings(job):
    found = {}
    for length in (0.0, 0.1):
        folder = job(rows_of(), folder=f"job{length}", epochs=120, adversarial=length)
        train(folder, "cpu")
        found[length] = worst_loss_nearby(folder)
        assert right(folder / "version") == 8
    assert found[0.1] < found[0.0]


def test_hidden_words_are_masked_and_special_tokens_are_not(tiny_checkpoint):
    tokenizer = Predictor.load(STARTERS / "nli").checkpoint.tokenizer
    ids = torch.tensor(tokenizer(["A dog sleeps on the mat."] * 40, ["An animal rests."] * 40)["input_ids"])
    torch.manual_seed(0)
    hidden = hide_words({"input_ids": ids}, Recipe(word_dropout=0.5), tokenizer)["input_ids"]
    special = torch.isin(ids, torch.tensor(tokenizer.all_special_ids))
    assert torch.equal(hidden[special], ids[special])
    changed = hidden != ids
    assert 0.4 < changed[~special].float().mean() < 0.6
    assert set(hidden[changed].tolist()) == {tokenizer.mask_token_id}
    assert torch.equal(hide_words({"input_ids": ids}, Recipe(), tokenizer)["input_ids"], ids)


def test_label_smoothing_keeps_answers_less_sure(job):
    sure = []
    for smoothing in (0.0, 0.3):
        folder = job(rows_of(), folder=f"job{smoothing}", epochs=30, label_smoothing=smoothing)
        train(folder, "cpu")
        said = Predictor.load(folder / "version").predict([TASK.parse_example(row) for row in rows_of()])
        sure.append(sum(max(p.probabilities) for p in said) / len(said))
    assert sure[1] < sure[0] - 0.05


def test_accumulated_batches_train_as_one_large_batch(job):
    made = []
    for name, size, accumulation in (("large", 8, 1), ("small", 4, 2)):
        folder = job(rows_of(), folder=name, epochs=2, batch_size=size, accumulation=accumulation, precision="fp32")
        train(folder, "cpu")
        made.append(load_file(folder / "version" / ADAPTER))
    for name in made[0]:
        assert torch.allclose(made[0][name], made[1][name], atol=2e-3), name


def test_frozen_weights_in_half_the_bits_answer_as_autocast_does(job):
    folder = job(rows_of())
    parent = read_card(folder / "parent")
    recipe = Recipe.from_dict({"rank": 4})
    model = trainable_model(folder / "parent", parent, TASK, recipe, torch.device("cpu"))[0].eval()
    batch = {"input_ids": torch.arange(5, 21).view(2, 8), "attention_mask": torch.ones(2, 8, dtype=torch.long)}
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        before = model(**batch).logits
    halve_frozen_weights(model)
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(model(**batch).logits, before)
    kept = {p.dtype for p in model.parameters() if p.requires_grad}
    assert kept == {torch.float32}


def test_merged_adapters_answer_and_learn_as_peft_has_them(job):
    folder = job(rows_of())
    parent = read_card(folder / "parent")
    batch = {"input_ids": torch.arange(5, 21).view(2, 8), "attention_mask": torch.ones(2, 8, dtype=torch.long)}
    results = []
    for merged in (False, True):
        torch.manual_seed(0)
        recipe = Recipe.from_dict({"rank": 4})
        model = trainable_model(folder / "parent", parent, TASK, recipe, torch.device("cpu"))[0].eval()
        for name, parameter in model.named_parameters():
            if "lora_B" in name:  # a fresh one is zero, and the first factor would have no gradient
                torch.nn.init.normal_(parameter, std=0.02)
        if merged:
            assert compute_merged(model) == 12
        logits = model(**batch).logits
        logits.square().sum().backward()
        results.append((logits, {n: p.grad for n, p in model.named_parameters() if p.requires_grad}))
    (plain, gradients), (logits, merged_gradients) = results
    assert torch.allclose(logits, plain, atol=1e-5)
    for name, gradient in gradients.items():
        assert torch.allclose(merged_gradients[name], gradient, atol=1e-5 * float(gradient.abs().max() + 1)), name


def test_adapters_with_dropout_of_their_own_are_left_to_peft(job):
    folder = job(rows_of())
    recipe = Recipe.from_dict({"rank": 4})
    model = trainable_model(folder / "parent", read_card(folder / "parent"), TASK, recipe, torch.device("cpu"))[0]
    for module in model.modules():
        if hasattr(module, "lora_dropout"):
            module.lora_dropout = torch.nn.ModuleDict({"default": torch.nn.Dropout(0.1)})
    assert compute_merged(model) == 0


def test_loss_of_absent_choices_is_none():
    logits = torch.tensor([[1.0, 2.0, float("-inf")], [1.0, 2.0, 3.0]])
    teacher = torch.tensor([[0.5, 0.5, 0.0], [0.0, 0.0, 0.0]])
    for smoothing in (0.0, 0.1):
        recipe = Recipe(label_smoothing=smoothing)
        loss = loss_of(logits, torch.tensor([1, 2]), torch.ones(2), teacher, recipe)
        assert torch.isfinite(loss)


def test_parents_own_answer_costs_a_distilled_row_nothing():
    logits = torch.tensor([[1.0, 2.0, 0.5]])
    loss = loss_of(logits, torch.tensor([0]), torch.ones(1), logits.softmax(-1), Recipe())
    assert float(loss) == pytest.approx(0, abs=1e-6)


def test_weights_count_rows_more_or_less():
    logits = torch.tensor([[2.0, 0.0], [0.0, 2.0]])
    labels = torch.tensor([0, 0])
    light, heavy = (float(loss_of(logits, labels, torch.tensor(w), None, Recipe())) for w in ([1.0, 0.0], [0.0, 1.0]))
    assert light < heavy


def test_batch_without_teachers_has_none(tiny_checkpoint):
    from transformers import AutoConfig, AutoTokenizer

    config, tokenizer = (auto.from_pretrained(tiny_checkpoint) for auto in (AutoConfig, AutoTokenizer))
    head = make_head(TASK, {"base": "x"}, config, tokenizer)
    encoded = head.encode([seed_rows(TASK, "gallery")[0]["example"]])
    assert "teacher" not in collate_rows([(encoded[0], 1, 1.0, None, ())], head)
    assert collate_rows([(encoded[0], 1, 1.0, torch.ones(3) / 3, ())], head)["teacher"].shape == (1, 3)


@pytest.mark.parametrize(
    "option",
    [{"epochs": 0}, {"rank": 0}, {"learning_rate": 2}, {"method": "magic"}, {"data": "all"}, {"epochs": "6"}],
)
def test_recipe_that_cannot_work_is_refused(option):
    with pytest.raises(ValueError, match=f"Recipe option {next(iter(option))}"):
        Recipe(**option)


def test_recipe_with_an_unknown_option_is_refused():
    with pytest.raises(ValueError, match=r"found \['speed'\]"):
        Recipe.from_dict({"speed": 3})


@pytest.mark.parametrize("name", PRESETS)
def test_recipe_survives_json(name):
    assert Recipe.from_dict(json.loads(json.dumps(preset(name).to_dict()))) == preset(name)


def test_options_are_read_from_texts():
    assert parse_options(["label_smoothing=0.1", "method=full", "frozen_layers=2"]) == {
        "label_smoothing": 0.1,
        "method": "full",
        "frozen_layers": 2,
    }
    with pytest.raises(ValueError, match="NAME=VALUE"):
        parse_options(["rank"])
    with pytest.raises(ValueError, match="no recipe option 'rang'"):
        parse_options(["rang=3"])


def test_unknown_preset_lists_the_known_ones():
    with pytest.raises(ValueError, match="quick, balanced, thorough; found 'best'"):
        preset("best")


def test_a_preset_brings_lessons_where_they_were_measured_to_help():
    assert preset("quick", TASKS["nli"]).lessons == preset("quick").lessons == 0
    assert preset("quick", TASKS["sentiment"]).lessons > 0 < preset("quick", TASKS["commonsense"]).lessons


def test_a_preset_takes_fewer_rows_a_step_where_each_has_choices():
    plain, choices = preset("quick", TASKS["sentiment"]), preset("quick", TASKS["commonsense"])
    assert choices.batch_size < plain.batch_size
    assert dataclasses.replace(choices, batch_size=plain.batch_size) == plain
