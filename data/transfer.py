"""Verdicts in and out of files: JSON Lines, CSV, Parquet and `datasets` folders, and other tools' exports in.

A row is the task's fields and `label`; optional are `phenomenon` (the category), `note`, `annotator` and
`kind`. In a table, choices are one cell that holds a JSON list.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import os
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from data.card import data_card
from data.examples import Answer, flag_example, stored_labels
from data.formats import adapt, arrow_records, class_names, folder_records, name_classes, zip_records
from data.masking import mask_row
from data.queries import Filters, find_verdicts
from data.roles import require, sign
from data.settling import settle_verdicts
from data.steps import begin_step
from data.store import writing
from data.tasks import Example, Task, clean_text, parse_category

FORMATS = ("jsonl", "csv", "parquet", "datasets", "card")
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
    mapping: dict[str, str] = field(default_factory=dict)
    """Our columns that the file calls otherwise, and what it calls them."""
    repeated: list[int] = field(default_factory=list)
    """Lines that repeat an earlier row: same example, label and annotator."""

    def summary(self) -> str:
        lines = [f"line {line}: {reason}" for line, reason in self.refused[:20]]
        if len(self.refused) > 20:
            lines.append(f"and {len(self.refused) - 20} more")
        return "\n".join(lines)


def parse_file(path: Path, task: Task, *, needs_label: bool = True) -> Parsed:
    """Every row of a file or `datasets` folder, checked; a malformed one is refused with its line and reason.

    Columns that other tools name otherwise are taken over, see `data/formats.py`. Raises ValueError where the file
    cannot be read at all.
    """
    return parse_records(file_records(path), task, needs_label)


def file_records(path: Path) -> Iterator[tuple[int, Any]]:
    """(line, record) of a file by its ending; in place of a record an error that says what is wrong with it."""
    suffix = path.suffix.lower()
    if path.is_dir():
        return folder_records(path)
    if suffix in (".parquet", ".arrow", ".zip"):
        return {".parquet": _parquet_records, ".arrow": arrow_records, ".zip": zip_records}[suffix](path)
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}.") from None
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise ValueError(f"{path.name} line {line}: expected UTF-8 text; found other bytes.") from None
    if suffix == ".json":
        return _json_records(path, text)
    return _csv_records(text) if suffix == ".csv" else _jsonl_records(text)


def parse_records(records: Iterable[tuple[int, Any]], task: Task, needs_label: bool = True) -> Parsed:
    """The rows of (line, record), checked."""
    parsed = Parsed()
    seen: set[tuple[str, int | None, str | None]] = set()
    for line, record in records:
        adapted, mapping = adapt(task, record)
        parsed.mapping |= mapping
        for row in adapted:
            try:
                one = _parse_row(line, row, task, needs_label)
            except (ValueError, TypeError) as error:
                parsed.refused.append((line, str(error)))
                continue
            parsed.rows.append(one)
            key = (task.content_hash(one.example), one.label, one.annotator)
            if key in seen:
                parsed.repeated.append(line)
            seen.add(key)
    return parsed


def without_known(db: Database, task: Task, parsed: Parsed, annotator: str) -> tuple[Parsed, int]:
    """The file without rows that it repeats or that the store has: same example, label and annotator; and how many
    those were."""
    known: set[tuple[str, str, str]] = set()
    hashes = [task.content_hash(row.example) for row in parsed.rows]
    for start in range(0, len(hashes), CHUNK):
        known |= stored_labels(db, task, hashes[start : start + CHUNK])
    rows = []
    for row, content_hash in zip(parsed.rows, hashes, strict=True):
        label = "" if row.label is None else str(task.format_label(row.label))
        key = (content_hash, label, clean_text(row.annotator or "") or sign(annotator))
        if key not in known:
            known.add(key)
            rows.append(row)
    return dataclasses.replace(parsed, rows=rows), len(parsed.rows) - len(rows)


def import_rows(
    db: Database,
    task: Task,
    parsed: Parsed,
    *,
    annotator: str,
    answers: Sequence[Answer | None] | None = None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
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
            if len(ids) % CHUNK == 0:
                on_progress(len(ids), len(parsed.rows))
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


def export_file(
    db: Database,
    task: Task,
    path: Path,
    format: str,
    filters: Filters | None = None,
    *,
    masked: bool = False,
    licence: str = "",
) -> int:
    """Writes the export to `path`, whole or not at all; returns the number of rows.

    `datasets` is a zipped folder with a Parquet file for each split and the data card, `card` the data card alone.
    Raises ValueError.
    """
    if format not in FORMATS:
        raise ValueError(f"Expected as format one of {', '.join(FORMATS)}; found {format!r}.")
    rows = list(export_rows(db, task, filters))
    if masked:
        texts = (*(f.name for f in task.fields), "note")
        rows = [{name: mask_row(value) if name in texts else value for name, value in row.items()} for row in rows]
    with atomic_path(path) as partial:
        if format in ("card", "datasets"):
            card = data_card(db, task, rows, licence=licence, masked=masked)
            if format == "card":
                partial.write_text(card, encoding="utf-8")
            else:
                _write_datasets(partial, rows, card)
        else:
            {"jsonl": _write_jsonl, "csv": _write_csv, "parquet": _write_parquet}[format](partial, rows)
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


def _json_records(path: Path, text: str) -> Iterator[tuple[int, Any]]:
    try:
        records = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        if path.suffix.lower() == ".json" and "\n" in text.strip():  # JSON Lines under that name
            return _jsonl_records(text)
        raise ValueError(f"{path.name} is not JSON: {error}.") from None
    return iter(enumerate(records if isinstance(records, list) else [records], 1))


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
    classes = class_names(file.schema_arrow.metadata)
    line = 0
    for batch in file.iter_batches(batch_size=CHUNK):
        for record in batch.to_pylist():
            line += 1
            yield line, name_classes(record, classes)


def _parse_row(line: int, record: Any, task: Task, needs_label: bool) -> ParsedRow:
    if isinstance(record, Exception):
        raise record
    if not isinstance(record, dict):
        raise ValueError(f"expected an object with {', '.join(f.name for f in task.fields)}; found {record!r:.80}")
    example = task.parse_example(record)
    label = None
    if (found := task.row_label(record)) not in (None, ""):
        label = task.parse_label(found, example)
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


def _write_datasets(path: Path, rows: list[dict[str, Any]], card: str) -> None:
    import pandas

    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("README.md", card)
        for split in sorted({row["split"] for row in rows}):
            content = io.BytesIO()
            pandas.DataFrame([row for row in rows if row["split"] == split]).to_parquet(content)
            archive.writestr(f"data/{split}.parquet", content.getvalue())


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
