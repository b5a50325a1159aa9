"""Suite files read and checked: each error names the file, the template and what is wrong."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from data.suites.base import MARKED, SLOT, Entry, Fields, Suite, SuiteError, Template, render_row, word_of
from data.tasks import Task, get_task, parse_category
from data.tasks.spans import SpanTask

SHIPPED = Path(__file__).parent
ARTICLE_BEFORE_SLOT = re.compile(r"\b[Aa]n?\s+(\{[^}]*\})")


def load_suites(task: str | None = None, folder: Path | None = None) -> list[Suite]:
    """The suites in `folder` (the shipped ones by default), of one task or of all, by task and name.

    Raises SuiteError where a file is malformed, ValueError where the task is unknown.
    """
    folder = folder or SHIPPED
    words = load_words(folder)
    names = [task] if task else sorted(path.name for path in folder.iterdir() if any(path.glob("*.json")))
    suites = []
    for name in names:
        get_task(name)
        for path in sorted((folder / name).glob("*.json")):
            suite = parse_suite(_read_json(path), str(path), words)
            if (suite.task.name, suite.name) != (name, path.stem):
                raise SuiteError(
                    f"{path}: expected task {name!r} and name {path.stem!r}, as folder and file are called; "
                    f"found {suite.task.name!r} and {suite.name!r}."
                )
            suites.append(suite)
    return suites


def all_suites(task: str | None, own: Path) -> list[Suite]:
    """The shipped suites and those in the folder `own`, which takes the place of a shipped one of the same name.

    Raises SuiteError where a file is malformed.
    """
    added = {(suite.task.name, suite.name): suite for suite in load_suites(task, own)} if own.is_dir() else {}
    shipped = {(suite.task.name, suite.name): suite for suite in load_suites(task)}
    return list({**shipped, **added}.values())


def load_words(folder: Path = SHIPPED) -> dict[str, list[Entry]]:
    """The shipped word lists, with those of `folder`/words.json over them. Raises SuiteError."""
    words: dict[str, list[Entry]] = {}
    for path in dict.fromkeys((SHIPPED / "words.json", folder / "words.json")):
        if path.exists():
            raw = _read_json(path)
            words |= {name: _parse_entries(value, f"{path}: list {name!r}") for name, value in raw.items()}
    return words


def parse_suite(raw: Any, source: str, words: Mapping[str, list[Entry]] | None = None) -> Suite:
    """The suite that a file's content describes. Raises SuiteError, which begins with `source`."""
    words = load_words() if words is None else words
    _check_keys(raw, source, ("name", "task", "category", "tests", "slots", "templates"), ("contrasts", "small"))
    for key in ("name", "task", "category", "tests"):
        if not isinstance(raw[key], str) or not raw[key].strip():
            raise SuiteError(f"{source}: expected {key!r} as a text; found {raw[key]!r}.")
    try:
        task = get_task(raw["task"])
        category = parse_category(task, raw["category"])
    except ValueError as error:
        raise SuiteError(f"{source}: {error}") from error
    if not isinstance(raw.get("small", False), bool):
        raise SuiteError(f"{source}: expected 'small' as true or false; found {raw['small']!r}.")
    if not isinstance(raw["slots"], dict):
        raise SuiteError(f"{source}: expected 'slots' as names with their words; found {raw['slots']!r}.")
    slots = {name: _parse_slot(name, value, source, words) for name, value in raw["slots"].items()}
    groups = []
    for kind in ("templates", "contrasts"):
        value = raw.get(kind, [])
        if not isinstance(value, list) or (kind == "templates" and not value):
            raise SuiteError(f"{source}: expected {kind!r} as a list of templates; found {value!r}.")
        groups.append(tuple(_parse_template(t, task, slots, f"{source}: {kind[:-1]}") for t in value))
    ids = [template.id for group in groups for template in group]
    if twice := sorted({i for i in ids if ids.count(i) > 1}):
        raise SuiteError(f"{source}: template id {twice[0]!r} is there twice; expected each once.")
    suite = Suite(raw["name"], task, category, raw["tests"].strip(), slots, *groups, raw.get("small", False))
    for template in (*suite.templates, *suite.contrasts):
        try:
            render_row(suite, template, 0)
        except ValueError as error:
            raise SuiteError(f"{source}: template {template.id!r}: {error}") from error
    return suite


def read_suite(path: Path) -> Suite:
    """The suite in one file, whose slots may name the shipped word lists. Raises SuiteError."""
    return parse_suite(_read_json(path), path.name)


def _parse_slot(name: str, value: Any, source: str, words: Mapping[str, list[Entry]]) -> list[Entry]:
    if not re.fullmatch("[a-z_]+", name):
        raise SuiteError(f"{source}: expected as slot name small letters and '_'; found {name!r}.")
    if isinstance(value, str):
        if not value.startswith("@") or value[1:] not in words:
            raise SuiteError(
                f"{source}: slot {name!r}: expected a list of words or one of "
                f"{', '.join('@' + known for known in words)}; found {value!r}."
            )
        return words[value[1:]]
    return _parse_entries(value, f"{source}: slot {name!r}")


def _parse_entries(value: Any, where: str) -> list[Entry]:
    if not isinstance(value, list) or not value:
        raise SuiteError(f"{where}: expected a list of words or of entries with forms; found {value!r}.")
    forms = list(value[0]) if isinstance(value[0], dict) else None
    for entry in value:
        if (list(entry) if isinstance(entry, dict) else None) != forms or not all(
            isinstance(text, str) and text.strip() and "{" not in text
            for text in (entry.values() if isinstance(entry, dict) else [entry])
        ):
            expected = f"the forms {', '.join(forms)}" if forms else "a word"
            raise SuiteError(f"{where}: expected in each entry {expected}; found {entry!r}.")
    known = [word_of(entry) for entry in value]
    if twice := sorted({word for word in known if known.count(word) > 1}):
        raise SuiteError(f"{where}: expected each word once; {twice[0]!r} is there twice.")
    return value


def _parse_template(raw: Any, task: Task, slots: Mapping[str, list[Entry]], where: str) -> Template:
    if isinstance(raw, dict) and isinstance(raw.get("id"), str):
        where = f"{where} {raw['id']!r}"
    _check_keys(raw, where, ("id", "fields", "expect"))
    if not isinstance(raw["id"], str) or not raw["id"]:
        raise SuiteError(f"{where}: expected 'id' as a text; found {raw['id']!r}.")
    fields = _parse_fields(raw["fields"], task, where)
    expect = raw["expect"]
    kinds = list(expect) if isinstance(expect, dict) else []
    if len(kinds) != 1 or kinds[0] not in ("label", "same", "direction"):
        raise SuiteError(f"{where}: expected in 'expect' one of label, same, direction; found {expect!r}.")
    if isinstance(task, SpanTask) and expect != {"label": MARKED}:
        raise SuiteError(
            f'{where}: expected in \'expect\' {{"label": "{MARKED}"}}, and what is right in the text, such as '
            f"[Anna]({task.types[0]}); found {expect!r}."
        )
    if kinds == ["label"]:
        template = Template(raw["id"], fields, _parse_label(expect["label"], task, fields, where))
    elif kinds == ["same"]:
        template = Template(raw["id"], fields, None, _parse_fields(expect["same"], task, where))
    else:
        change = expect["direction"]
        _check_keys(change, f"{where}, direction", ("fields", "label", "change"))
        if change["change"] not in ("up", "down"):
            raise SuiteError(f"{where}: expected as change 'up' or 'down'; found {change['change']!r}.")
        label = _parse_label(change["label"], task, fields, where)
        second = _parse_fields(change["fields"], task, where)
        template = Template(raw["id"], fields, None, second, (label, change["change"]))
    if template.second and len(template.second.get("choices", [])) != len(fields.get("choices", [])):
        raise SuiteError(f"{where}: expected as many choices in the second fields as in the first.")
    for text in template.texts:
        _check_slots(text, slots, where)
    return template


def _parse_fields(raw: Any, task: Task, where: str) -> Fields:
    _check_keys(
        raw,
        f"{where}, fields",
        [field.name for field in task.fields if field.required],
        [field.name for field in task.fields if not field.required],
    )
    for field in task.fields:
        value = raw.get(field.name, "")
        texts = value if field.kind == "choices" and isinstance(value, list) else [value]
        if (field.kind == "choices") != isinstance(value, list) or not all(isinstance(t, str) for t in texts):
            expected = "a list of texts" if field.kind == "choices" else "a text"
            raise SuiteError(f"{where}: expected field {field.name!r} as {expected}; found {value!r}.")
    return {field.name: raw[field.name] for field in task.fields if field.name in raw}


def _parse_label(value: Any, task: Task, fields: Fields, where: str) -> str | int:
    if isinstance(task, SpanTask):
        return MARKED
    known: list[Any] = list(task.labels) or list(range(len(fields["choices"])))
    if isinstance(value, bool) or value not in known:
        expected = ", ".join(str(label) for label in known)
        raise SuiteError(f"{where}: expected as label one of {expected}; found {value!r}.")
    return value


def _check_slots(text: str, slots: Mapping[str, list[Entry]], where: str) -> None:
    if found := ARTICLE_BEFORE_SLOT.search(text):
        raise SuiteError(f"{where}: expected '{{a slot}}', which chooses between a and an; found {found[0]!r}.")
    if re.search("[{}]", rest := SLOT.sub("", text)):
        raise SuiteError(
            f"{where}: expected slots as {{slot}}, {{slot1}}, {{slot.form}} or {{a slot}}; "
            f"{rest[max(re.search('[{}]', rest).start() - 5, 0) :]!r} has a brace that is none of them."
        )
    for match in SLOT.finditer(text):
        name, form = match["slot"], match["form"]
        if name not in slots:
            raise SuiteError(f"{where}: unknown slot {match[0]}; expected one of {', '.join(slots) or '(none)'}.")
        forms = list(slots[name][0]) if isinstance(slots[name][0], dict) else []
        if form not in (forms or [None]):
            expected = ", ".join(f"{{{name}.{known}}}" for known in forms) or f"{{{name}}}"
            raise SuiteError(f"{where}: unknown form {match[0]}; expected {expected}.")


def _check_keys(raw: Any, where: str, required: Iterable[str], optional: Iterable[str] = ()) -> None:
    if not isinstance(raw, dict):
        raise SuiteError(f"{where}: expected {', '.join(required)}; found {raw!r}.")
    if missing := [key for key in required if key not in raw]:
        raise SuiteError(f"{where}: {missing[0]!r} is missing; expected {', '.join(required)}.")
    if unknown := [key for key in raw if key not in (*required, *optional)]:
        raise SuiteError(f"{where}: {unknown[0]!r} is unknown; expected {', '.join((*required, *optional))}.")


def _read_json(path: Path) -> Any:
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise SuiteError(f"{path}: expected a JSON file in UTF-8: {error}") from error
    if not isinstance(raw, dict):
        raise SuiteError(f"{path}: expected a JSON object; found {type(raw).__name__}.")
    return raw
