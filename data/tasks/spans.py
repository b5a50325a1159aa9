"""Tasks that are answered by spans of a text: what a span is, how spans are read, written, checked and compared."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

from data.scripts import UNPARTED
from data.tasks.base import Example, Task

OUTSIDE = "O"
_MARKED = re.compile(r"\[(?P<text>[^\[\]]+)\]\((?P<label>[A-Z]+)\)")
_COMPACT = re.compile(r"(\d+):(\d+) (\S+)")


class Span(NamedTuple):
    """Characters `start` to `end` (exclusive) of the text are a `label`."""

    start: int
    end: int
    label: str


Spans = tuple[Span, ...]
"""An answer: spans that do not overlap, in the order of the text."""


@dataclass(frozen=True)
class SpanTask(Task):
    """A task with one text, whose label is `Spans` where other tasks have an index.

    `labels` stays empty; `types` are what a span can be.
    """

    types: tuple[str, ...] = ()

    @property
    def outputs(self) -> tuple[str, ...]:
        """A tag for words outside, and for each type one that begins a span and one that goes on with it (BIO)."""
        return (OUTSIDE, *(f"{place}-{name}" for name in self.types for place in "BI"))

    def label_names(self, example: Example) -> list[str]:
        raise TypeError(f"Task {self.name!r} is answered by spans, not by one of several labels.")

    def offered(self, example: Example, *said: Any) -> list[Any]:
        return list(dict.fromkeys(self.parse_label(one, example) for one in said if one is not None))

    def parse_label(self, value: Any, example: Example) -> Spans:
        """Spans from a list of objects with start, end and label, from JSON of it, or from `format_label`'s text.

        Raises ValueError on a span that is outside of the text, cuts a word, overlaps another or has no known label.
        """
        text = example[self.fields[0].name]
        spans = sorted(self._parse_span(one, text) for one in _listed(value))
        for first, second in pairwise(spans):
            if second.start < first.end:
                raise ValueError(
                    f"Spans {_name(first, text)} and {_name(second, text)} overlap. Keep one of them, or shorten one."
                )
        return tuple(spans)

    def format_label(self, label: Spans) -> str:
        """As rows hold it: `0:4 PER, 10:14 LOC`; `none` where there is no span."""
        return ", ".join(f"{start}:{end} {name}" for start, end, name in label) or "none"

    def label_text(self, label: Spans, example: Example) -> str:
        """For a person: `Anna (PER), Oslo (LOC)`."""
        text = example[self.fields[0].name]
        return ", ".join(f"{text[start:end]} ({name})" for start, end, name in label) or "no entity"

    def parse_stored(self, value: Any, example: Example) -> Spans:
        return self.parse_label(value, example)

    def check_label(self, label: Any, example: Example) -> None:
        self.parse_label(label, example)

    def row_label(self, row: Mapping[str, Any]) -> Any:
        return row["entities"] if "entities" in row else row.get("label")

    def _parse_span(self, one: Any, text: str) -> Span:
        try:
            start, end, label = one["start"], one["end"], one["label"]
        except (TypeError, KeyError):
            raise ValueError(f"Expected a span as an object with start, end and label; found {one!r:.80}.") from None
        if label not in self.types:
            raise ValueError(f"Expected as a span's label {', '.join(self.types)}; found {label!r:.40}.")
        if any(isinstance(n, bool) or not isinstance(n, int) for n in (start, end)):
            raise ValueError(
                f"Expected whole numbers as a span's start and end; found {start!r:.20} and {end!r:.20}."
            )
        if not 0 <= start < end <= len(text):
            raise ValueError(
                f"Expected a span within the text's {len(text)} characters; found {start} to {end}. "
                "Count from 0; the end is exclusive."
            )
        span = Span(start, end, label)
        if text[start].isspace() or text[end - 1].isspace():
            raise ValueError(f"Span {_name(span, text)} begins or ends with white space. Leave it out.")
        if _cuts_word(text, start) or _cuts_word(text, end):
            raise ValueError(f"Span {_name(span, text)} begins or ends inside a word. Take the whole word.")
        return span


def read_marked(text: str) -> tuple[str, list[dict[str, Any]]]:
    """A text in which `[Anna](PER)` marks a span: without its marks, and the spans as `SpanTask.parse_label` takes
    them."""
    parts, spans, place, length = [], [], 0, 0
    for mark in _MARKED.finditer(text):
        before = text[place : mark.start()]
        start = length + len(before)
        length = start + len(mark["text"])
        spans.append({"start": start, "end": length, "label": mark["label"]})
        parts += [before, mark["text"]]
        place = mark.end()
    return "".join([*parts, text[place:]]), spans


def span_errors(expected: Spans, found: Spans) -> Counter[str]:
    """How each span went: `right`, `type` (these characters, another label), `boundary` (they overlap), `missed` or
    `invented`. Each span is counted once."""
    errors: Counter[str] = Counter()
    left, spare = set(expected), set(found)
    for kind, fits in (
        ("right", lambda a, b: a == b),
        ("type", lambda a, b: a[:2] == b[:2]),
        ("boundary", lambda a, b: a.start < b.end and b.start < a.end),
    ):
        for one in sorted(left):
            match = next((other for other in sorted(spare) if fits(one, other)), None)
            if match:
                errors[kind] += 1
                left.discard(one)
                spare.discard(match)
    errors["missed"], errors["invented"] = len(left), len(spare)
    return +errors


def tags_of(spans: Spans, words: Iterable[tuple[int, int]]) -> list[str]:
    """For each word (first character, last one's end) its BIO tag. A word that a span touches is in it."""
    tags, before = [], None
    for start, end in words:
        span = next((s for s in spans if s.start < end and start < s.end), None)
        tags.append(OUTSIDE if span is None else f"{'I' if span == before else 'B'}-{span.label}")
        before = span
    return tags


def spans_of(tags: Iterable[str], words: Iterable[tuple[int, int]]) -> Spans:
    """The spans that BIO tags say. An `I` with nothing of its type before it begins a span."""
    spans: list[Span] = []
    before = OUTSIDE
    for tag, (start, end) in zip(tags, words, strict=True):
        if tag != OUTSIDE:
            place, name = tag.split("-", 1)
            if place == "I" and before.endswith(f"-{name}"):
                spans[-1] = Span(spans[-1].start, end, name)
            else:
                spans.append(Span(start, end, name))
        before = tag
    return tuple(spans)


def _listed(value: Any) -> list[Any]:
    if isinstance(value, str):
        text = value.strip()
        if text in ("none", ""):
            return []
        if not text.startswith("["):
            parts = [_COMPACT.fullmatch(part.strip()) for part in text.split(",")]
            if not all(parts):
                raise ValueError(f"Expected as spans such as 0:4 PER, 10:14 LOC, or none; found {value!r:.80}.")
            return [{"start": int(m[1]), "end": int(m[2]), "label": m[3]} for m in parts if m]
        try:
            value = json.loads(text)
        except json.JSONDecodeError as error:
            raise ValueError(f"Expected as spans a list in JSON; found {text!r:.80} ({error}).") from None
    if isinstance(value, list | tuple):
        return [dict(zip(Span._fields, s, strict=False)) if isinstance(s, list | tuple) else s for s in value]
    raise ValueError(f"Expected a list of spans; found {type(value).__name__}.")


def _cuts_word(text: str, place: int) -> bool:
    """Where a script parts no words by spaces, any character may end a span."""
    if not 0 < place < len(text):
        return False
    return all(c.isalnum() and not UNPARTED.match(c) for c in text[place - 1 : place + 1])


def _name(span: Span, text: str) -> str:
    return f"{span.start} to {span.end} ({text[span.start : span.end]!r:.40})"
