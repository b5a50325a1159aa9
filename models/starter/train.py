"""Makes a starter: `python -m models.starter.train --task nli --data DIR`.

Reads `recipes/<task>.json`, mixes the sets it names into one job folder, trains the embedded encoder on it
with `models.training`, fits its temperature, prints a table of each validation and test split, and puts the
finished version into `models/starter/<task>`. An interrupted run goes on from its last checkpoint when called again.
"""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from safetensors.torch import load_file, save_file

from data.tasks import TASKS, Task, get_task
from data.tasks.spans import SpanTask
from data.transfer import atomic_path
from models.calibration import fit_temperature
from models.device import choose_device
from models.encoder import ENCODER, encoder_dir
from models.folders import ADAPTER, ADAPTER_CONFIG, CARD, STARTERS, read_card, save_version, write_json, write_rows
from models.predictor import Predictor
from models.recipe import Recipe
from models.starter.datasets import DataError, Row, read_hub, read_split, sample
from models.starter.evaluation import score_sets, table_text
from models.training import train

HERE = Path(__file__).parent
RECIPES = HERE / "recipes"
HEAD = "base_model.model.classifier."


def read_plan(path: Path) -> dict[str, Any]:
    """The recipe file.

    `sets` maps a set's name to what is taken of it (`rows`, `repeat`, `max_words`, `most` rows of a label), where
    it is on the Hub (`hub`, `columns`) and its `licence` and `source`; `recipe` holds the options of the run,
    `calibrate` the sets whose validation splits set the temperature, `main` the test splits that the card shows
    in full, `parent` a run or a starter to go on from, whose head is taken over where it is of the same task.
    `unmarked` in a set names types of spans that it never marks, `lowered` the share of rows that are read in lower
    case as well. `average` names other recipe files, with weights, whose adapters are averaged instead; `label_shift`
    moves logits afterwards.
    """
    return json.loads(path.read_text(encoding="utf-8"))


def mixture(task: Task, plan: dict[str, Any], data: Path | None, seed: int) -> list[Row]:
    """The training rows of every set in the plan, shuffled with the seed. Raises DataError."""
    rows: list[Row] = []
    for name, options in plan["sets"].items():
        if data is not None:
            found = read_split(data, task, name, "train")
        else:
            if "hub" not in options:
                print(f"{name}: no Hub name in the recipe, left out.")
                continue
            found = read_hub(task, options["hub"], "train", options.get("columns", {}))
        if unmarked := options.get("unmarked"):
            found = [({**example, "unmarked": unmarked}, label) for example, label in found]
        limit = options.get("max_words")
        if limit:
            found = [r for r in found if sum(len(t.split()) for p in task.text_pairs(r[0]) for t in p if t) <= limit]
        for label, most in options.get("most", {}).items():
            kept = sample([r for r in found if r[1] == task.labels.index(label)], most, seed)
            found = [r for r in found if r[1] != task.labels.index(label)] + kept
        chosen = sample(found, options.get("rows"), seed)
        rows += chosen * options.get("repeat", 1)
        print(f"{name}: {len(chosen)} of {len(found)} rows")
    if share := plan.get("lowered"):
        drawn = sample(rows, round(share * len(rows)), seed)
        rows += [({**example, "text": _lowered(example["text"])}, label) for example, label in drawn]
    random.Random(seed).shuffle(rows)
    return rows


def _lowered(text: str) -> str:
    """In lower case, with every character at its place."""
    return "".join(c.lower() if len(c.lower()) == 1 else c for c in text)


def write_job(folder: Path, task: Task, rows: list[Row], recipe: Recipe, version: str, parent: Path | None) -> None:
    """A job folder that `models.training` reads; `parent` None starts from the bare encoder."""
    if parent is None:
        (folder / "parent").mkdir(parents=True)
        write_json(folder / "parent" / CARD, {"id": ENCODER, "task": task.name, "base": ENCODER, "seed": recipe.seed})
    else:
        copy_parent(parent, folder / "parent", task, recipe.seed)
    write_json(
        folder / "job.json",
        {"task": task.name, "version": version, "parent": None, "recipe": recipe.to_dict()},
    )
    write_rows(folder / "train.jsonl", ({**example, "label": label} for example, label in rows))


def make_run(task: Task, plan_path: Path, data: Path | None, work: Path, seed: int, device: str) -> Path:
    """The folder of a recipe's finished run, with `version/` in it: trained, or the mean of the runs it names.

    A run that it goes on from is made first. Raises DataError, RuntimeError and ValueError.
    """
    plan, folder = read_plan(plan_path), work / f"{plan_path.stem}-seed{seed}"
    names = list(plan.get("average", {}))
    if (parent := plan.get("parent")) and parent not in TASKS:
        names.append(parent)
    if (folder / "version").exists():
        return folder
    made = {name: make_run(task, plan_path.with_name(f"{name}.json"), data, work, seed, device) for name in names}
    if "average" in plan:
        average([made[n] / "version" for n in plan["average"]], list(plan["average"].values()), folder / "version")
    else:
        train(prepare_run(task, plan_path, data, work, seed), device)
    return folder


def prepare_run(task: Task, plan_path: Path, data: Path | None, work: Path, seed: int) -> Path:
    """The job folder of one training run, ready to be trained or to go on. Raises DataError and ValueError."""
    folder = work / f"{plan_path.stem}-seed{seed}"
    if not (folder / "job.json").exists():
        plan = read_plan(plan_path)
        shutil.rmtree(folder, ignore_errors=True)
        rows = mixture(task, plan, data, seed)
        options = Recipe.from_dict({**plan["recipe"], "seed": seed, "data": "corrections"})
        write_job(folder, task, rows, options, f"{task.name}-starter", find_parent(plan.get("parent"), work, seed))
    return folder


def find_parent(name: str | None, work: Path, seed: int) -> Path | None:
    """The version to go on from: that of a run made before with the same seed, or a shipped starter."""
    if name is None:
        return None
    made = work / f"{name}-seed{seed}" / "version"
    return made if made.exists() else STARTERS / name


def average(versions: list[Path], weights: list[float], target: Path) -> Path:
    """A version whose adapter is the weighted mean of the others' (Wortsman et al. 2022, model soups).

    They have to be of one recipe's shape and one seed, so that their factors began at the same place.
    """
    cards = [read_card(version) for version in versions]
    tensors = [load_file(version / ADAPTER) for version in versions]
    training = {
        **cards[-1]["training"],
        **{name: round(sum(card["training"][name] for card in cards), 2) for name in ("rows", "seconds")},
    }
    card = {**cards[-1], "training": training, "average": [card["recipe"] for card in cards]}

    def write_files(out: Path) -> None:
        shutil.copyfile(versions[0] / ADAPTER_CONFIG, out / ADAPTER_CONFIG)
        mean = {
            name: sum(w * one[name].float() for w, one in zip(weights, tensors, strict=True)).to(
                tensors[0][name].dtype
            )
            for name in tensors[0]
        }
        save_file(mean, out / ADAPTER, metadata={"format": "pt"})

    return save_version(target, card, write_files)


def shift_labels(version: Path, task: Task, shifts: dict[str, float]) -> None:
    """Moves the logits of labels by so much, in the head's bias: a mixture's share of a label is not the world's."""
    card, tensors = read_card(version), load_file(version / ADAPTER)
    for label, shift in shifts.items():
        tensors[f"{HEAD}bias"][task.labels.index(label)] += shift
    save_file(tensors, version / ADAPTER, metadata={"format": "pt"})
    write_json(version / CARD, {**card, "label_shift": shifts})


def copy_parent(source: Path, target: Path, task: Task, seed: int = 0) -> None:
    """A starter as a parent to go on from; one of another task lends its encoder, and the head starts afresh."""
    shutil.copytree(source, target)
    card = read_card(source)
    if card["task"] != task.name:
        write_json(target / CARD, {**card, "task": task.name})
        tensors = load_file(target / ADAPTER)
        width = tensors[f"{HEAD}weight"].shape[1]
        fresh = torch.randn(len(task.labels) or 1, width, generator=torch.Generator().manual_seed(seed))
        tensors |= {f"{HEAD}weight": 0.02 * fresh, f"{HEAD}bias": torch.zeros(len(fresh))}
        save_file(tensors, target / ADAPTER, metadata={"format": "pt"})


def calibrate(version: Path, task: Task, data: Path, names: list[str], limit: int = 4000) -> float:
    """Fits the version's temperature on those sets' validation splits and stores it in its card."""
    card = read_card(version)
    predictor = Predictor.load(version, choose_device("auto"))
    rows = [row for name in names for row in sample(read_split(data, task, name, "validation"), limit, 0)]
    logits = predictor.logits(predictor.encode([example for example, _ in rows]), batch_size=64)
    labels = [label for _, label in rows]
    if isinstance(task, SpanTask):  # a row of logits for each word
        encoded = predictor.encode([example for example, _ in rows])
        targets = [predictor.head.targets([e], [y])[0][: e.labels] for e, y in zip(encoded, labels, strict=True)]
        labels = [int(tag) for row in targets for tag in row]
        logits = [word for row in logits for word in row]
    card["temperature"] = round(fit_temperature(logits, labels), 4)
    write_json(version / CARD, card)
    return card["temperature"]


def install(version: Path, target: Path) -> None:
    """Puts the finished version's files into `target`, each whole or not at all, `version.json` last."""
    target.mkdir(parents=True, exist_ok=True)
    for path in sorted(version.iterdir(), key=lambda path: path.name == CARD):
        with atomic_path(target / path.name) as partial:
            shutil.copyfile(path, partial)


def main(
    task: Annotated[str, typer.Option(help="nli, sentiment or commonsense")],
    data: Annotated[Path | None, typer.Option(help="folder with <task>/<set>/<split>.jsonl.gz")] = None,
    hub: Annotated[bool, typer.Option(help="load the recipe's Hub data sets instead")] = False,
    recipe: Annotated[Path | None, typer.Option(help="another recipe file")] = None,
    out: Annotated[Path | None, typer.Option(help="where the version goes")] = None,
    work: Annotated[Path, typer.Option(help="where the job folder is kept")] = Path(".build/starter"),
    seed: Annotated[int, typer.Option()] = 0,
    limit: Annotated[int | None, typer.Option(help="rows scored of each split")] = None,
    device: Annotated[str, typer.Option()] = "auto",
) -> None:
    chosen = get_task(task)
    if (data is None) == (not hub):
        raise typer.BadParameter("Expected either --data DIR or --hub.")
    plan_path = recipe or RECIPES / f"{task}.json"
    try:
        encoder_dir()
        plan = read_plan(plan_path)
        folder = make_run(chosen, plan_path, data, work, seed, device)
    except (DataError, RuntimeError, ValueError) as error:
        raise typer.Exit(_complain(error)) from None
    version = folder / "version"
    if "label_shift" in plan and "label_shift" not in read_card(version):
        shift_labels(version, chosen, plan["label_shift"])
    if data is not None:
        temperature = calibrate(version, chosen, data, plan["calibrate"])
        print(f"Temperature {temperature:.3f}, fitted on {', '.join(plan['calibrate'])} (validation).")
        predictor = Predictor.load(version, choose_device(device))
        table = score_sets(
            predictor, data, limit=limit, on_row=lambda row: print(row["set"], row["split"], "done", flush=True)
        )
        write_json(folder / "metrics.json", table)
        print(table_text(table))
    install(version, out or HERE / task)
    print(f"Wrote {out or HERE / task}")


def _complain(error: Exception) -> int:
    typer.echo(f"error: {error}", err=True)
    return 1


if __name__ == "__main__":
    typer.run(main)
