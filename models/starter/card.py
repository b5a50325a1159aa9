"""A starter's model card: `python -m models.starter.card --task T --data DIR`.

Measures the shipped starter on every validation and test split that DIR holds for the task, on the project's own
sets and on its behavioural suites, and writes `README.md`, `reliability.svg` and `measured.json` (the figures behind
them) into `models/starter/T`. Job folders of other seeds under --work give the spread over seeds.
"""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Annotated, Any

import typer

from data.suites import load_suites
from data.tasks import TASKS, Task, get_task
from data.tasks.spans import SpanTask
from data.transfer import atomic_path
from models.device import choose_device
from models.folders import STARTERS, read_card, write_json
from models.predictor import Predictor
from models.starter.evaluation import above_chance, own_sets, score_sets, table_text
from models.starter.train import RECIPES, read_plan
from models.suites import run_suites

MEASURED = "measured.json"
PLOT = "reliability.svg"
WHAT = {
    "nli": "Says whether a premise entails a hypothesis, contradicts it, or leaves it open.",
    "sentiment": "Says whether a text is negative, neutral or positive.",
    "commonsense": "Picks the most plausible of two to five answers or continuations.",
    "ner": "Marks which stretches of a text name a person, a place, an organisation or something else (MISC).",
}
LIMITS = {
    "nli": "English, and mostly single sentences like those of image captions and of written and spoken prose. It "
    "leans on word overlap: read the table of blind spots before you believe an `entailment`.",
    "sentiment": "English reviews, tweets and forum comments. What counts as neutral differs from set to set, so the "
    "border between neutral and the rest is soft. Only what fits 512 word pieces is read.",
    "commonsense": "Small encoders know little of the world; on several sets it is hardly better than a guess (see "
    "`chance`). Choices are scored one by one, so it cannot compare them with each other.",
    "ner": "English encyclopedia sentences and social media. What counts as an entity, and as MISC, differs from set "
    "to set; a title before a name is outside of it. The encoder reads small letters; whether a word has a capital "
    "reaches it by the segment ids. Only what fits 512 word pieces is read.",
}


SPANS_COUNTED = (
    "Precision, recall and F1 are of whole spans, the same characters and type, over all texts together (as CoNLL "
    "counts them); a type that a set never marks does not count there. `accuracy`: the share of texts with every "
    "span right. On the test splits F1 by type, and how many spans are right, have another type, another boundary, "
    "are missed or invented:"
)
ERRORS = ("right", "type", "boundary", "missed", "invented")


def measure(folder: Path, data: Path, limit: int | None = None) -> dict[str, Any]:
    """The starter's figures: `table` (as `score_rows` gives them) and `suites` (failure rates, no rows)."""
    predictor = Predictor.load(folder, choose_device("auto"))
    table = own_sets(predictor) + score_sets(
        predictor, data, limit=limit, on_row=lambda row: print(row["set"], row["split"], "done", flush=True)
    )
    suites = run_suites(predictor, load_suites(predictor.task.name))
    return {"table": table, "suites": [{k: v for k, v in suite.items() if k != "failures"} for suite in suites]}


def seeds_of(task: Task, work: Path) -> dict[str, list[float]]:
    """Accuracy on each split of every seed that was trained under `work`, by `set split`."""
    found: dict[str, list[float]] = {}
    for path in sorted(work.glob(f"{task.name}-seed*/metrics.json")):
        for row in json.loads(path.read_text(encoding="utf-8")):
            found.setdefault(f"{row['set']} {row['split']}", []).append(row["accuracy"])
    return {name: values for name, values in found.items() if len(values) > 1}


def card_text(task: Task, plan: dict[str, Any], card: dict[str, Any], measured: dict[str, Any]) -> str:
    """The card in Markdown."""
    training = card["training"]
    recipe = card["recipe"]
    main = [row for name in plan["main"] for row in measured["table"] if (row["set"], row["split"]) == (name, "test")]
    lines = [
        f"# The {task.name} starter",
        "",
        f"{WHAT[task.name]} A LoRA adapter of rank {recipe['rank']} with its head over the untouched "
        "[all-MiniLM-L6-v2](https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2) encoder (22.7 M weights), "
        "in float16. It is there to be probed and repaired.",
        "",
        "## Use and limits",
        "",
        "For finding out how a small fine-tuned model reasons, for teaching, and as a parent of repaired versions. "
        f"Not for decisions about people. {LIMITS[task.name]}",
        "",
        "## Data",
        "",
        "| set | rows at most | licence, as its source states it | source |",
        "| --- | ---: | --- | --- |",
    ]
    runs = runs_of(plan)
    for name in dict.fromkeys(name for run in runs for name in run["sets"]):
        options = next(run["sets"][name] for run in runs if name in run["sets"])
        taken = ", ".join(dict.fromkeys(_taken(run["sets"].get(name)) for run in runs))
        lines.append(
            f"| {name} | {taken} | {options.get('licence', 'not stated')} "
            f"| {options.get('hub', options.get('source', ''))} |"
        )
    lines += [
        "",
        "Train splits only; rows whose text occurs in a validation or test split are left out, and so are sets for "
        "non-commercial use. No row of any set is in this repository. Some sets are share-alike and some state no "
        "licence: look into that before you build a product on the model.",
        "",
        "## Recipe",
        "",
        *[f"- {_recipe(run)}" for run in runs],
        "",
        f"Seed {recipe['seed']}, {training['rows']} rows {'in all' if 'average' in plan else 'in the last run'}; "
        f"{training['seconds'] / 60:.0f} min on "
        f"{training['device']} in {training['precision']}."
        + (" The adapters of the runs are averaged." if "average" in plan else "")
        + (f" Then logits are moved: {_shifts(plan['label_shift'])}." if "label_shift" in plan else "")
        + f" `python -m models.starter.train --task {task.name} --data DIR` makes it.",
        "",
        "## Accuracy",
        "",
        table_text(measured["table"]),
        "",
    ]
    if task.name == "sentiment":
        lines += [
            "`polar`: accuracy over all three labels, where the right one is negative or positive. `binary`: the "
            "same rows, negative against positive alone.",
            "",
        ]
    if any("chance" in row for row in measured["table"]):
        lines += [
            f"Mean over the public sets (test split, else validation): {above_chance(measured['table']):.1f} points "
            "above chance.",
            "",
        ]
    if measured.get("seeds"):
        lines += ["Over seeds (accuracy, mean and standard deviation):", "", "| set | seeds | accuracy |"]
        lines += ["| --- | ---: | ---: |"]
        for name, values in measured["seeds"].items():
            lines.append(
                f"| {name} | {len(values)} | {100 * statistics.mean(values):.1f} ± "
                f"{100 * statistics.stdev(values):.1f} |"
            )
        lines.append("")
    if task.labels:
        for row in main:
            lines += [f"On {row['set']} test:", "", report_text(task, row["confusion"]), ""]
    if isinstance(task, SpanTask):
        lines += [SPANS_COUNTED, "", *spans_text(task, measured["table"]), ""]
    lines += [
        "## Calibration",
        "",
        f"Temperature {card['temperature']:g}, fitted on the validation splits of {', '.join(plan['calibrate'])}. "
        + "Expected calibration error: "
        + ", ".join(f"{row['ece']:.3f} on {row['set']} test" for row in main)
        + ".",
        "",
        f"![Reliability: share of right answers by confidence]({PLOT})",
        "",
        "## Known blind spots",
        "",
        "How often it fails each behavioural suite of `data/suites/` (95 % interval), most failed first:",
        "",
        "| suite | category | fails | interval | rows |",
        "| --- | --- | ---: | ---: | ---: |",
    ]
    for suite in measured["suites"]:
        lines.append(
            f"| {suite['suite']} | {suite['category']} | {100 * suite['rate']:.0f} % "
            f"| {100 * suite['low']:.0f} to {100 * suite['high']:.0f} % | {suite['rows']} |"
        )
    return "\n".join(lines) + "\n"


def spans_text(task: SpanTask, table: list[dict[str, Any]]) -> list[str]:
    """Of each test split F1 by type, and how many spans went how, as a table."""
    lines = [
        f"| set | {' | '.join(task.types)} | {' | '.join(ERRORS)} |",
        "| --- |" + " ---: |" * (len(task.types) + len(ERRORS)),
    ]
    for row in table:
        if row["split"] == "test":
            found = row["by_type"]
            shares = [f"{100 * found[name]:.1f}" if name in found else "not marked" for name in task.types]
            counts = [str(row["span_errors"].get(name, 0)) for name in ERRORS]
            lines.append(f"| {row['set']} | {' | '.join(shares)} | {' | '.join(counts)} |")
    return lines


def runs_of(plan: dict[str, Any]) -> list[dict[str, Any]]:
    """The training runs of a recipe: itself, or those that it averages, after those that they go on from."""
    before = list(plan.get("average", {}))
    if (parent := plan.get("parent")) and parent not in TASKS:
        before.append(parent)
    runs = [run for name in before for run in runs_of(read_plan(RECIPES / f"{name}.json"))]
    if "average" not in plan:
        runs.append(plan)
    return [run for i, run in enumerate(runs) if run not in runs[:i]]


def _taken(options: dict[str, Any] | None) -> str:
    if options is None:
        return "none"
    return f"{options.get('rows', 'all')}" + (f" x {options['repeat']}" if "repeat" in options else "")


def _recipe(run: dict[str, Any]) -> str:
    recipe = run["recipe"]
    return (
        f"{recipe['epochs']:g} epochs in batches of {recipe['batch_size']}, learning rate "
        f"{recipe['learning_rate']:g} with {100 * recipe['warmup_share']:.0f} % warm-up and linear decay, at most "
        f"{recipe['max_tokens']} tokens" + (f", going on from {run['parent']}" if run.get("parent") else "")
    )


def _shifts(shifts: dict[str, float]) -> str:
    return ", ".join(f"{label} {value:+g}" for label, value in shifts.items())


def report_text(task: Task, confusion: list[list[int]]) -> str:
    """Precision, recall and F1 of each label that is right somewhere, from a confusion matrix, as a table."""
    lines = ["| label | precision | recall | F1 | rows |", "| --- | ---: | ---: | ---: | ---: |"]
    for i, name in enumerate(task.labels):
        right, rows, said = confusion[i][i], sum(confusion[i]), sum(row[i] for row in confusion)
        if rows:
            precision, recall = right / max(said, 1), right / rows
            f1 = 2 * right / (rows + said)
            lines.append(f"| {name} | {100 * precision:.1f} | {100 * recall:.1f} | {100 * f1:.1f} | {rows} |")
    return "\n".join(lines)


def draw_reliability(rows: list[dict[str, Any]], path: Path) -> None:
    """Share of right answers against confidence, a line for each split, as SVG."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "blindspot"  # the same figure is the same file
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(4.6, 4.2), layout="constrained")
    axes.plot([0, 1], [0, 1], color="#8a93a5", linewidth=1, linestyle="--", label="as confident as right")
    for row, colour in zip(rows, ("#4f69df", "#d0661f", "#2b8a5e"), strict=False):
        bins = [b for b in row["reliability"] if b[2] >= 10]
        axes.plot(
            [b[0] for b in bins],
            [b[1] for b in bins],
            marker="o",
            color=colour,
            label=f"{row['set']} {row['split']} (ECE {row['ece']:.3f})",
        )
    axes.set(xlabel="confidence", ylabel="share right", xlim=(0, 1), ylim=(0, 1))
    axes.legend(frameon=False, fontsize=8)
    with atomic_path(path) as partial:
        figure.savefig(partial, format="svg", metadata={"Date": None})
    pyplot.close(figure)


def write_files(folder: Path, task: Task, plan: dict[str, Any], measured: dict[str, Any]) -> None:
    """`README.md`, `reliability.svg` and `measured.json` in a starter's folder."""
    write_json(folder / MEASURED, measured)
    main = [row for row in measured["table"] if row["set"] in plan["main"] and row["split"] == "test"]
    draw_reliability(main, folder / PLOT)
    with atomic_path(folder / "README.md") as partial:
        partial.write_text(card_text(task, plan, read_card(folder), measured), encoding="utf-8")


def main(
    task: Annotated[str, typer.Option(help=", ".join(TASKS))],
    data: Annotated[Path | None, typer.Option(help="folder of data sets; without it the figures stay")] = None,
    work: Annotated[Path, typer.Option(help="where models.starter.train keeps its job folders")] = Path(
        ".build/starter"
    ),
    limit: Annotated[int | None, typer.Option(help="rows scored of each split")] = None,
) -> None:
    chosen, folder = get_task(task), STARTERS / task
    if data is None:
        measured = json.loads((folder / MEASURED).read_text(encoding="utf-8"))
    else:
        measured = {**measure(folder, data, limit), "seeds": seeds_of(chosen, work)}
    write_files(folder, chosen, read_plan(RECIPES / f"{task}.json"), measured)
    print(card_text(chosen, read_plan(RECIPES / f"{task}.json"), read_card(folder), measured))


if __name__ == "__main__":
    typer.run(main)
