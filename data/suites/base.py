"""Suites as data: what a suite file may hold, and how a template becomes a row.

One JSON file per task and capability, `data/suites/<task>/<name>.json`:

    {"name": "role_swap", "task": "nli", "category": "role swap and word order",
     "tests": "One line: what it tests and why models fail.",
     "slots": {"person": "@people", "verb": [{"past": "paid", "participle": "paid"}, ...]},
     "templates": [
       {"id": "active",
        "fields": {"premise": "The {person1.one} {verb.past} the {person2.one}.", "hypothesis": "..."},
        "expect": {"label": "neutral"}}],
     "contrasts": [...]}

A slot is a list of words, or of entries with named forms, or "@list" for a list of `words.json`. `{slot}` takes
a word, `{slot.form}` a form of an entry, `{a slot}` puts "a" or "an" before it. A number keeps words apart:
`{person1}` and `{person2}` differ, and `{person1}` is the same wherever it stands in a row. No two slots of a row
take the same word; an entry counts as the word that is its first form. Sentences are capitalised by the expander.

`expect` is one of
    {"label": L}                                             minimum functionality: L is the right answer
    {"same": FIELDS}                                         invariance: FIELDS must get the same answer
    {"direction": {"fields": FIELDS, "label": L, "change": "up" or "down"}}
                                                             with FIELDS, the probability of L must move so
For commonsense `choices` is a list of templates and L the index of one; the expander shuffles the choices.
Of a task of spans the text itself says what is right, "[{name}](PER) lives in [{city}](LOC).", and `expect` is
{"label": "marked"}. `"small": true` beside the name writes every row in small letters.
`contrasts` have the shape and vocabulary of `templates`, and another right label.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from data.tasks import Task
from data.tasks.spans import SpanTask, read_marked

MARKED = "marked"
"""The label of a template whose text marks what is right in it."""
SLOT = re.compile(r"\{(?:(?P<article>a) )?(?P<slot>[a-z_]+)(?P<number>\d*)(?:\.(?P<form>[a-z_]+))?\}")
SENTENCE_START = re.compile(r"(?:^|[.!?]\s+)[\"'(]?([a-z])")
AN_SOUND = re.compile(r"(?:[aeiou]|hour|honest|honou?r|heir)", re.IGNORECASE)
A_SOUND = re.compile(r"(?:uni[cfloqstv]|us[aeu]|ut[ei]|eu|one\b|once\b)", re.IGNORECASE)

Entry = str | dict[str, str]
Fields = dict[str, str | list[str]]


class SuiteError(ValueError):
    """A suite file that cannot be used; the message names the file, the template and what is wrong."""


@dataclass(frozen=True)
class Template:
    id: str
    fields: Fields
    label: str | int | None
    """The right answer (a label's name or a choice's index); None where the expectation is `same` or `direction`."""
    second: Fields | None = None
    """The fields to compare with, for `same` and `direction`."""
    direction: tuple[str | int, str] | None = None
    """(label, "up" or "down"), for `direction`."""

    @property
    def texts(self) -> list[str]:
        """Every string with slots in it."""
        values = [value for fields in (self.fields, self.second or {}) for value in fields.values()]
        return [text for value in values for text in ([value] if isinstance(value, str) else value)]


@dataclass(frozen=True)
class Suite:
    name: str
    task: Task
    category: str
    tests: str
    slots: Mapping[str, list[Entry]]
    templates: tuple[Template, ...]
    contrasts: tuple[Template, ...] = ()
    small: bool = False
    """Whether its rows are in small letters throughout."""

    def of_kind(self, kind: str) -> tuple[Template, ...]:
        """`templates` or `contrasts`. Raises ValueError for another kind."""
        if kind not in ("templates", "contrasts"):
            raise ValueError(f"Expected as kind 'templates' or 'contrasts'; found {kind!r}.")
        return self.templates if kind == "templates" else self.contrasts


def word_of(entry: Entry) -> str:
    """What an entry counts as where words must differ: the word, or the entry's first form."""
    return entry if isinstance(entry, str) else next(iter(entry.values()))


def render_row(suite: Suite, template: Template, seed: int | str) -> dict[str, Any]:
    """One row of one template. Raises ValueError where words run out or the task refuses the example."""
    rng = random.Random(f"{suite.name}:{template.id}:{seed}")
    return _render(suite, template, _draw(suite, template.texts, rng), rng)


def render_together(suite: Suite, templates: Sequence[Template], seed: int | str) -> list[dict[str, Any]]:
    """A row of each template, with the same words in the same slots. Raises ValueError as `render_row` does."""
    rng = random.Random(f"{suite.name}:{seed}")
    drawn = _draw(suite, [text for template in templates for text in template.texts], rng)
    order = rng.random()  # and choices in the same order
    return [_render(suite, template, drawn, random.Random(order)) for template in templates]


def _render(
    suite: Suite, template: Template, drawn: dict[tuple[str, str], Entry], rng: random.Random
) -> dict[str, Any]:
    order = list(range(len(template.fields.get("choices", []))))
    rng.shuffle(order)

    def place(label: str | int) -> int:
        return order.index(label) if isinstance(label, int) else suite.task.labels.index(label)

    filled = _fill(template.fields, drawn, order, suite.small)
    if isinstance(suite.task, SpanTask):
        field = suite.task.fields[0].name
        filled[field], spans = read_marked(filled[field])
        example = suite.task.parse_example(filled)
        label: Any = suite.task.parse_label(spans, example)
    else:
        example = suite.task.parse_example(filled)
        label = None if template.label is None else place(template.label)
    row: dict[str, Any] = {
        "example": example,
        "label": label,
        "category": suite.category,
        "suite": suite.name,
        "template": template.id,
    }
    if template.second is not None:
        row["second"] = suite.task.parse_example(_fill(template.second, drawn, order, suite.small))
    if template.direction is not None:
        row["direction"] = (place(template.direction[0]), template.direction[1])
    return row


def _draw(suite: Suite, texts: Sequence[str], rng: random.Random) -> dict[tuple[str, str], Entry]:
    """A word for each (slot, number) in the texts, no word twice."""
    keys = dict.fromkeys((m["slot"], m["number"]) for text in texts for m in SLOT.finditer(text))
    drawn: dict[tuple[str, str], Entry] = {}
    used: set[str] = set()
    for slot, number in keys:
        free = [entry for entry in suite.slots[slot] if word_of(entry) not in used]
        if not free:
            others = ", ".join("{" + s + n + "}" for s, n in drawn) or "nothing"
            raise ValueError(
                f"expected more words in slot {slot!r}; it has {len(suite.slots[slot])}, and {others} took theirs."
            )
        drawn[slot, number] = entry = rng.choice(free)
        used.add(word_of(entry))
    return drawn


def _fill(fields: Fields, drawn: dict[tuple[str, str], Entry], order: list[int], small: bool) -> Fields:
    def finish(text: str) -> str:
        return in_small(text) if small else _capitalise(text)

    def word(match: re.Match[str]) -> str:
        entry = drawn[match["slot"], match["number"]]
        text = entry if isinstance(entry, str) else entry[match["form"]]
        return f"{article(text)} {text}" if match["article"] else text

    filled: Fields = {}
    for name, value in fields.items():
        if isinstance(value, str):
            filled[name] = finish(SLOT.sub(word, value))
        else:
            texts = [SLOT.sub(word, text) for text in value]
            texts = [finish(text) if small or text.endswith((".", "!", "?")) else text for text in texts]
            filled[name] = [texts[i] for i in order]
    return filled


def in_small(text: str) -> str:
    """In small letters; what marks say of a type stays as it is."""
    return re.sub(
        r"\]\([^)]*\)|[^\]]+|\]", lambda part: part[0] if part[0].startswith("](") else part[0].lower(), text
    )


def article(text: str) -> str:
    """ "a" or "an", as the text after it sounds."""
    return "an" if AN_SOUND.match(text) and not A_SOUND.match(text) else "a"


def _capitalise(text: str) -> str:
    return SENTENCE_START.sub(lambda match: match[0][:-1] + match[1].upper(), text)
