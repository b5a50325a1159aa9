"""What the app's outer door refuses, whoever knocks."""

import dataclasses
import json
import logging

import pytest
from fastapi import FastAPI, Request
from starlette.testclient import TestClient

from components.context import Lab
from components.guard import HEADERS, Guard, Rate
from components.routes import add_routes
from data.logs import JsonLines, job_id, request_id
from tests.conftest import nli

HERE = "http://127.0.0.1"


@pytest.fixture
def knock(tiny_settings):
    """A client of a small app behind the guard, with other settings where some are given."""
    labs = []

    def make(**changes):
        lab = Lab(dataclasses.replace(tiny_settings, **changes))
        labs.append(lab)
        app = FastAPI(openapi_url=None)
        add_routes(app, lab)

        @app.post("/api/echo")
        async def echo(request: Request):
            return {"bytes": len(await request.body()), "id": request_id.get()}

        app.add_middleware(Rate, lab=lab)
        app.add_middleware(Guard, lab=lab)
        return TestClient(app, base_url=HERE, client=("127.0.0.1", 5000)), lab

    yield make
    for lab in labs:
        if lab.is_serving:
            lab.serving.stop()


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:81"])
def test_other_sites_are_refused(knock, origin):
    client, _ = knock()
    reply = client.post("/api/echo", content=b"x", headers={"Origin": origin})
    assert reply.status_code == 403
    assert "access-control-allow-origin" not in reply.headers


def test_own_and_listed_origins_pass(knock):
    client, _ = knock(origins=("https://lab.example.org",))
    for origin in (HERE, "https://lab.example.org"):
        assert client.post("/api/echo", content=b"x", headers={"Origin": origin}).status_code == 200


def test_foreign_name_for_a_loopback_page_is_refused(knock):
    """DNS rebinding: a site's own name is made to point to 127.0.0.1."""
    client, _ = knock()
    assert client.post("/api/echo", headers={"Host": "evil.example"}).status_code == 403
    assert client.post("/api/echo", headers={"Host": "localhost:7860"}).status_code == 200
    behind_proxy, _ = knock(origins=("https://lab.example.org",))
    assert behind_proxy.post("/api/echo", headers={"Host": "lab.example.org"}).status_code == 200


def test_bodies_are_bounded_whether_they_say_their_length_or_not(knock):
    client, _ = knock(upload_mib=1)
    assert client.post("/api/echo", content=b"x" * 2**20).json()["bytes"] == 2**20
    assert client.post("/api/echo", content=b"x" * (2**20 + 1)).status_code == 413
    chunks = (b"x" * 2**16 for _ in range(17))
    assert client.post("/api/echo", content=chunks).status_code == 413


def test_rate_is_limited(knock):
    client, _ = knock(rate_limit="3/minute")
    assert [client.post("/api/echo").status_code for _ in range(5)] == [200, 200, 200, 429, 429]
    assert client.get("/elsewhere").status_code == 404  # what does no work is not counted


def test_replies_carry_headers_and_an_id(knock):
    client, _ = knock(https=True)
    refused = client.post("/api/echo", headers={"Origin": "x"})
    for reply in (client.post("/api/echo"), client.get("/nowhere"), refused):
        assert {name: reply.headers[name] for name in HEADERS} == HEADERS
        assert reply.headers["strict-transport-security"]
    named = client.post("/api/echo", headers={"X-Request-ID": "abc-1"})
    assert (named.headers["x-request-id"], named.json()["id"]) == ("abc-1", "abc-1")
    forged = client.post("/api/echo", headers={"X-Request-ID": "a b\tc"})
    assert forged.headers["x-request-id"] != "a b\tc"


def test_probes_are_answered_and_counted(knock):
    client, lab = knock()
    lab.start_serving()
    asked = {"task": "nli", "examples": [nli(), nli("A dog runs.", "A dog moves.")]}
    answers = client.post("/api/predict", json=asked).json()["answers"]
    assert len(answers) == 2
    assert answers[0]["version"] == answers[1]["version"]
    bad = client.post("/api/predict", json={"task": "nli", "examples": [{"premise": "A."}]})
    assert bad.status_code == 400
    assert "Hypothesis" in bad.json()["detail"]
    for wrong in ({}, {"task": "nli", "examples": []}, {"task": "nli", "examples": [nli()] * 257}):
        assert client.post("/api/predict", json=wrong).status_code == 422
    text = client.get("/metrics").text
    assert 'blindspot_probes_total{outcome="answered",task="nli"} 2.0' in text
    for name in ("blindspot_probe_seconds_bucket", "blindspot_batch_rows_sum", "blindspot_models_bytes"):
        assert name in text
    assert "blindspot_store_bytes" in text


def test_metrics_are_for_this_machine_or_a_token(knock, tiny_settings):
    client, _ = knock()
    assert client.get("/metrics").status_code == 200
    assert client.get("/metrics", headers={"X-Forwarded-For": "10.0.0.9"}).status_code == 403
    guarded, _ = knock(metrics_token="s3cret")
    assert guarded.get("/metrics").status_code == 403
    assert guarded.get("/metrics", headers={"Authorization": "Bearer s3cret"}).status_code == 200


def test_json_logs_name_request_and_job():
    job_id.set("nli-3")
    request_id.set("r1")
    try:
        record = logging.LogRecord("blindspot.worker", logging.INFO, "", 0, "start %s", ("now",), None)
        row = json.loads(JsonLines().format(record))
    finally:
        job_id.set("")
        request_id.set("")
    assert (row["message"], row["job_id"], row["request_id"], row["level"]) == ("start now", "nli-3", "r1", "info")
