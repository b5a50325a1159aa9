"""A version's answers to rows of a file, as the store keeps them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from data.examples import Answer
from data.transfer import ParsedRow

if TYPE_CHECKING:
    from models.predictor import Predictor


def answer_rows(predictor: Predictor, rows: Sequence[ParsedRow]) -> list[Answer | None]:
    """For each row that does not say its kind the version's answer; None for the others."""
    asked = [row for row in rows if row.kind is None]
    predictions = iter(predictor.predict([row.example for row in asked]))
    answers: list[Answer | None] = []
    for row in rows:
        prediction = next(predictions) if row.kind is None else None
        answers.append(prediction and Answer(prediction.label, prediction.probabilities, predictor.version_id))
    return answers
