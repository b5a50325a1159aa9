"""The page's functions for programs: named endpoints that `gradio_client` calls. A README example uses them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gradio as gr

from components.context import Lab
from components.errors import known_errors
from data import jobs
from data.examples import Answer, flag_example, get_verdict
from data.queries import Filters, find_verdicts
from data.tasks import Example, Task, get_task
from data.tasks.spans import SpanTask
from data.versions import list_versions, promote_version

if TYPE_CHECKING:
    from models.predictor import Prediction

MOST_ROWS = 1000


def build_api(lab: Lab) -> None:
    """Adds the endpoints to the page that is being built; each is named after its function."""
    for handler in (predict, flag, confirm, list_examples, retrain, job, versions, promote):
        # no limit of their own, or four probes at once would be all that are computed together
        gr.api(lab.bind(handler), api_name=handler.__name__, queue=True, concurrency_limit=None)


@known_errors
def predict(lab: Lab, task: str, example: dict[str, Any], version: str = "") -> dict[str, Any]:
    """The version's answer (the live one's by default): `label`, `probabilities` by label or choice, `version`."""
    chosen = get_task(task)
    parsed = chosen.parse_example(example)
    served = lab.serving.predict(task, parsed, version or None)
    return as_answer(chosen, parsed, served.prediction, served.version_id)


def as_answer(task: Task, example: Example, prediction: Prediction, version_id: str) -> dict[str, Any]:
    """An answer as programs get it; of spans `entities` and how sure it is of all of them, in place of labels."""
    if isinstance(task, SpanTask):
        return {
            "label": task.format_label(prediction.label),
            "entities": [span._asdict() for span in prediction.label],
            "probability": prediction.confidence,
            "version": version_id,
        }
    return {
        "label": task.format_label(prediction.label),
        "probabilities": dict(zip(task.label_names(example), prediction.probabilities, strict=True)),
        "version": version_id,
    }


@known_errors
def flag(
    lab: Lab, task: str, example: dict[str, Any], label: str, annotator: str, category: str = "", note: str = ""
) -> dict[str, Any]:
    """Stores the right label for an example: `id`, `kind` (correction or confirmation) and `split`."""
    chosen = get_task(task)
    parsed = chosen.parse_example(example)
    return _store(lab, task, parsed, chosen.parse_label(label, parsed), annotator, category, note)


@known_errors
def confirm(lab: Lab, task: str, example: dict[str, Any], annotator: str, category: str = "") -> dict[str, Any]:
    """Stores that the live version's answer is right: `id`, `kind` and `split`."""
    parsed = get_task(task).parse_example(example)
    return _store(lab, task, parsed, None, annotator, category, "")


def _store(
    lab: Lab, task: str, example: dict[str, Any], label: Any, annotator: str, category: str, note: str
) -> dict[str, Any]:
    served = lab.serving.predict(task, example)
    said = Answer(served.prediction.label, served.prediction.probabilities, served.version_id)
    verdict_id = flag_example(
        lab.db(),
        get_task(task),
        example,
        said.label if label is None else label,
        annotator=annotator,
        answer=said,
        category=category or None,
        note=note,
        origin="api",
    )
    verdict = get_verdict(lab.db(), verdict_id)
    return {"id": verdict_id, "kind": verdict["kind"], "split": verdict["split"]}


@known_errors
def list_examples(
    lab: Lab, task: str, search: str = "", category: str = "", limit: int = 50, offset: int = 0
) -> list[dict[str, Any]]:
    """Stored verdicts, newest first, at most 1,000 at once."""
    filters = Filters(task=get_task(task).name, search=search, category=category or None)
    rows = find_verdicts(lab.db(), filters, limit=max(1, min(limit, MOST_ROWS)), offset=max(0, offset))
    kept = (
        "id",
        "example",
        "kind",
        "expected_label",
        "predicted_label",
        "category",
        "annotator",
        "version_id",
        "split",
    )
    return [{name: row[name] for name in kept} for row in rows]


@known_errors
def retrain(lab: Lab, task: str, annotator: str, preset: str = "quick") -> str:
    """Queues a run over what was taught so far; its job id."""
    from models.retraining import request_retrain

    return request_retrain(lab.settings, lab.db(), get_task(task), preset, requested_by=annotator)


@known_errors
def job(lab: Lab, job_id: str) -> dict[str, Any]:
    """A run's `state`, `phase`, last `progress`, `version`, `report` and `error`."""
    row = jobs.get_job(lab.db(), job_id)
    return {
        "id": row["id"],
        "state": row["state"],
        "phase": row["phase"],
        "progress": row["progress"][-1] if row["progress"] else None,
        "version": row["version_id"],
        "report": row["report"],
        "error": row["error"],
    }


@known_errors
def versions(lab: Lab, task: str) -> list[dict[str, Any]]:
    """The task's versions, newest first: `id`, `parent_id`, `live`, `note`, `created_at`, `metrics` by split."""
    kept = ("id", "parent_id", "live", "note", "created_at", "metrics")
    return [{name: row[name] for name in kept} for row in list_versions(lab.db(), get_task(task).name)]


@known_errors
def promote(lab: Lab, version: str, annotator: str, reason: str = "") -> dict[str, str]:
    """Makes the version the one that answers: `live` and the one `before`. A version held back needs a reason."""
    before = promote_version(lab.db(), version, by=annotator, reason=reason)
    lab.serving.refresh()
    return {"live": version, "before": before}
