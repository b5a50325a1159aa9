"""How well a repair teaches the phenomenon, and what it breaks: `python -m benchmarks.repair`.

For each suite that the starter fails at least half of: k corrections from some of its templates with some of
its words (and five confirmed neighbours), then four ways to train on them, side by side. Measured are

    unseen      rows of other templates with other words
    contrasts   near neighbours of those: the same vocabulary and shape, another right label
    retention   the project's own general examples that no run trains on, and of each public set in --data a sample

`corrections` is what a user would write: full fine-tuning in float32 by the Hugging Face Trainer on the
corrections alone. `replay` adds the retention set, `distilled` takes the parent's answers for its targets,
`phenomenon` adds siblings and contrasts; `--try NAME=VALUE,...` trains so with other options besides. `ours` is what
the app offers to promote: `phenomenon`, and where the gate holds it back the strength that the report suggests; its
seconds include the scoring of strengths.

`--out` keeps every row. `--rows A.json --rows B.json` runs nothing and puts such files together: a line for each
suite, the mean of its seeds, and for each task the mean of its suites and how far that moves from seed to seed.
"""

from __future__ import annotations

import dataclasses
import json
import statistics
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks.machine import describe_machine
from data.examples import Selection
from data.seed import seed_rows
from data.suites.base import Suite
from data.suites.expand import expand, split_suite
from data.suites.load import load_suites
from data.tasks import Task
from models.device import choose_device
from models.dial import best_alpha, score_dial, write_blend
from models.evaluation import accuracy
from models.folders import STARTERS, write_rows
from models.job_folder import trained_hashes
from models.predictor import Predictor
from models.recipe import Recipe, parse_options, preset
from models.repair import retention_split, stopping_rows, training_rows
from models.report import evaluation_sets, gate_reasons, make_splits
from models.starter.datasets import read_split, sample
from models.training import train
from settings import Settings

BUDGETS = Settings().budgets
MEASURED = ("unseen", "contrasts", "retention")
MEASURED_ROWS = 100
OURS = "phenomenon"
"""What the app trains on, and dials."""
NEIGHBOURS = 5
GENERAL = {"nli": [("snli", "test"), ("mnli", "test")], "sentiment": [("sst", "test")], "commonsense": []}
NAIVE = Recipe(method="full", data="corrections", precision="fp32", learning_rate=5e-5, epochs=10)


def methods(name: str, task: Task, trials: Sequence[str] = ()) -> dict[str, Recipe]:
    """Each way's recipe; `trials` are options ("name=value,name=value") that the preset is tried with besides."""
    ours = preset(name, task)
    tried = {trial: dataclasses.replace(ours, **parse_options(trial.split(","))) for trial in trials}
    others = {data: dataclasses.replace(ours, data=data) for data in ("replay", "distilled", OURS)}
    return {"corrections": NAIVE, **tried, **others}


def measure(predictor: Predictor, sets: dict[str, list[dict[str, Any]]]) -> dict[str, float]:
    """Share right of each set, in percent."""
    return {
        name: 100
        * accuracy(predictor.predict([r["example"] for r in rows], batch_size=64), [r["label"] for r in rows])
        for name, rows in sets.items()
    }


def corrections_of(suite: Suite, starter: Predictor, k: int, seed: int) -> Selection | None:
    """k rows that the starter gets wrong, and neighbours that it gets right; None where it fails too few."""
    rows = expand(suite, 6 * k, seed)
    said = starter.predict([row["example"] for row in rows])
    wrong = [row for row, p in zip(rows, said, strict=True) if p.label != row["label"]]
    if len(wrong) < max(k, len(rows) // 2):
        return None
    near = expand(suite, 30, seed, kind="contrasts")
    said = starter.predict([row["example"] for row in near])
    right = [row for row, p in zip(near, said, strict=True) if p.label == row["label"]]
    kinds = [("correction", wrong[:k]), ("confirmation", right[:NEIGHBOURS])]
    return Selection(rows=[{**row, "kind": kind, "example_id": 0} for kind, chosen in kinds for row in chosen])


def repair(starter: Path, task: Task, selection: Selection, recipe: Recipe, folder: Path) -> tuple[Path, float]:
    """The repaired version's folder, and how many seconds its rows and its training took."""
    start = time.perf_counter()
    corrections = [row for row in selection.rows if row["kind"] == "correction"]
    if recipe.data == "corrections":
        selection = Selection(rows=corrections)
    rows = training_rows(task, selection, recipe)
    folder.mkdir(parents=True)
    (folder / "parent").symlink_to(starter.resolve())
    (folder / "job.json").write_text(json.dumps({"task": task.name, "version": "child", "recipe": recipe.to_dict()}))
    write_rows(folder / "train.jsonl", rows)
    stop_by = stopping_rows(task, selection, recipe, {task.content_hash(row) for row in rows})
    if stop_by:
        write_rows(folder / "twins.jsonl", stop_by)
    return train(folder), time.perf_counter() - start


def dialled(
    starter: Predictor, parent: Path, job: Path, selection: Selection, seed: int
) -> tuple[Path, float, float]:
    """What the app offers to promote of a trained version: its folder, its strength, and the seconds it took."""
    start = time.perf_counter()
    task, child = starter.task, job / "version"
    trained = trained_hashes(job, task)
    sets, _ = evaluation_sets(task, selection, Selection(), trained, seed)
    after = Predictor.load(child)
    scores = [
        {name: p.predict([row["example"] for row in rows], batch_size=64) for name, rows in sets.items()}
        for p in (starter, after)
    ]
    best: float | None = 1.0
    if gate_reasons(make_splits(task, sets, *scores), **BUDGETS):
        points = score_dial(parent, child, sets, *scores)
        best = best_alpha(points, {name: len(rows) for name, rows in sets.items()}, **BUDGETS)
    if best is None:  # nothing is offered: the parent stays
        child, best = parent, 0.0
    elif best < 1.0:
        child = write_blend(parent, child, best, job / "dialled", "dialled")
    return child, best, time.perf_counter() - start


def run_suite(
    suite: Suite,
    starter_folder: Path,
    k: int,
    seed: int,
    ways: dict[str, Recipe],
    general: dict[str, list[dict[str, Any]]],
) -> list[dict[str, Any]]:
    """A row before, one for each of the `ways`, and ours; empty where the starter does not fail the suite."""
    starter = Predictor.load(starter_folder, choose_device("auto"))
    try:
        taught, unseen = split_suite(suite, seed)
    except ValueError as error:
        print(f"{suite.name}: {error}")
        return []
    selection = corrections_of(taught, starter, k, seed)
    if selection is None:
        return []
    sets = {
        "unseen": expand(unseen, MEASURED_ROWS, seed),
        "contrasts": expand(unseen, MEASURED_ROWS, seed, kind="contrasts"),
        **general,
    }
    where = {"suite": suite.name, "task": suite.task.name, "k": k, "seed": seed}
    table = [{**where, "method": "before", **measure(starter, sets), "seconds": 0.0}]
    with tempfile.TemporaryDirectory() as work:
        for name, recipe in ways.items():
            recipe, job = dataclasses.replace(recipe, seed=seed), Path(work) / name
            child, seconds = repair(starter_folder, suite.task, selection, recipe, job)
            table.append({**where, "method": name, **measure(Predictor.load(child), sets), "seconds": seconds})
        if OURS in ways:
            seconds, job = table[-1]["seconds"], Path(work) / OURS
            child, strength, more = dialled(starter, starter_folder, job, selection, seed)
            ours = {**where, "method": "ours", **measure(Predictor.load(child), sets), "seconds": seconds + more}
            table.append({**ours, "strength": strength})
    for row in table:
        print(line(row), flush=True)
    return table


def line(row: dict[str, Any]) -> str:
    head = f"{row.get('suite', 'mean'):<24} {row.get('k', ''):>3} {row.get('seed', ''):>3}  {row['method']:<12}"
    return head + "".join(f"{name} {value:6.1f}  " for name, value in row.items() if isinstance(value, float))


def means(table: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """For each method the mean over suites and seeds of every figure."""
    result = []
    for method in dict.fromkeys(row["method"] for row in table):
        rows = [row for row in table if row["method"] == method]
        names = [name for name, value in rows[0].items() if isinstance(value, float)]
        result.append({"method": method, **{n: statistics.mean(r[n] for r in rows if n in r) for n in names}})
    return result


def markdown(rows: list[dict[str, Any]]) -> str:
    """The means as a table: percent right, and seconds."""
    names = [name for name, value in rows[0].items() if isinstance(value, float)]
    lines = ["| trained on | " + " | ".join(names) + " |", "| --- |" + " ---: |" * len(names)]
    lines += [f"| {row['method']} | " + " | ".join(f"{row[n]:.1f}" for n in names) + " |" for row in rows]
    return "\n".join(lines)


def suites_markdown(table: list[dict[str, Any]]) -> str:
    """A line for each suite and k: unseen / contrasts / retention by each method, the means of its seeds, and the
    strength of ours; then for each task the mean of the suites, and where there are seeds its least and most."""
    methods = list(dict.fromkeys(row["method"] for row in table))
    lines = ["| suite | k | seeds | " + " | ".join(methods) + " | strength |"]
    lines.append("| --- | ---: | ---: |" + " --- |" * len(methods) + " ---: |")
    for task, k in dict.fromkeys((row["task"], row["k"]) for row in table):
        of_task = [row for row in table if (row["task"], row["k"]) == (task, k)]
        for suite in sorted({row["suite"] for row in of_task}):
            lines.append(_suite_line(suite, [row for row in of_task if row["suite"] == suite], methods))
        seeds = sorted({row["seed"] for row in of_task})
        suites = {row["suite"] for row in of_task}
        lines.append(_suite_line(f"**mean of {len(suites)}, {task}**", of_task, methods))
        by_seed = [[row for row in of_task if row["seed"] == seed] for seed in seeds]
        whole = [rows for rows in by_seed if {row["suite"] for row in rows} == suites]
        if len(whole) > 1:
            shares = [[_shares(rows, method) for rows in whole] for method in methods]
            ends = [[_texts(map(end, zip(*one, strict=True))) for end in (min, max)] for one in shares if all(one)]
            cells = [" / ".join(f"{least}-{most}" for least, most in zip(*pair, strict=True)) for pair in ends]
            lines.append(f"| by seed | {k} | {len(whole)} | " + " | ".join(cells) + " | |")
    return "\n".join(lines)


def _suite_line(name: str, rows: list[dict[str, Any]], methods: list[str]) -> str:
    cells = [" / ".join(_texts(_shares(rows, method))) or "-" for method in methods]
    strengths = [row["strength"] for row in rows if "strength" in row]
    strength = f"{statistics.mean(strengths):.2f}" if strengths else "-"
    seeds = len({row["seed"] for row in rows})
    return f"| {name} | {rows[0]['k']} | {seeds} | " + " | ".join(cells) + f" | {strength} |"


def _texts(shares: Iterable[float]) -> list[str]:
    return [
        f"{share:.1f}" if name == "retention" else f"{share:.0f}"
        for name, share in zip(MEASURED, shares, strict=True)
    ]


def _shares(rows: list[dict[str, Any]], method: str) -> list[float]:
    """Percent right on unseen rows, contrasts and retention, on average; empty where no row has the method."""
    of_method = [row for row in rows if row["method"] == method]
    return [statistics.mean(row[name] for row in of_method) for name in MEASURED] if of_method else []


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """The means as bars, a group for each method; HTML, or another format where kaleido is installed."""
    import plotly.graph_objects as go

    figure = go.Figure()
    names = [
        name for name, value in rows[0].items() if isinstance(value, float) and name not in ("seconds", "strength")
    ]
    for name, colour in zip(names, ("#4f69df", "#d0661f", "#8a93a5", "#2b8a5e", "#7d5ba6"), strict=False):
        figure.add_bar(x=[r["method"] for r in rows], y=[r[name] for r in rows], name=name, marker_color=colour)
    figure.update_layout(template="plotly_white", barmode="group", yaxis_title="right (%)", width=900, height=420)
    figure.write_html(path, include_plotlyjs="cdn") if path.suffix == ".html" else figure.write_image(path, scale=2)


def main(
    task: Annotated[str | None, typer.Option(help="one task instead of all")] = None,
    suite: Annotated[list[str] | None, typer.Option(help="these suites alone")] = None,
    k: Annotated[list[int] | None, typer.Option(help="corrections [default: 20]")] = None,
    seeds: Annotated[int, typer.Option(help="how many seeds")] = 1,
    first: Annotated[int, typer.Option(help="the first seed")] = 0,
    without: Annotated[list[str] | None, typer.Option(help="leave out corrections, replay, ... phenomenon")] = None,
    trials: Annotated[list[str] | None, typer.Option("--try", help="options to try besides: name=value,...")] = None,
    size: Annotated[str, typer.Option("--preset")] = "quick",
    data: Annotated[Path | None, typer.Option(help="folder of public data sets")] = None,
    out: Annotated[Path | None, typer.Option(help="JSON file for every row")] = None,
    figure: Annotated[Path | None, typer.Option(help="HTML or PNG file for the means as bars")] = None,
    rows: Annotated[list[Path] | None, typer.Option(help="put these files of --out together, run nothing")] = None,
) -> None:
    table: list[dict[str, Any]] = []
    for path in rows or []:
        table += json.loads(path.read_text(encoding="utf-8"))
    if not rows:
        print(describe_machine())
        table = run(task, suite, k or [20], range(first, first + seeds), without or [], size, data, trials or [])
    if not table:
        print("The starter fails none of these suites by half or more: there is nothing to repair.")
        return
    print(f"\n{suites_markdown(table)}")
    print(f"\nMean over {len({(r['suite'], r['seed'], r['k']) for r in table})} runs:\n\n{markdown(means(table))}")
    if figure:
        draw(means(table), figure)
    if out:
        out.write_text(json.dumps(table, indent=1), encoding="utf-8")


def run(
    task: str | None,
    suites: list[str] | None,
    corrections: Sequence[int],
    seeds: Sequence[int],
    without: Sequence[str],
    size: str,
    data: Path | None,
    trials: Sequence[str] = (),
) -> list[dict[str, Any]]:
    """A row for each suite, number of corrections, seed and method."""
    table: list[dict[str, Any]] = []
    for chosen in load_suites(task):
        starter = STARTERS / chosen.task.name
        if (suites and chosen.name not in suites) or any(t.label is None for t in chosen.templates):
            continue
        ways = {name: way for name, way in methods(size, chosen.task, trials).items() if name not in without}
        general = {"retention": seed_rows(chosen.task, "validation") + retention_split(chosen.task)[1]}
        for name, split in GENERAL[chosen.task.name] if data else []:
            sampled = sample(read_split(data, chosen.task, name, split), 300, 0)
            general[name] = [{"example": example, "label": label} for example, label in sampled]
        for count in corrections:
            for seed in seeds:
                table += run_suite(chosen, starter, count, seed, ways, general)
    return table


if __name__ == "__main__":
    typer.run(main)
