"""Lessons: own-written minimal pairs in many constructions, a file for each task and category.

    {"task": "nli", "category": "temporal order", "slots": {"deed": [{"past": "sang", "base": "sing"}, ...]},
     "lessons": [{"premise": "{name1.name} {deed1.past} before {name2.name} {deed2.past}.",
                  "hypothesis": {"entailment": ["{name2.name} {deed2.past} after {name1.name} {deed1.past}."],
                                 "contradiction": ["..."]}}]}

One field of a lesson is given for each label, as lists of texts; the rest is shared, words and all, so that of two
texts with different labels only the phenomenon tells them apart. Slots are those of `data.suites`, and `shared_slots`
are there without declaring. The label of a choice is its number, "0", "1".

No template of a suite stands here: suites measure, lessons teach.
"""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from data.lexicon import inflect, members
from data.suites.base import SLOT, Entry, Suite, SuiteError, Template, render_together
from data.suites.load import parse_suite
from data.tasks import Task

FOLDER = Path(__file__).parent
NOUNS = {
    "person": ("person",),
    "thing": ("box", "bag", "crockery", "instrument", "toy", "furniture"),
    "animal": ("wild-animal", "farm-animal"),
    "fruit": ("fruit",),
}
PLAIN = {
    "place": ("public-building", "outdoors"),
    "city": ("city",),
    "country": ("country",),
    "day": ("weekday", "weekend-day"),
    "month": ("month",),
    "colour": ("colour",),
    "kin": ("kin-female", "kin-male"),
    "surname": ("surname",),
}
VERB_FORMS = {"base": "base", "past": "past", "participle": "participle", "third": "third", "ing": "gerund"}
LOW = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
MISSES = 20
"""So many draws of a lesson that give nothing new end it."""


@dataclass(frozen=True)
class Lesson:
    """One group of minimal pairs; `suite.templates` are its texts, each with its label."""

    suite: Suite

    @property
    def category(self) -> str:
        return self.suite.category

    def pairs(self, rng: random.Random) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
        """Two rows (`example`, `label`) with the same words and different labels, again and again until no new ones
        come; each label takes its turn."""
        by_label: dict[Any, list[Template]] = defaultdict(list)
        for template in self.suite.templates:
            by_label[template.label].append(template)
        seen, missed = set(), 0
        while missed < MISSES:
            chosen = [rng.choice(by_label[label]) for label in rng.sample(sorted(by_label), 2)]
            first, second = render_together(self.suite, chosen, rng.random())
            key = json.dumps([first["example"], second["example"]])
            missed = missed + 1 if key in seen else 0
            if not missed:
                seen.add(key)
                yield first, second


@lru_cache
def load_lessons(task: Task) -> tuple[Lesson, ...]:
    """The task's lessons, in the order of their files; none for a task without. Raises SuiteError."""
    return tuple(lesson for path in sorted((FOLDER / task.name).glob("*.json")) for lesson in read_lessons(path))


def read_lessons(path: Path) -> list[Lesson]:
    """The lessons of one file. Raises SuiteError that names the file, the lesson and what is wrong."""
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        slots = {**shared_slots(), **raw["slots"]}
        lessons = raw["lessons"]
        return [Lesson(_suite(raw, fields, slots, f"{path.name} {n}")) for n, fields in enumerate(lessons, 1)]
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError) as error:
        raise SuiteError(f"{path}: expected task, category, slots and lessons in JSON: {error!r}") from error


def _suite(raw: dict[str, Any], fields: dict[str, Any], slots: dict[str, list[Entry]], where: str) -> Suite:
    given = [name for name, value in fields.items() if isinstance(value, dict)]
    if len(given) != 1 or len(fields[given[0]]) < 2:
        raise SuiteError(f"{where}: expected one field for each of two labels or more; found {given or 'none'}.")
    name = given[0]
    templates = [
        {
            "id": f"{label} {number}",
            "fields": {**fields, name: text},
            "expect": {"label": int(label) if label.isdigit() else label},
        }
        for label, texts in fields[name].items()
        for number, text in enumerate(texts, 1)
    ]
    used = {match["slot"] for match in SLOT.finditer(json.dumps(fields))}
    suite = {"name": where, "task": raw["task"], "category": raw["category"], "tests": "lesson"}
    suite["slots"] = {name: words for name, words in slots.items() if name in used}
    return parse_suite({**suite, "templates": templates}, where, {})


@lru_cache
def shared_slots() -> dict[str, list[Entry]]:
    """What any lesson may use, from the project's lexicon: person, name, affect, act, thing, place, day and more."""
    slots: dict[str, list[Entry]] = {
        name: [w for c in classes for w in members(c)] for name, classes in PLAIN.items()
    }
    for name, classes in NOUNS.items():
        forms = [(c, word) for c in classes for word in members(c)]
        slots[name] = [
            {"one": inflect(c, word, "singular"), "many": inflect(c, word, "plural")}
            for c, word in forms
            if inflect(c, word, "plural")
        ]
    for name in ("affect", "act"):
        verbs = [{short: inflect(name, word, form) for short, form in VERB_FORMS.items()} for word in members(name)]
        slots[name] = [forms for forms in verbs if all(forms.values())]
    women = [{"name": n, "he": "she", "him": "her", "his": "her"} for n in members("female")]
    men = [{"name": n, "he": "he", "him": "him", "his": "his"} for n in members("male")]
    return {**slots, "name": [*women, *men], "woman": women, "man": men, "low": list(LOW)}
