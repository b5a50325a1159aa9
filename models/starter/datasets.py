"""Public data sets as rows of a task: from a folder of JSON Lines files, or from the Hugging Face Hub."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from data.tasks import Example, Task

Row = tuple[Example, int]


class DataError(ValueError):
    """A data file is missing or malformed; the message names file and line."""


def read_split(folder: Path, task: Task, name: str, split: str) -> list[Row]:
    """Rows of `folder/<task>/<name>/<split>.jsonl.gz` (or .jsonl). Raises DataError."""
    base = folder / task.name / name
    for path in (base / f"{split}.jsonl.gz", base / f"{split}.jsonl"):
        if path.exists():
            return list(_parse(path, task))
    raise DataError(f"Expected {base / split}.jsonl.gz; found no such file. Pass the folder with --data.")


def has_split(folder: Path, task: Task, name: str, split: str) -> bool:
    return any((folder / task.name / name / f"{split}{end}").exists() for end in (".jsonl.gz", ".jsonl"))


def read_hub(task: Task, name: str, split: str, columns: dict[str, str]) -> list[Row]:
    """Rows of a Hub data set (`name` or `name:configuration`); `columns` maps our names to the set's.

    Class labels are mapped by name. Raises DataError; needs the network and the `datasets` library.
    """
    try:
        from datasets import load_dataset
    except ImportError:
        raise DataError("Expected the `datasets` library for --hub. Run `pip install datasets`.") from None
    path, _, configuration = name.partition(":")
    dataset = load_dataset(path, configuration or None, split=split)
    label_column = columns.get("label", "label")
    names = getattr(dataset.features[label_column], "names", None)
    rows = []
    for number, record in enumerate(dataset, 1):
        record = {ours: record[columns.get(ours, ours)] for ours in [f.name for f in task.fields] + ["label"]}
        if record["label"] == -1:
            continue  # the Hub's mark for rows without a majority label
        if names and task.labels:
            record["label"] = names[record["label"]]
        rows.append(_row(record, task, f"{name} {split} row {number}"))
    return rows


def sample(rows: list[Row], count: int | None, seed: int) -> list[Row]:
    """`count` of the rows, drawn with the seed; all of them where `count` is None or larger."""
    if count is None or count >= len(rows):
        return rows
    return random.Random(seed).sample(rows, count)


def _parse(path: Path, task: Task) -> Iterator[Row]:
    opener = gzip.open if path.suffix == ".gz" else open
    number = 0
    try:
        with opener(path, "rt", encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                yield _row(json.loads(line), task, f"{path} line {number}")
    except (OSError, EOFError, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{path} line {number}: {error}") from None


def _row(record: Any, task: Task, where: str) -> Row:
    try:
        example = task.parse_example(record)
        return example, task.parse_label(task.row_label(record), example)
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise DataError(f"{where}: {error}") from None
