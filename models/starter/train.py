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

from data.tasks import Task, get_task
from data.transfer import atomic_path
from models.calibration import fit_temperature
from models.device import choose_device
from models.encoder import ENCODER, encoder_dir
from models.folders import ADAPTER, CARD, read_card, write_json
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
    in full, `parent` a starter to go on from, whose head is taken over where it is of the same task.
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
        limit = options.get("max_words")
        if limit:
            found = [r for r in found if sum(len(t.split()) for p in task.text_pairs(r[0]) for t in p if t) <= limit]
        for label, most in options.get("most", {}).items():
            kept = sample([r for r in found if r[1] == task.labels.index(label)], most, seed)
            found = [r for r in found if r[1] != task.labels.index(label)] + kept
        chosen = sample(found, options.get("rows"), seed)
        rows += chosen * options.get("repeat", 1)
        print(f"{name}: {len(chosen)} of {len(found)} rows")
    random.Random(seed).shuffle(rows)
    return rows


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
    with (folder / "train.jsonl").open("w", encoding="utf-8") as file:
        for example, label in rows:
            file.write(json.dumps({**example, "label": label}, ensure_ascii=False) + "\n")


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
    card["temperature"] = round(fit_temperature(logits, [label for _, label in rows]), 4)
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
    try:
        encoder_dir()
        plan_path = recipe or RECIPES / f"{task}.json"
        plan = read_plan(plan_path)
        folder = work / f"{plan_path.stem}-seed{seed}"
        if not (folder / "job.json").exists():
            shutil.rmtree(folder, ignore_errors=True)
            rows = mixture(chosen, plan, data, seed)
            parent = plan.get("parent")
            options = Recipe.from_dict({**plan["recipe"], "seed": seed, "data": "corrections"})
            write_job(folder, chosen, rows, options, f"{task}-starter", HERE / parent if parent else None)
    except (DataError, RuntimeError, ValueError) as error:
        raise typer.Exit(_complain(error)) from None
    if not (folder / "version").exists():
        train(folder, device)
    version = folder / "version"
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
