"""Plain routes beside the page: the fast way for programs to ask, without Gradio's queue in between."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import FastAPI, HTTPException
from pydantic import BaseModel, Field

from components.api import as_answer
from components.context import Lab
from data.tasks import get_task

MOST_EXAMPLES = 256


class Question(BaseModel):
    """What `/api/predict` is asked: examples of a task, and which version shall answer (else the live one)."""

    task: str
    examples: list[dict[str, Any]] = Field(min_length=1, max_length=MOST_EXAMPLES)
    version: str | None = None


def add_routes(app: FastAPI, lab: Lab) -> None:
    """`POST /api/predict`: `{"task", "examples", "version"?}` to `{"answers": [...]}`, each as `predict` gives it.

    Concurrent requests are computed together. 400 with the reason where an example does not fit its task.
    """

    @app.post("/api/predict")
    async def predict(question: Question) -> dict[str, Any]:
        try:
            task = get_task(question.task)
            parsed = [task.parse_example(example) for example in question.examples]
            # a thread: a version that is not loaded yet takes seconds
            engine = await asyncio.to_thread(lambda: lab.serving.engine(task.name, question.version))
            waiting = [asyncio.wrap_future(lab.serving.batcher.submit(engine, example)) for example in parsed]
            predictions = await asyncio.gather(*waiting)
        except (ValueError, RuntimeError) as error:  # what carries a message for the person
            raise HTTPException(400, str(error)) from error
        answers = zip(parsed, predictions, strict=True)
        return {"answers": [as_answer(task, example, said, engine.version_id) for example, said in answers]}
