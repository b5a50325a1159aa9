"""Other tools' files as rows of ours: ANLI and Dynabench, Label Studio, Argilla, Hugging Face `datasets` folders.

A record becomes one row, or one for each person who answered it. What is called otherwise there is renamed; what the
task then makes of a row, `data/transfer.py` checks.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from data.tasks import Task

SUFFIXES = (".jsonl", ".ndjson", ".json", ".csv", ".parquet", ".arrow", ".zip")
CHUNK = 2_000
FIELDS = {
    "nli": {
        "premise": ("context", "sentence1", "text_a", "passage"),
        "hypothesis": ("statement", "sentence2", "text_b"),
    },
    "sentiment": {"text": ("sentence", "review", "review_text", "content")},
    "commonsense": {"question": ("question_stem", "ask"), "choices": ("options", "answers", "endings")},
}
"""By task and field what other sources call it."""
COLUMNS = {
    "label": ("gold_label", "target", "answer", "sentiment", "nli", "choice", "labels"),
    "predicted_label": ("model_label", "model_prediction", "prediction"),
    "annotator": ("worker_id", "emturk", "annotator_id", "completed_by"),
    "note": ("reason", "explanation", "comment"),
    "phenomenon": ("category",),
}
LETTERS = {
    "nli": {"e": "entailment", "n": "neutral", "c": "contradiction", "contradictory": "contradiction"},
    "sentiment": {"pos": "positive", "neg": "negative", "neu": "neutral"},
    "commonsense": {letter: str(index) for index, letter in enumerate("abcde")},
}


def adapt(task: Task, record: Any) -> tuple[list[Any], dict[str, str]]:
    """The record as rows of ours, and which of our columns came from which of its own."""
    if not isinstance(record, dict):
        return [record], {}
    if isinstance(record.get("data"), dict) and isinstance(record.get("annotations"), list):
        found = _label_studio(record)
    elif isinstance(record.get("fields"), dict) and "responses" in record:
        found = _argilla(record)
    else:
        found = [record]
    rows, mapping = [], {}
    for row in found:
        renamed, sources = _rename(task, row)
        rows.append(renamed)
        mapping |= sources
    return rows, mapping


def folder_records(folder: Path) -> Iterator[tuple[int, Any]]:
    """The rows of a `datasets` folder: what `save_to_disk` wrote (Arrow), or Parquet, JSON Lines or CSV files."""
    from data.transfer import file_records

    paths = [path for path in sorted(folder.rglob("*")) if path.suffix in SUFFIXES[:-1] and not _is_about(path)]
    if not paths:
        raise ValueError(f"{folder} holds no rows: expected .arrow, .parquet, .jsonl or .csv files.")
    line = 0
    for path in paths:
        for _, record in file_records(path):
            line += 1
            yield line, record


def zip_records(path: Path) -> Iterator[tuple[int, Any]]:
    """The rows of a zipped folder. Raises ValueError where it is none, or would unpack to over 4 GiB."""
    import tempfile

    try:
        with zipfile.ZipFile(path) as archive, tempfile.TemporaryDirectory() as folder:
            if sum(info.file_size for info in archive.infolist()) > 4 * 2**30:
                raise ValueError(f"{path.name} unpacks to more than 4 GiB; import its files one by one.")
            archive.extractall(folder)  # zipfile keeps names inside the folder
            yield from folder_records(Path(folder))
    except zipfile.BadZipFile:
        raise ValueError(f"{path.name} is not a zip file.") from None


def arrow_records(path: Path) -> Iterator[tuple[int, Any]]:
    """The rows of an Arrow file, with the names of label classes where its `datasets` features tell them."""
    import pyarrow

    try:
        with pyarrow.memory_map(str(path)) as source:
            try:
                reader = pyarrow.ipc.open_stream(source)
                batches: Iterator[Any] = iter(reader)
            except pyarrow.ArrowInvalid:
                reader = pyarrow.ipc.open_file(source)
                batches = (reader.get_batch(i) for i in range(reader.num_record_batches))
            classes = class_names(reader.schema.metadata)
            line = 0
            for batch in batches:
                for record in batch.to_pylist():
                    line += 1
                    yield line, name_classes(record, classes)
    except (OSError, pyarrow.ArrowInvalid) as error:
        raise ValueError(f"{path.name} is not an Arrow file: {error}.") from None


def class_names(metadata: dict[bytes, bytes] | None) -> dict[str, list[str]]:
    """By column the names of its classes, from the features that `datasets` keeps in a schema."""
    info = json.loads((metadata or {}).get(b"huggingface", b"{}"))
    features = info.get("info", {}).get("features", {})
    return {name: feature["names"] for name, feature in features.items() if isinstance(feature.get("names"), list)}


def name_classes(record: dict[str, Any], classes: dict[str, list[str]]) -> dict[str, Any]:
    return {
        name: classes[name][value] if name in classes and isinstance(value, int) and value >= 0 else value
        for name, value in record.items()
    }


def _is_about(path: Path) -> bool:
    return path.name in ("dataset_info.json", "state.json", "dataset_dict.json", "dataset_infos.json")


def _label_studio(record: dict[str, Any]) -> list[dict[str, Any]]:
    """A task of Label Studio's JSON export: a row for each annotation that was not cancelled."""
    rows = []
    for annotation in record["annotations"]:
        if annotation.get("was_cancelled"):
            continue
        row = dict(record["data"])
        person = annotation.get("completed_by")
        row["annotator"] = person.get("email") if isinstance(person, dict) else person and f"annotator {person}"
        for part in annotation.get("result", []):
            value = part.get("value", {})
            if value.get("choices"):
                row["label"] = value["choices"][0]
            elif part.get("type") == "textarea" and value.get("text"):
                row["note"] = " ".join(value["text"])
        rows.append(row)
    return rows or [dict(record["data"])]


def _argilla(record: dict[str, Any]) -> list[dict[str, Any]]:
    """A record of Argilla's `to_json`: a row for each person's response to its first question with a label."""
    base = {**(record.get("metadata") or {}), **record["fields"]}
    for name, suggestion in (record.get("suggestions") or {}).items():
        base.setdefault("predicted_label", suggestion.get("value") if isinstance(suggestion, dict) else None)
        base.pop(name, None)
    rows: dict[str, dict[str, Any]] = {}
    for name, responses in (record["responses"] or {}).items():
        for response in responses or []:
            person = str(response.get("user_id") or "")
            row = rows.setdefault(person, {**base, "annotator": person or None})
            is_note = name in ("note", "comment", "reason", "explanation")
            row.setdefault("note" if is_note else "label", response.get("value"))
    return list(rows.values()) or [base]


def _rename(task: Task, row: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    row, mapping = dict(row), {}
    for wanted, others in {**FIELDS.get(task.name, {}), **COLUMNS}.items():
        if row.get(wanted) not in (None, ""):
            continue
        source = next((name for name in others if row.get(name) not in (None, "")), None)
        if source is not None:
            row[wanted], mapping[wanted] = row[source], source
    if isinstance(row.get("choices"), dict):  # CommonsenseQA: {"label": ["A", ...], "text": [...]}
        row["choices"] = row["choices"].get("text")
    for name in ("label", "predicted_label"):
        if name in row:
            row[name] = _plain_label(task, row[name])
    if mapping.get("annotator") and not isinstance(row["annotator"], str):
        row["annotator"] = f"annotator {row['annotator']}"
    if row.get("kind") is None and row.get("label") is not None and mapping.get("predicted_label"):
        row["kind"] = "confirmation" if row["predicted_label"] == row["label"] else "correction"
    if mapping.get("phenomenon") and row["phenomenon"] not in task.categories:
        del row["phenomenon"]
    return row, mapping


def _plain_label(task: Task, value: Any) -> Any:
    """A label as ours are called: letters, other cases, and the index that public sets use."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, str):
        folded = value.strip().casefold()
        if folded in LETTERS.get(task.name, {}) and value not in task.labels:
            return LETTERS[task.name][folded]
        if folded in task.labels:
            return folded
    if task.labels and isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(task.labels):
        return task.labels[value]
    return value
