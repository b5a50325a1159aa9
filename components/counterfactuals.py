"""What would flip the answer: small edits of the person's input, judged like twins."""

from __future__ import annotations

from typing import Any

from components.context import Lab
from components.errors import known_errors
from components.languages import t
from components.twins import view
from data.tasks import get_task
from data.tasks.spans import SpanTask

OFFERED = 8
ABOUT = "Small edits of your input, {flips} of them with another answer; say what is right"


@known_errors
def offer_edits(lab: Lab, answer: dict[str, Any] | None, category: str) -> list[Any]:
    """Small edits with the version's answers, those that flip it first, in the panel of the twins."""
    from models.counterfactuals import counterfactuals, keeps_answer
    from models.predictor import Prediction

    if answer is None:
        raise ValueError("Run an example first.")
    task = get_task(answer["task"])
    if isinstance(task, SpanTask):
        raise ValueError("Edits that flip the answer are for tasks with labels. Save a correction: it gets twins.")
    predictor = lab.serving.predictor(task.name, answer["version_id"])
    before = Prediction(answer["probabilities"], 0)
    found = counterfactuals(predictor, answer["example"], before, OFFERED)
    if not found:
        raise ValueError("No rule fits this input; try one with more words of everyday language.")
    rows = [
        {
            "example": one.edit.example,
            "label": before.label if keeps_answer(one.edit.rule) else None,
            "relation": "flips the answer" if one.flips else "same answer",
            "rule": one.edit.rule,
            "origin": f"counterfactual: {one.edit.rule}",
            "answer": one.prediction.label,
            "probabilities": one.prediction.probabilities,
            "state": None,
            "verdict_id": None,
        }
        for one in found
    ]
    flips = sum(one.flips for one in found)
    return view(
        {
            "title": "Counterfactuals",
            "known_by": "as before",
            "about": t(ABOUT, flips=flips),
            "task": task.name,
            "parent": answer["example"],
            "before": before.label,
            "category": category if category in task.categories else "other",
            "version_id": answer["version_id"],
            "rows": rows,
        }
    )
