"""The data card of an export: what is in it, who made it, how far people agree, under which licence."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from typing import Any

from sqlite_utils import Database

from data.second_look import agreement
from data.store import now
from data.tasks import Task

NO_LICENCE = "not stated: say so before you pass it on"


def data_card(
    db: Database, task: Task, rows: Iterable[dict[str, Any]], *, licence: str = "", masked: bool = False
) -> str:
    """A README.md as `datasets` reads it, of rows that `export_rows` gave."""
    counts: dict[str, Counter[str]] = {name: Counter() for name in ("split", "kind", "label", "phenomenon")}
    people: set[str] = set()
    total = 0
    for row in rows:
        total += 1
        people.add(row["annotator"])
        for name, counter in counts.items():
            counter[str(row[name])] += 1
    agreed = agreement(db, task)
    head = ["---", f"license: {json.dumps(licence) if licence else 'unknown'}", "configs:", "- config_name: default"]
    head += (
        ["  data_files:"] + [f"  - split: {s}\n    path: data/{s}.parquet" for s in sorted(counts["split"])] + ["---"]
    )
    lines = [
        *head,
        f"# {task.title}: what a model got wrong, and what it got right",
        "",
        f"{total:,} verdicts of {len(people)} annotators, exported from Blindspot on {now()[:10]}. "
        f"Fields: {', '.join(field.name for field in task.fields)}; `label` is a person's, "
        "`predicted_label` a model's.",
        "",
        f"**Licence:** {licence or NO_LICENCE}.",
        "",
        "**Personal data:** "
        + (
            "e-mail addresses, phone, card and identity numbers and URLs are masked; names are not."
            if masked
            else "as it was typed; nothing was masked."
        ),
    ]
    titles = {"split": "Split", "kind": "Kind", "label": "Label", "phenomenon": "Category"}
    for name, counter in counts.items():
        lines += ["", f"| {titles[name]} | rows |", "| --- | --- |"]
        lines += [f"| {_cell(value)} | {count:,} |" for value, count in counter.most_common()]
    lines += ["", "## Agreement", ""]
    states = ", ".join(f"{count:,} {state}" for state, count in agreed["states"].items())
    lines.append(f"Flags of this task: {states}." if states else "Nothing was flagged.")
    if agreed["pairs"]:
        lines += ["", "| annotator | and | flags in common | Cohen's kappa |", "| --- | --- | --- | --- |"]
        lines += [
            f"| {_cell(p['first'])} | {_cell(p['second'])} | {p['rows']:,} | {p['kappa']:.2f} |"
            for p in agreed["pairs"]
        ]
    if agreed["fleiss"] is not None:
        lines += ["", f"Fleiss' kappa {agreed['fleiss']:.2f}."]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")
