"""Examples and the verdicts on them: flag, confirm, edit, undo, and what a training run takes."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sqlite_utils import Database

from data.roles import require, sign
from data.scripts import apart
from data.settling import settle, settle_examples
from data.steps import begin_step, change_verdicts, record_new
from data.store import now, writing
from data.tasks import Example, Task, clean_text, get_task, parse_category
from data.tasks.spans import SpanTask

MAX_NOTE_CHARS = 10_000
LONE_WEIGHT = 0.5


@dataclass(frozen=True)
class Answer:
    """What a version said about an example when the verdict was given."""

    label: Any
    """An index, or of a task of spans `data.tasks.spans.Spans`."""
    probabilities: list[float]
    version_id: str


def flag_example(
    db: Database,
    task: Task,
    example: Example,
    expected: Any,
    *,
    annotator: str,
    answer: Answer | None = None,
    category: str | None = None,
    note: str = "",
    origin: str = "probe",
    kind: str | None = None,
    step_id: int | None = None,
    signed: str | None = None,
    guidance: str = "",
    guided: int | None = None,
) -> int:
    """Stores that the right label is `expected`; returns the verdict's id.

    It is a confirmation where the model's answer is the expected one, else a correction, unless `kind` says which.
    `guidance` is what was tried beside the plain input, `guided` the label that the version gave with it.
    Durable on return. The same content flagged again is the same example with one more verdict. Many at once
    pass the `step_id` that they belong to (and call `settle_verdicts` in the end), and `signed` for whose verdict a
    row is where it is not the actor's. Raises ValueError and StoreError; then nothing is stored.
    """
    require("flag")
    example = task.parse_example(example)
    task.check_label(expected, example)
    category = parse_category(task, category)
    note = _parse_note(note)
    time = now()
    row = {
        "task": task.name,
        "kind": kind or ("confirmation" if answer and answer.label == expected else "correction"),
        "expected_label": str(task.format_label(expected)),
        "predicted_label": str(task.format_label(answer.label)) if answer else None,
        "probabilities": json.dumps([round(p, 6) for p in answer.probabilities]) if answer else None,
        "confidence": round(max(answer.probabilities), 6) if answer else None,
        "version_id": answer.version_id if answer else None,
        "annotator": clean_text(signed or "") or sign(annotator),
        "category": category,
        "note": note,
        "guidance": clean_text(guidance),
        "guided_label": None if guided is None else str(task.format_label(guided)),
        "origin": origin,
        "created_at": time,
        "updated_at": time,
    }
    with writing(db, together=True):
        row["example_id"] = _example_id(db, task, example, time)
        verdict_id = db.conn.execute(
            f"INSERT INTO verdicts ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})", list(row.values())
        ).lastrowid
        record_new(db, begin_step(db, "flag", sign(annotator)) if step_id is None else step_id, verdict_id, row)
        if step_id is None:
            settle_examples(db, [row["example_id"]])
    return verdict_id


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
    by: str | None = None,
) -> int | None:
    """Changes a verdict; what is None stays. Returns the step, for `undo_step`; None where nothing changes."""
    with writing(db):
        row = get_verdict(db, verdict_id)
        changes = change_of(row, expected=expected, category=category, note=note)
        return change_verdicts(db, "edit", {verdict_id: changes}, by=by)


def change_of(
    row: dict[str, Any],
    *,
    expected: str | int | None = None,
    category: str | None = None,
    note: str | None = None,
) -> dict[str, Any]:
    """The columns of a verdict (as `get_verdict` gives it) that hold what is wished, checked. Raises ValueError."""
    task = get_task(row["task"])
    changes: dict[str, Any] = {}
    if expected is not None:
        label = str(task.format_label(task.parse_label(expected, row["example"])))
        if label != row["expected_label"]:
            changes["kind"] = "confirmation" if row["predicted_label"] == label else "correction"
        changes["expected_label"] = label
    if category is not None:
        changes["category"] = parse_category(task, category)
    if note is not None:
        changes["note"] = _parse_note(note)
    return changes


def archive_verdicts(db: Database, verdict_ids: Iterable[int], *, by: str | None = None) -> int | None:
    """Takes verdicts out of every list and training set; returns the step, None where all are out already."""
    time = now()
    with writing(db):
        found = _in_use(db, verdict_ids, True)
        return change_verdicts(db, "archive", {one: {"archived_at": time} for one in found}, by=by)


def unarchive_verdicts(db: Database, verdict_ids: Iterable[int], *, by: str | None = None) -> int | None:
    """Takes archived verdicts back; returns the step, None where none was archived."""
    with writing(db):
        found = _in_use(db, verdict_ids, False)
        return change_verdicts(db, "restore", {one: {"archived_at": None} for one in found}, by=by)


def get_verdict(db: Database, verdict_id: int) -> dict[str, Any]:
    """A verdict joined with its example (`task`, `example`, `split`). Raises ValueError if there is none."""
    rows = list(
        db.query(
            "SELECT v.*, e.fields, e.split, e.state FROM verdicts v JOIN examples e ON e.id = v.example_id "
            "WHERE v.id = ?",
            [verdict_id],
        )
    )
    if not rows:
        raise ValueError(f"There is no verdict {verdict_id}.")
    row = rows[0]
    row["example"] = json.loads(row.pop("fields"))
    return row


@dataclass
class Selection:
    """What a training run may use, and what was left out."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    """`example_id`, `example`, `label` (index), `kind`, `category` and `weight`, one row an example; a disputed one
    has `soft`, the share of people for each label."""
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
    disputed: bool = False,
) -> Selection:
    """Each example's current verdict, by the newest of each annotator; what people do not agree on is left out.

    `split` None takes both; `ids` restricts to those examples. `confirmed` leaves out corrections that one person
    alone vouches for (a confirmation has the model for a second voice); `disputed` takes what three or more people
    do not agree on with soft labels (of spans, nothing). Where there are several annotators, a lone
    correction weighs half.
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
    alone = len({annotator for by_annotator in newest.values() for annotator in by_annotator}) < 2
    for example_id, by_annotator in newest.items():
        verdicts = list(by_annotator.values())
        votes = Counter(v["expected_label"] for v in verdicts)
        label = settle([v["expected_label"] for v in verdicts])
        lone = len(verdicts) == 1 and verdicts[0]["kind"] == "correction"
        soft = label is None and disputed and len(verdicts) > 2 and not isinstance(task, SpanTask)
        if soft:
            label = votes.most_common(1)[0][0]
        if label is None:
            selection.conflicts.append(example_id)
            continue
        if confirmed and lone:
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
                "weight": LONE_WEIGHT if soft or (lone and not alone) else 1.0,
            }
        )
        if soft:
            names = [str(task.format_label(i)) for i in range(len(task.label_names(example)))]
            selection.rows[-1]["soft"] = [votes[name] / len(verdicts) for name in names]
    return selection


def wants_confirmed(db: Database, task: Task, train_on: str) -> bool:
    """Whether training leaves out what one person alone corrected, by the setting `train_on`."""
    if train_on != "auto":
        return train_on == "confirmed"
    first, last = db.execute(
        "SELECT (SELECT min(annotator) FROM verdicts WHERE task = :task AND archived_at IS NULL), "
        "(SELECT max(annotator) FROM verdicts WHERE task = :task AND archived_at IS NULL)",
        {"task": task.name},
    ).fetchone()
    return first != last


def stored_labels(db: Database, task: Task, hashes: Iterable[str]) -> set[tuple[str, str, str]]:
    """(content hash, expected label, annotator) of the verdicts in use on examples of these contents."""
    query = (
        "SELECT e.content_hash, v.expected_label, v.annotator FROM json_each(?) h "
        "JOIN examples e ON e.task = ? AND e.content_hash = h.value "
        "JOIN verdicts v ON v.example_id = e.id WHERE v.archived_at IS NULL"
    )
    return {tuple(row) for row in db.execute(query, [json.dumps(list(hashes)), task.name])}


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
    text = task.text_of(example)
    words = apart(text)
    return db.conn.execute(
        "INSERT INTO examples (task, content_hash, fields, text, words, split, created_at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            task.name,
            content_hash,
            json.dumps(example, ensure_ascii=False),
            text,
            None if words == text else words,
            task.split_of(example),
            time,
        ],
    ).lastrowid


def _in_use(db: Database, verdict_ids: Iterable[int], in_use: bool) -> list[int]:
    found = db.execute(
        "SELECT id FROM verdicts WHERE id IN (SELECT value FROM json_each(?)) AND (archived_at IS NULL) = ?",
        [json.dumps(list(verdict_ids)), in_use],
    )
    return [row[0] for row in found]
