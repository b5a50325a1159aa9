"""Examples and the verdicts on them: flag, confirm, edit, undo, and what a training run takes."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlite_utils import Database

from data.roles import require, sign
from data.store import now, writing
from data.tasks import Example, Task, clean_text, get_task, parse_category

MAX_NOTE_CHARS = 10_000


@dataclass(frozen=True)
class Answer:
    """What a version said about an example when the verdict was given."""

    label: int
    probabilities: list[float]
    version_id: str


def flag_example(
    db: Database,
    task: Task,
    example: Example,
    expected: int,
    *,
    annotator: str,
    answer: Answer | None = None,
    category: str | None = None,
    note: str = "",
    origin: str = "probe",
) -> int:
    """Stores that the right label is `expected`; returns the verdict's id.

    It is a confirmation where the model's answer is the expected one, else a correction. Durable on
    return. The same content flagged again is the same example with one more verdict. Raises ValueError
    and StoreError; then nothing is stored.
    """
    require("flag")
    example = task.parse_example(example)
    names = task.label_names(example)
    if not 0 <= expected < len(names):
        raise ValueError(f"Expected as label an index from 0 to {len(names) - 1}; found {expected}.")
    category = parse_category(task, category)
    note = _parse_note(note)
    time = now()
    row = {
        "kind": "confirmation" if answer and answer.label == expected else "correction",
        "expected_label": str(task.format_label(expected)),
        "predicted_label": str(task.format_label(answer.label)) if answer else None,
        "probabilities": json.dumps([round(p, 6) for p in answer.probabilities]) if answer else None,
        "version_id": answer.version_id if answer else None,
        "annotator": sign(annotator),
        "category": category,
        "note": note,
        "origin": origin,
        "created_at": time,
        "updated_at": time,
    }
    with writing(db):
        row["example_id"] = _example_id(db, task, example, time)
        return db["verdicts"].insert(row).last_pk


def confirm_example(
    db: Database,
    task: Task,
    example: Example,
    answer: Answer,
    *,
    annotator: str,
    category: str | None = None,
    origin: str = "probe",
) -> int:
    """Stores that the model's answer is right; returns the verdict's id."""
    return flag_example(
        db, task, example, answer.label, annotator=annotator, answer=answer, category=category, origin=origin
    )


def edit_verdict(
    db: Database,
    verdict_id: int,
    *,
    expected: str | int | None = None,
    category: str | None = None,
    note: str | None = None,
) -> dict[str, Any]:
    """Changes a verdict; what is None stays. Returns the row as it was, for `restore_verdict`."""
    with writing(db):
        before = get_verdict(db, verdict_id)
        task = get_task(before["task"])
        changes: dict[str, Any] = {"updated_at": now()}
        if expected is not None:
            label = task.format_label(task.parse_label(expected, before["example"]))
            if str(label) != before["expected_label"]:
                is_right = before["predicted_label"] == str(label)
                changes["kind"] = "confirmation" if is_right else "correction"
            changes["expected_label"] = str(label)
        if category is not None:
            changes["category"] = parse_category(task, category)
        if note is not None:
            changes["note"] = _parse_note(note)
        db["verdicts"].update(verdict_id, changes)
    return before


def restore_verdict(db: Database, before: dict[str, Any]) -> None:
    """Puts a verdict back to what `edit_verdict` returned."""
    kept = ("expected_label", "kind", "category", "note", "updated_at", "archived_at")
    with writing(db):
        db["verdicts"].update(before["id"], {name: before[name] for name in kept})


def archive_verdicts(db: Database, verdict_ids: Iterable[int]) -> int:
    """Takes verdicts out of every list and training set; returns how many. `unarchive_verdicts` undoes it."""
    return _set_archived(db, verdict_ids, now())


def unarchive_verdicts(db: Database, verdict_ids: Iterable[int]) -> int:
    return _set_archived(db, verdict_ids, None)


def get_verdict(db: Database, verdict_id: int) -> dict[str, Any]:
    """A verdict joined with its example (`task`, `example`, `split`). Raises ValueError if there is none."""
    rows = list(
        db.query(
            "SELECT v.*, e.task, e.fields, e.split FROM verdicts v JOIN examples e ON e.id = v.example_id "
            "WHERE v.id = ?",
            [verdict_id],
        )
    )
    if not rows:
        raise ValueError(f"There is no verdict {verdict_id}.")
    row = rows[0]
    row["example"] = json.loads(row.pop("fields"))
    return row


def settle(labels: Sequence[str]) -> str | None:
    """The label that people agree on: all of them, or more of them than say any other; None where there is none."""
    (first, count), *others = Counter(labels).most_common()
    return first if not others or count > others[0][1] else None


@dataclass
class Selection:
    """What a training run may use, and what was left out."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    """`example_id`, `example`, `label` (index), `kind`, `category`, one row an example."""
    conflicts: list[int] = field(default_factory=list)
    """Ids of examples whose annotators disagree; they are left out until resolved."""
    unconfirmed: int = 0
    """How many were left out since one person alone judged them; only where confirmed ones are asked for."""


def select_examples(
    db: Database,
    task: Task,
    split: str | None = "train",
    ids: Iterable[int] | None = None,
    *,
    confirmed: bool = False,
) -> Selection:
    """Each example's current verdict, by the newest of each annotator; what people do not agree on is left out.

    `split` None takes both; `ids` restricts to those examples; `confirmed` leaves out what one person alone judged.
    """
    where, values = ["v.archived_at IS NULL", "e.task = ?"], [task.name]
    if split:
        where.append("e.split = ?")
        values.append(split)
    if ids is not None:
        where.append("e.id IN (SELECT value FROM json_each(?))")
        values.append(json.dumps(list(ids)))
    newest: dict[int, dict[str, dict[str, Any]]] = {}
    for row in db.query(
        "SELECT v.id, v.example_id, v.annotator, v.expected_label, v.kind, v.category, e.fields "
        f"FROM verdicts v JOIN examples e ON e.id = v.example_id WHERE {' AND '.join(where)} ORDER BY v.id",
        values,
    ):
        newest.setdefault(row["example_id"], {})[row["annotator"]] = row
    selection = Selection()
    for example_id, by_annotator in newest.items():
        verdicts = list(by_annotator.values())
        label = settle([v["expected_label"] for v in verdicts])
        if label is None:
            selection.conflicts.append(example_id)
            continue
        if confirmed and len(verdicts) == 1:
            selection.unconfirmed += 1
            continue
        agreed = [v for v in verdicts if v["expected_label"] == label]
        latest = max(agreed, key=lambda v: v["id"])
        example = json.loads(latest["fields"])
        kinds = {v["kind"] for v in agreed}
        selection.rows.append(
            {
                "example_id": example_id,
                "example": example,
                "label": task.parse_label(latest["expected_label"], example),
                "kind": "correction" if "correction" in kinds else "confirmation",
                "category": latest["category"],
            }
        )
    return selection


def _parse_note(note: str) -> str:
    if len(note) > MAX_NOTE_CHARS:
        raise ValueError(f"Note: expected at most {MAX_NOTE_CHARS:,} characters; found {len(note):,}.")
    return clean_text(note)


def _example_id(db: Database, task: Task, example: Example, time: str) -> int:
    content_hash = task.content_hash(example)
    found = db.execute(
        "SELECT id FROM examples WHERE task = ? AND content_hash = ?", [task.name, content_hash]
    ).fetchone()
    if found:
        return found[0]
    texts = [part for f in task.fields for part in _as_list(example[f.name]) if part]
    return (
        db["examples"]
        .insert(
            {
                "task": task.name,
                "content_hash": content_hash,
                "fields": json.dumps(example, ensure_ascii=False),
                "text": "\n".join(texts),
                "split": task.split_of(example),
                "created_at": time,
            }
        )
        .last_pk
    )


def _as_list(value: str | list[str]) -> list[str]:
    return value if isinstance(value, list) else [value]


def _set_archived(db: Database, verdict_ids: Iterable[int], time: str | None) -> int:
    with writing(db):
        cursor = db.conn.execute(
            "UPDATE verdicts SET archived_at = ? WHERE id IN (SELECT value FROM json_each(?)) "
            "AND (archived_at IS NULL) != (? IS NULL)",
            [time, json.dumps(list(verdict_ids)), time],
        )
        return cursor.rowcount
