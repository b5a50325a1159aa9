"""Whether somebody flagged nearly the same example already."""

from __future__ import annotations

from threading import Lock
from typing import Any

import numpy as np
from sqlite_utils import Database

from data.alike import alike_examples, newest_verdict, same_flag
from data.tasks import Example, Task
from models.embedding import embed

NEAR = 0.85
"""Cosine of two embeddings from which on two examples are nearly the same: another storm word in a sentence of ten
gives 0.92, another person in one of five 0.78."""
REMEMBERED = 4096


def find_alike(db: Database, task: Task, example: Example) -> dict[str, Any] | None:
    """The newest verdict on this example or, where there is none, on the nearest one; None where none is near.

    As `data.alike.newest_verdict` gives it, with `exact`. Raises EncoderError.
    """
    if found := same_flag(db, task, example):
        return {**found, "exact": True}
    candidates = alike_examples(db, task, example)
    if not candidates:
        return None
    own, *others = _vectors([task.text_of(example), *(text for _, text in candidates)])
    near = np.stack(others) @ own
    best = int(near.argmax())
    if near[best] < NEAR:
        return None
    found = newest_verdict(db, candidates[best][0])
    return found and {**found, "exact": False}


_vectors_of: dict[str, np.ndarray] = {}
_one_at_a_time = Lock()


def _vectors(texts: list[str]) -> list[np.ndarray]:
    """Embeddings, those asked for before from memory: while a person types, the candidates stay the same."""
    with _one_at_a_time:
        missing = [text for text in dict.fromkeys(texts) if text not in _vectors_of]
        if missing:
            _vectors_of.update(zip(missing, embed(missing), strict=True))
        found = [_vectors_of[text] for text in texts]
        for text in list(_vectors_of)[:-REMEMBERED]:
            del _vectors_of[text]
        return found
