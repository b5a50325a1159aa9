"""Reasoning guidance: words put before an input that say how to think about it, and a library of them by category."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

from data.tasks import Example
from data.tasks.base import GUIDANCE, clean_text

KINDS = {
    "question": "a question to ask oneself",
    "goal": "a goal",
    "constraint": "a constraint",
    "examples": "a worked example",
}
MAX_CHARS = 4000


@lru_cache
def library() -> dict[str, dict[str, str]]:
    """For each category a text of each kind."""
    return json.loads((Path(__file__).parent / "library.json").read_text(encoding="utf-8"))


def guidance_for(category: str, kind: str) -> str:
    """The library's text. Raises ValueError on an unknown kind or category."""
    if kind not in KINDS:
        raise ValueError(f"Expected as guidance one of {', '.join(KINDS)}; found {kind!r}.")
    if category not in library():
        raise ValueError(f"There is no guidance for the category {category!r}.")
    return library()[category][kind]


def guided(example: Example, guidance: str) -> Example:
    """The example with guidance for a model to read; as content it stays the same example. Raises ValueError."""
    text = clean_text(guidance)
    if len(text) > MAX_CHARS:
        raise ValueError(f"Guidance: expected at most {MAX_CHARS:,} characters; found {len(text):,}. Shorten it.")
    return {**example, GUIDANCE: text} if text else example
