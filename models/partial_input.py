"""The answer with a part of the input hidden: one that stays may not depend on that part.

Hypothesis-only and choices-only probes (Gururangan et al. 2018, Poliak et al. 2018) for a single example.
"""

from __future__ import annotations

from data.tasks import Example
from models.predictor import Predictor

HIDDEN = {"nli": ("premise", ("premise",)), "commonsense": ("context and question", ("context", "question"))}
"""For a task what is hidden, in words and as fields."""


def partial_input(predictor: Predictor, example: Example) -> tuple[str, int, float] | None:
    """What was hidden, and the answer without it with its probability; None where the task has one text alone."""
    if predictor.task.name not in HIDDEN:
        return None
    words, fields = HIDDEN[predictor.task.name]
    prediction = predictor.predict([{**example, **dict.fromkeys(fields, "")}])[0]
    return words, prediction.label, max(prediction.probabilities)
