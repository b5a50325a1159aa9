"""What a task is: its fields, its labels, and how a row becomes text for a model."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

MAX_FIELD_CHARS = 100_000
MIN_CHOICES, MAX_CHOICES = 2, 5

CATEGORIES = (
    "negation",
    "quantifiers and monotonicity",
    "numbers",
    "conditionals and modality",
    "role swap and word order",
    "lexical overlap",
    "coreference",
    "temporal order",
    "causality",
    "physical commonsense",
    "social commonsense",
    "mixed or subtle emotion",
    "sarcasm",
    "comparison",
    "long context",
    "world knowledge",
    "other",
)

GUIDANCE = "guidance"
"""A key that an example may have beside its fields: words that a model reads before them (`data.guidance`)."""

Example = dict[str, Any]
"""The fields of one input, as `Task.parse_example` returns them: strings, and a list for `choices`."""


@dataclass(frozen=True)
class Field:
    name: str
    title: str
    kind: str = "text"
    """`text` (one string) or `choices` (2 to 5 different strings)."""
    required: bool = True
    lines: int = 2
    placeholder: str = ""


@dataclass(frozen=True)
class Task:
    """One kind of input that a model answers with one label.

    `labels` is empty where the labels are the row's own choices; a label is then the choice's index.
    `text_pairs(example)` gives the (first, second or None) texts that the model reads: one pair for
    `sequence_classification`, one pair a choice for `multiple_choice`.
    `split_field` names the field whose relatives must stay on one side of the train/held-out split.
    """

    name: str
    title: str
    fields: tuple[Field, ...]
    labels: tuple[str, ...]
    head: str
    text_pairs: Callable[[Example], list[tuple[str, str | None]]]
    split_field: str
    prompt: str
    """What a language model is asked: `data.tasks.template`."""
    answers: tuple[str, ...] = ()
    """The words that stand for each label after the prompt; empty where the labels are choices."""
    claim: str = "This text is {label}."
    """What an inference model is asked of a text and a label."""
    categories: tuple[str, ...] = CATEGORIES

    def parse_example(self, row: Mapping[str, Any]) -> Example:
        """The task's fields of `row`, checked and tidied. Raises ValueError that names the field."""
        example: Example = {}
        for field in self.fields:
            value = row.get(field.name)
            parse = _parse_choices if field.kind == "choices" else _parse_text
            example[field.name] = parse(field, value)
        texts = [f.name for f in self.fields if f.kind == "text"]
        if "choices" not in example and not any(example[name] for name in texts):
            raise ValueError(f"Expected at least one of {', '.join(texts)}; all are empty.")
        return example

    def label_names(self, example: Example) -> list[str]:
        """What the model chooses between, in the order of its probabilities."""
        return list(self.labels) if self.labels else list(example["choices"])

    def offered(self, example: Example, *said: Any) -> list[Any]:
        """The labels that a person chooses between: all there are; of spans those that were `said`."""
        return list(range(len(self.label_names(example))))

    def parse_label(self, value: Any, example: Example) -> int:
        """The index of a label given by name, or (for choices) by index or by the choice's own text.

        A number that is both an index and another choice's text is the index, as stored rows mean it.
        """
        names = self.label_names(example)
        if not self.labels and not isinstance(value, bool):
            try:
                index = int(value)
            except (TypeError, ValueError, OverflowError):
                index = -1
            if 0 <= index < len(names) and float(value) == index:
                return index
        if isinstance(value, str) and clean_text(value) in names:
            return names.index(clean_text(value))
        if not self.labels:
            expected = f"an index from 0 to {len(names) - 1} or the text of a choice"
        else:
            expected = ", ".join(names)
        raise ValueError(f"Expected as label {expected}; found {value!r}.")

    def format_label(self, label: Any) -> str | int:
        """The label as rows hold it: its name, or the index of a choice."""
        return self.labels[label] if self.labels else label

    def label_text(self, label: Any, example: Example) -> str:
        """The label as a person reads it: its name, or the choice's text."""
        return self.label_names(example)[label]

    def parse_stored(self, value: Any, example: Example) -> Any:
        """A label that went through JSON. Raises ValueError."""
        self.check_label(value, example)
        return value

    def check_label(self, label: Any, example: Example) -> None:
        """Raises ValueError where a parsed label does not fit the example."""
        names = self.label_names(example)
        if not 0 <= label < len(names):
            raise ValueError(f"Expected as label an index from 0 to {len(names) - 1}; found {label}.")

    def row_label(self, row: Mapping[str, Any]) -> Any:
        """What `parse_label` reads of a row that carries its label; None where it has none."""
        return row.get("label")

    @property
    def outputs(self) -> tuple[str, ...]:
        """What the outputs of a checkpoint made for the task are called; none where it scores choices."""
        return self.labels

    def text_of(self, example: Example) -> str:
        """All of its texts, a line each: what the store's words are searched in."""
        values = (example[f.name] for f in self.fields)
        return "\n".join(part for v in values for part in (v if isinstance(v, list) else [v]) if part)

    def content_hash(self, example: Example) -> str:
        """Same content, same hash. Unicode form and runs of white space do not count; case does."""
        return _digest([self.name, [example[f.name] for f in self.fields]])

    def split_of(self, example: Example, held_out_share: float = 0.2) -> str:
        """`train` or `held_out`, by a hash of the split field, so that relatives never straddle it."""
        key = example.get(self.split_field) or [example[f.name] for f in self.fields]
        digest = _digest(["split", self.name, key], normalise=str.casefold)
        bucket = int(digest[:8], 16) / 0x100000000
        return "held_out" if bucket < held_out_share else "train"


def parse_category(task: Task, value: str | None) -> str:
    """A known category, `other` where none is given. Raises ValueError."""
    if not value:
        return "other"
    if value not in task.categories:
        raise ValueError(f"Expected as category one of {', '.join(task.categories)}; found {value!r}.")
    return value


def clean_text(value: str) -> str:
    """`value` in Unicode form NFC, without NUL and lone surrogates, which SQLite and JSON cannot hold."""
    if value.isascii():  # the most of what is imported: nothing to normalise
        return value.replace("\x00", "").strip()
    value = value.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")
    return unicodedata.normalize("NFC", value).strip()


def _parse_text(field: Field, value: Any) -> str:
    if value is None or value == "":
        value = ""
    if not isinstance(value, str):
        raise ValueError(f"{field.title}: expected text; found {type(value).__name__}.")
    if len(value) > MAX_FIELD_CHARS:
        raise ValueError(
            f"{field.title}: expected at most {MAX_FIELD_CHARS:,} characters; found {len(value):,}. Shorten it."
        )
    value = clean_text(value)
    if field.required and not value:
        raise ValueError(f"{field.title} is empty. Type or paste a text.")
    return value


def _parse_choices(field: Field, value: Any) -> list[str]:
    if not isinstance(value, list | tuple):
        raise ValueError(f"{field.title}: expected a list of texts; found {type(value).__name__}.")
    choices = [_parse_text(Field(field.name, f"{field.title} {i + 1}"), v) for i, v in enumerate(value)]
    if not MIN_CHOICES <= len(choices) <= MAX_CHOICES:
        raise ValueError(f"{field.title}: expected {MIN_CHOICES} to {MAX_CHOICES}; found {len(choices)}.")
    folded = [c.casefold() for c in choices]
    for i, choice in enumerate(folded):
        if choice in folded[:i]:
            raise ValueError(
                f"{field.title}: {folded.index(choice) + 1} and {i + 1} are the same ({choices[i]!r}). "
                "Make them differ."
            )
    return choices


def _digest(value: Any, normalise: Callable[[str], str] = str) -> str:
    def fold(v: Any) -> Any:
        return normalise(" ".join(clean_text(v).split())) if isinstance(v, str) else [fold(x) for x in v]

    return hashlib.sha256(json.dumps(fold(value), ensure_ascii=False).encode()).hexdigest()
