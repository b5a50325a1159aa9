"""Of what a run changed the layers keep what answers taught rows as trained and general ones as the parent did."""

import numpy as np
import pytest
import torch

from data.seed import seed_rows
from data.tasks import TASKS
from models.adapters import trainable_model
from models.anchoring import RIDGE, Anchor
from models.batches import Rows, read_rows
from models.folders import read_card
from models.heads import make_head
from models.recipe import Recipe
from models.training import train
from tests.conftest import rows_of

TASK = TASKS["nli"]
LAYER = "encoder.layer.1.output.dense"
WEIGHT = 0.5


def rows(general=40):
    """Eight taught ones that are wrong, and others that keep the parent's answers."""
    kept = [{**row["example"], "label": row["label"], "distil": True} for row in seed_rows(TASK, "retention")[8:48]]
    return [{**row, "label": 2} for row in rows_of()] + kept[:general]


class Run:
    """A parent as a model to train, as `models.training` makes it, and its rows."""

    def __init__(self, folder, **options):
        card, recipe = read_card(folder / "parent"), Recipe(rank=4, **options)
        device = torch.device("cpu")
        self.model, tokenizer, _ = trainable_model(folder / "parent", card, TASK, recipe, device)
        self.head = make_head(TASK, card, self.model.config, tokenizer)
        found = read_rows(folder / "train.jsonl", TASK)
        self.rows = Rows(found, self.head.encode([row["example"] for row in found]))
        (self.layer,) = (m for name, m in self.model.named_modules() if name.endswith(LAYER))
        self.model.eval()

    def move(self, size=0.05):
        """Every weight that training may change, as a run might: at random."""
        torch.manual_seed(1)
        with torch.no_grad():
            for parameter in self.model.parameters():
                if parameter.requires_grad:
                    parameter.add_(size * torch.randn_like(parameter))

    def inputs(self, distil):
        """What the layer is given for the rows, filling left out: (token, input)."""
        seen, found = [], []
        handle = self.layer.register_forward_pre_hook(lambda _module, given: seen.append(given[0]))
        with torch.inference_mode():
            for encoded, row in zip(self.rows.encoded, self.rows.rows, strict=True):
                if row["distil"] == distil:
                    batch = self.head.collate([encoded])
                    self.head.logits(self.model, batch)
                    found.append(seen.pop()[batch["attention_mask"].bool()].double().numpy())
        handle.remove()
        return np.concatenate(found)

    def weight(self):
        base = getattr(self.layer, "base_layer", self.layer)
        change = self.layer.get_delta_weight("default") if base is not self.layer else 0.0
        return (base.weight + change).detach().double().numpy()


def best(run, before, after, taught, general):
    """The weights that numpy finds for both kinds of rows, each weighed by its mean, and the ridge."""
    parts = [taught / len(taught) ** 0.5, general * (WEIGHT / len(general)) ** 0.5]
    moments = sum(part.T @ part for part in parts)
    parts.append((RIDGE * np.trace(moments) / len(moments)) ** 0.5 * np.eye(len(moments)))
    wanted = [parts[0] @ after.T, *(part @ before.T for part in parts[1:])]
    return np.linalg.lstsq(np.concatenate(parts), np.concatenate(wanted), rcond=None)[0].T


@pytest.mark.parametrize("method", ["full", "lora", "adalora"])
def test_a_layers_weights_are_the_best_for_both_kinds_of_rows(job, method):
    run = Run(job(rows()), method=method)
    before, general = run.weight(), run.inputs(distil=True)
    anchor = Anchor(run.model, run.head, run.rows, WEIGHT, bf16=False)
    run.move()
    after, taught = run.weight(), run.inputs(distil=False)
    anchor.apply()
    size = np.abs(after - before).max()
    assert np.abs(run.weight() - after).max() > 0.1 * size
    assert np.abs(run.weight() - best(run, before, after, taught, general)).max() < 1e-3 * size


def test_a_grandchild_keeps_its_rank_and_comes_near_the_best(job):
    first = job(rows(), folder="first", rank=4, learning_rate=5e-3, epochs=8)
    parent = train(first, "cpu")
    folder = job(rows(), folder="second")
    for path in parent.iterdir():
        (folder / "parent" / path.name).write_bytes(path.read_bytes())
    run = Run(folder)
    before, general = run.weight(), run.inputs(distil=True)
    anchor = Anchor(run.model, run.head, run.rows, WEIGHT, bf16=False)
    run.move(0.02)
    after, taught = run.weight(), run.inputs(distil=False)
    shape = run.layer.lora_A["default"].weight.shape
    anchor.apply()
    assert run.layer.lora_A["default"].weight.shape == shape

    def miss(weight):
        return (
            np.square(taught @ (weight - after).T).mean() + WEIGHT * np.square(general @ (weight - before).T).mean()
        )

    least = miss(best(run, before, after, taught, general))
    assert least <= miss(run.weight()) < 0.5 * min(miss(before), miss(after))


@pytest.mark.parametrize(("weight", "general"), [(0.0, 40), (5.0, 0)])
def test_nothing_is_anchored_without_weight_or_general_rows(job, weight, general):
    run = Run(job(rows(general)))
    anchor = Anchor(run.model, run.head, run.rows, weight, bf16=False)
    run.move()
    after = run.weight()
    anchor.apply()
    assert np.array_equal(run.weight(), after)


def test_layers_that_no_row_reaches_and_shared_word_vectors_stay(job):
    run = Run(job(rows()), method="full")
    words, hidden = run.model.get_input_embeddings(), run.model.config.hidden_size
    run.model.spare = torch.nn.Linear(hidden, hidden)
    run.model.last = torch.nn.Linear(hidden, len(words.weight), bias=False)
    run.model.last.weight = words.weight

    def reach(_module, _given, output):
        run.model.last(output)

    run.layer.register_forward_hook(reach)
    anchor = Anchor(run.model, run.head, run.rows, WEIGHT, bf16=False)
    run.move()
    kept = [words.weight.clone(), run.model.spare.weight.clone()]
    before = run.weight()
    anchor.apply()
    assert torch.equal(words.weight, kept[0])
    assert torch.equal(run.model.spare.weight, kept[1])
    assert not np.array_equal(run.weight(), before)


def test_a_run_is_anchored_before_its_end(job):
    files = {}
    for weight in (0.0, 0.5):
        folder = job(rows(), folder=f"weight-{weight}", rank=4, learning_rate=5e-3, epochs=4, anchored=weight)
        files[weight] = (train(folder, "cpu") / "adapter_model.safetensors").read_bytes()
    assert files[0.0] != files[0.5]
