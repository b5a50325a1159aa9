"""A suite from a few typed lines: what the page's form takes, and the file that it becomes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from data.roles import require
from data.suites.base import MARKED, Suite, SuiteError
from data.suites.load import parse_suite
from data.tasks import Task
from data.tasks.spans import SpanTask


def compose(task: Task, name: str, category: str, tests: str, slots: str, templates: str) -> dict[str, Any]:
    """The suite as a file would hold it. Raises SuiteError that names the line.

    `slots`: a line each, "person: nurse, pilot, baker" or "person: @people". `templates`: a line each, the task's
    fields and the right label with bars between them, "The {person1} left. | The {person2} left. | neutral"; choices
    are parted by slashes, and the right one is named by its number from 1; spans are marked in the text instead,
    "[{person}](PER) left." Two bars, "FIELDS || FIELDS", say that
    both get the same answer; with "| positive up" behind, that the probability of that label rises from the first to
    the second.
    """
    name = re.sub(r"[^a-z0-9]+", "_", name.strip().casefold()).strip("_")
    if not name:
        raise SuiteError("Name: expected a few letters, such as tall_tales.")
    raw = {
        "name": name,
        "task": task.name,
        "category": category,
        "tests": tests.strip() or name.replace("_", " "),
        "slots": dict(_slot(line, number) for number, line in _lines(slots)),
        "templates": [_template(task, line, number) for number, line in _lines(templates)],
    }
    parse_suite(raw, "This suite")
    return raw


def save_suite(folder: Path, raw: dict[str, Any]) -> Suite:
    """Writes the suite into `folder`, whole or not at all. Raises SuiteError where one of that name is there."""
    require("suites")
    suite = parse_suite(raw, "This suite")
    path = folder / suite.task.name / f"{suite.name}.json"
    if path.exists():
        raise SuiteError(f"There is a suite {suite.name!r} already; choose another name.")
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(raw, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    partial.replace(path)
    return suite


def remove_suite(folder: Path, suite: Suite) -> None:
    """Takes back `save_suite`; nothing where the file is gone."""
    require("suites")
    (folder / suite.task.name / f"{suite.name}.json").unlink(missing_ok=True)


def _lines(text: str) -> list[tuple[int, str]]:
    return [(number, line.strip()) for number, line in enumerate(text.splitlines(), 1) if line.strip()]


def _slot(line: str, number: int) -> tuple[str, Any]:
    name, colon, words = line.partition(":")
    if not colon or not words.strip():
        raise SuiteError(f"Slots, line {number}: expected 'name: word, word'; found {line!r}.")
    words = words.strip()
    return name.strip(), words if words.startswith("@") else [w.strip() for w in words.split(",") if w.strip()]


def _template(task: Task, line: str, number: int) -> dict[str, Any]:
    first, pair, second = line.partition("||")
    raw: dict[str, Any] = {"id": f"line_{number}"}
    if isinstance(task, SpanTask):
        return {**raw, "fields": _fields(task, line, number)[0], "expect": {"label": MARKED}}
    if not pair:
        raw["fields"], label = _fields(task, first, number, "right label")
        return {**raw, "expect": {"label": _label(task, label, raw["fields"], number)}}
    raw["fields"], _ = _fields(task, first, number)
    if second.count("|") < len(task.fields):
        fields, _ = _fields(task, second, number)
        return {**raw, "expect": {"same": fields}}
    fields, change = _fields(task, second, number, "label up or down")
    label, _, way = change.rpartition(" ")
    direction = {"fields": fields, "label": _label(task, label, fields, number), "change": way.casefold()}
    return {**raw, "expect": {"direction": direction}}


def _fields(task: Task, line: str, number: int, last: str = "") -> tuple[dict[str, Any], str]:
    """The fields between the bars, and what stands behind the `last` one, if it is asked for."""
    names = [field.name for field in task.fields] + ([last] if last else [])
    parts = [part.strip() for part in line.split("|")]
    if len(parts) != len(names):
        raise SuiteError(f"Templates, line {number}: expected {' | '.join(names)}; found {len(parts)} parts.")
    values = parts[: len(task.fields)]
    fields = {
        field.name: [choice.strip() for choice in value.split("/")] if field.kind == "choices" else value
        for field, value in zip(task.fields, values, strict=True)
    }
    return fields, parts[-1]


def _label(task: Task, text: str, fields: dict[str, Any], number: int) -> str | int:
    if task.labels:
        return text.casefold()
    count = max(len(value) for value in fields.values() if isinstance(value, list))
    if not text.isdigit() or not 1 <= int(text) <= count:
        raise SuiteError(
            f"Templates, line {number}: expected the right choice's number, 1 to {count}; found {text!r}."
        )
    return int(text) - 1
