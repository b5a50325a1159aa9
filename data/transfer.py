"""Verdicts in and out of files: JSON Lines and CSV in, JSON Lines, CSV and Parquet out.

A row is the task's fields and `label`; optional are `phenomenon` (the category), `note`, `annotator` and
`kind`. In a table, choices are one cell that holds a JSON list.
"""

from __future__ import annotations

import csv
import io
import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from data.examples import Answer, flag_example
from data.queries import Filters, find_verdicts
from data.roles import require, sign
from data.settling import settle_verdicts
from data.steps import begin_step
from data.store import writing
from data.tasks import Example, Task, parse_category

FORMATS = ("jsonl", "csv", "parquet")
MAX_LINE_CHARS = 2_000_000
CHUNK = 2_000
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


@dataclass(frozen=True)
class ParsedRow:
    line: int
    example: Example
    label: int | None
    category: str
    note: str
    annotator: str | None
    kind: str | None
    record: dict[str, Any]
    """The row as it stood in the file, with what else it holds."""


@dataclass
class Parsed:
    """A file's good rows, and the refused ones as (line, reason)."""

    rows: list[ParsedRow] = field(default_factory=list)
    refused: list[tuple[int, str]] = field(default_factory=list)

    def summary(self) -> str:
        lines = [f"line {line}: {reason}" for line, reason in self.refused[:20]]
        if len(self.refused) > 20:
            lines.append(f"and {len(self.refused) - 20} more")
        return "\n".join(lines)


def parse_file(path: Path, task: Task, *, needs_label: bool = True) -> Parsed:
    """Every row of a .jsonl or .csv file, checked; a malformed one is refused with its line and reason.

    Raises ValueError where the file cannot be read at all.
    """
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        return parse_records(_parquet_records(path), task, needs_label)
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}.") from None
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise ValueError(f"{path.name} line {line}: expected UTF-8 text; found other bytes.") from None
    return parse_records(_csv_records(text) if suffix == ".csv" else _jsonl_records(text), task, needs_label)


def parse_records(records: Iterable[tuple[int, Any]], task: Task, needs_label: bool = True) -> Parsed:
    """The rows of (line, record), checked."""
    parsed = Parsed()
    for line, record in records:
        try:
            parsed.rows.append(_parse_row(line, record, task, needs_label))
        except (ValueError, TypeError) as error:
            parsed.refused.append((line, str(error)))
    return parsed


def import_rows(
    db: Database,
    task: Task,
    parsed: Parsed,
    *,
    annotator: str,
    answers: Sequence[Answer | None] | None = None,
) -> list[int]:
    """Stores the good rows in one transaction; returns the new verdicts' ids.

    `answers` holds a version's answer to each row, which tells a confirmation from a correction. A row that
    says itself which it is needs none; without either it is a correction.
    """
    answers = answers or [None] * len(parsed.rows)
    ids = []
    require("import")
    with writing(db):
        step_id = begin_step(db, "import", sign(annotator))
        for row, answer in zip(parsed.rows, answers, strict=True):
            verdict_id = flag_example(
                db,
                task,
                row.example,
                row.label,
                annotator=annotator,
                signed=row.annotator,
                answer=answer,
                category=row.category,
                note=row.note,
                origin="import",
                kind=row.kind,
                step_id=step_id,
            )
            ids.append(verdict_id)
        settle_verdicts(db, ids)
    return ids


def export_rows(db: Database, task: Task, filters: Filters | None = None) -> Iterator[dict[str, Any]]:
    """The task's verdicts in use, oldest first, as rows that `parse_file` reads back."""
    rows = find_verdicts(db, filters or Filters(task=task.name), limit=-1)
    for row in reversed(rows):
        label = task.parse_label(row["expected_label"], row["example"])
        yield {
            **row["example"],
            "label": task.format_label(label),
            "phenomenon": row["category"],
            "note": row["note"],
            **({"guidance": row["guidance"], "guided_label": row["guided_label"]} if row["guidance"] else {}),
            "annotator": row["annotator"],
            "kind": row["kind"],
            "predicted_label": row["predicted_label"],
            "version": row["version_id"],
            "split": row["split"],
            "created_at": row["created_at"],
        }


def export_file(db: Database, task: Task, path: Path, format: str, filters: Filters | None = None) -> int:
    """Writes the export to `path`, whole or not at all; returns the number of rows. Raises ValueError."""
    if format not in FORMATS:
        raise ValueError(f"Expected as format one of {', '.join(FORMATS)}; found {format!r}.")
    rows = list(export_rows(db, task, filters))
    write = {"jsonl": _write_jsonl, "csv": _write_csv, "parquet": _write_parquet}[format]
    with atomic_path(path) as partial:
        write(partial, rows)
    return len(rows)


class atomic_path:
    """A context that gives a temporary path beside `path` and renames it into place on success."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> Path:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self.path.parent, prefix=f".{self.path.name}.")
        except OSError as error:
            raise ValueError(f"{self.path} cannot be written: {error.strerror}.") from None
        os.close(handle)
        os.chmod(name, 0o644)
        self.partial = Path(name)
        return self.partial

    def __exit__(self, kind: Any, *_: Any) -> None:
        if kind is None:
            os.replace(self.partial, self.path)
        else:
            self.partial.unlink(missing_ok=True)


def _jsonl_records(text: str) -> Iterator[tuple[int, Any]]:
    for line, content in enumerate(text.split("\n"), 1):
        if not content.strip():
            continue
        if len(content) > MAX_LINE_CHARS:
            yield line, ValueError(f"longer than {MAX_LINE_CHARS:,} characters")
            continue
        try:
            yield line, json.loads(content)
        except (json.JSONDecodeError, RecursionError) as error:
            yield line, ValueError(f"not JSON: {error}")


def _csv_records(text: str) -> Iterator[tuple[int, Any]]:
    csv.field_size_limit(MAX_LINE_CHARS)
    reader = csv.DictReader(io.StringIO(text, newline=""))
    try:
        for record in reader:
            row = {k: _unguard(v) for k, v in record.items() if k is not None and v is not None}
            if isinstance(row.get("choices"), str):
                try:
                    row["choices"] = json.loads(row["choices"])
                except json.JSONDecodeError:
                    yield reader.line_num, ValueError('choices: expected a JSON list such as ["a", "b"]')
                    continue
            yield reader.line_num, row
    except csv.Error as error:
        yield reader.line_num, ValueError(f"not CSV: {error}")


def _parquet_records(path: Path) -> Iterator[tuple[int, Any]]:
    import pyarrow
    from pyarrow import parquet

    try:
        file = parquet.ParquetFile(path)
    except (OSError, pyarrow.ArrowInvalid) as error:
        raise ValueError(f"{path.name} is not a Parquet file: {error}.") from None
    line = 0
    for batch in file.iter_batches(batch_size=CHUNK):
        for record in batch.to_pylist():
            line += 1
            yield line, record


def _parse_row(line: int, record: Any, task: Task, needs_label: bool) -> ParsedRow:
    if isinstance(record, Exception):
        raise record
    if not isinstance(record, dict):
        raise ValueError(f"expected an object with {', '.join(f.name for f in task.fields)}; found {record!r:.80}")
    example = task.parse_example(record)
    label = None
    if record.get("label") not in (None, ""):
        label = task.parse_label(record["label"], example)
    elif needs_label:
        raise ValueError("has no label")
    kind = record.get("kind") or None
    if kind not in (None, "correction", "confirmation"):
        raise ValueError(f"Expected as kind correction or confirmation; found {kind!r}.")
    for name in ("note", "annotator", "phenomenon"):
        if not isinstance(record.get(name) or "", str):
            raise ValueError(f"{name}: expected text; found {record[name]!r}.")
    return ParsedRow(
        line=line,
        example=example,
        label=label,
        category=parse_category(task, record.get("phenomenon")),
        note=record.get("note") or "",
        annotator=record.get("annotator") or None,
        kind=kind,
        record=record,
    )


def _write_jsonl(path: Path, rows: list[dict[str, Any]]) -> None:
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def _write_csv(path: Path, rows: list[dict[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        if not rows:
            return
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        for row in rows:
            writer.writerow({k: _guard(v) for k, v in row.items()})


def _write_parquet(path: Path, rows: list[dict[str, Any]]) -> None:
    import pandas

    pandas.DataFrame(rows).to_parquet(path)


def _guard(value: Any) -> Any:
    """A cell that a spreadsheet will not run: text that starts like a formula gets a leading quote."""
    if isinstance(value, list):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, str) and value.lstrip("'").startswith(FORMULA_STARTS):
        return "'" + value
    return value


def _unguard(value: str) -> str:
    """The inverse of `_guard`."""
    return value[1:] if value.startswith("'") and value.lstrip("'").startswith(FORMULA_STARTS) else value
