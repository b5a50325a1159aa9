"""Named entities go the whole way: probed, corrected, retrained, the report read, promoted."""

import dataclasses

from components import probe, retrain, span_marks
from data.jobs import get_job
from data.tasks.spans import Span
from data.versions import get_version, live_version
from models import recipe as recipes
from models.folders import read_card
from models.registry import folder_of
from models.report import suite_rows
from models.retraining import request_retrain
from models.worker import run_worker
from tests.test_ner import NER, probe_values

FAST = dataclasses.replace(
    recipes.preset("quick"),
    method="full",
    learning_rate=1e-3,
    epochs=60,
    min_steps=0,
    variants=24,
    retention_rows=8,
    distillation=1,  # the tiny parent has little to keep
)
NAMES = (("Ida", "Bergen"), ("Olaf", "Lima"), ("Mira", "Porto"), ("Tom", "Quito"), ("Una", "Turin"), ("Per", "Malmo"))


def correct(lab, text, spans):
    """Probes the text in the page and stores the spans that are right, as marked by hand."""
    _, answer, *_ = probe.run_probe(lab, "ner", "other", *probe_values(text))
    assert answer["label"] != spans  # the tiny model is a random one
    marks = span_marks.to_marks(text, spans)
    probe.save_wrong(lab, answer, None, "boundary", "", "ann", None, marks)


def test_probe_correct_retrain_report_promote(lab, tiny_settings, tiny_store, monkeypatch):
    monkeypatch.setattr("models.retraining.ensure_worker", lambda settings: None)
    taught, held_out = [], []
    for person, place in NAMES:
        text = f"Yesterday {person} flew to {place}."
        start = text.index(place)
        spans = (Span(10, 10 + len(person), "PER"), Span(start, start + len(place), "LOC"))
        correct(lab, text, spans)
        (taught if NER.split_of({"text": text}) == "train" else held_out).append((text, spans))
    assert len(taught) >= 3

    before = live_version(tiny_store, "ner")
    job_id = request_retrain(tiny_settings, tiny_store, NER, "quick", requested_by="ann", recipe=FAST)
    assert run_worker(tiny_settings) == 1
    job = get_job(tiny_store, job_id)
    assert job["state"] == "done", job["error"]
    splits = job["report"]["splits"]
    assert splits["taught"]["child"]["rows"] == len(taught)
    assert splits["taught"]["child"]["f1"] > splits["taught"]["parent"]["f1"]
    assert splits["held_out"]["child"]["rows"] == len(held_out)
    assert splits["siblings"]["child"]["rows"] > 0
    assert splits["suites"]["child"]["rows"] == len(suite_rows(NER))

    view = retrain.show_run(lab, job_id)
    report, cases = view[4]["value"], view[10]["value"]
    assert "F1" in report
    assert "(PER)" in cases
    against = retrain.held_back(lab, job, 1.0)
    retrain.promote_run(lab, job_id, 1.0, "the loop goes on" if against else "", "ann")
    assert live_version(tiny_store, "ner") == job["version_id"] != before
    assert get_version(tiny_store, job["version_id"])["parent_id"] == before
    assert read_card(folder_of(tiny_settings, tiny_store, job["version_id"]))["task"] == "ner"
    said = [probe.run_probe(lab, "ner", "other", *probe_values(text))[1] for text, _ in taught]
    assert {answer["version_id"] for answer in said} == {job["version_id"]}
    assert sum(a["label"] == spans for a, (_, spans) in zip(said, taught, strict=True)) >= len(taught) - 1
