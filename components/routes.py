"""Plain routes beside the page: the fast way for programs to ask, without Gradio's queue in between."""

from __future__ import annotations

import asyncio
import hmac
from typing import Any

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.responses import FileResponse, JSONResponse, PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel, Field

from components.api import as_answer
from components.context import Lab
from components.login import is_loopback, who
from components.taking import made_file
from data.roles import acting_as
from data.store import StoreError
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
    async def predict(question: Question) -> Response:
        try:
            task = get_task(question.task)
            parsed = [task.parse_example(example) for example in question.examples]
            # in a thread: a version that is not loaded yet takes seconds
            if question.version or not lab.is_loaded(task.name):
                await asyncio.to_thread(lambda: lab.serving.engine(task.name, question.version))
            asked = [lab.serving.submit(task.name, example, question.version) for example in parsed]
            predictions = await asyncio.gather(*(asyncio.wrap_future(answer) for _, answer in asked))
        except (ValueError, RuntimeError) as error:  # what carries a message for the person
            raise HTTPException(400, str(error)) from error
        answers = zip(parsed, predictions, asked, strict=True)
        said = [as_answer(task, example, prediction, version) for example, prediction, (version, _) in answers]
        return JSONResponse({"answers": said})

    @app.get("/export/versions/{version_id}/{format}")
    def version_file(version_id: str, format: str, request: Request) -> Response:
        """What was made of a version in the Versions tab; 400 with the reason where there is nothing for them."""
        try:
            person = who(lab, request)
            if person is None:  # whom the door turns away already
                raise HTTPException(401)
            with acting_as(person):
                path = made_file(lab, version_id, format)
        except (ValueError, StoreError) as error:
            return PlainTextResponse(str(error), status_code=400)
        return FileResponse(path, filename=path.name, media_type="application/zip")

    @app.get("/metrics")
    def metrics(request: Request) -> Response:
        """For Prometheus: to this machine, or to who brings the token."""
        token = lab.settings.metrics_token
        brought = request.headers.get("authorization", "").removeprefix("Bearer ")
        near = request.client is not None and is_loopback(request.client.host)
        forwarded = "x-forwarded-for" in request.headers
        if not (hmac.compare_digest(brought.encode(), token.encode()) if token else near and not forwarded):
            raise HTTPException(403, "Set BLINDSPOT_METRICS_TOKEN, and send it as a bearer token.")
        return Response(generate_latest(lab.metrics.registry), media_type=CONTENT_TYPE_LATEST)
