"""The named endpoints, called by a program as the README shows."""

import contextlib
import io
import json
import re
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from data import jobs
from data.store import open_store
from settings import PROJECT
from tests.browser.conftest import App, running

pytestmark = pytest.mark.browser
SWAP = {"premise": "The doctor paid the lawyer.", "hypothesis": "The lawyer paid the doctor."}


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    yield from running(tmp_path_factory.mktemp("api"))


def test_what_the_readme_shows_runs_and_the_rest_follows(app: App):
    text = (PROJECT / "README.md").read_text(encoding="utf-8")
    code = re.search(r"```python\n(.*?)```", text, re.DOTALL)[1].replace("http://127.0.0.1:7860/", app.url)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(code, {})
    assert "entailment" in printed.getvalue()
    assert "correction" in printed.getvalue()

    client = Client(app.url, verbose=False)
    (row,) = client.predict("nli", "", "", 50, 0, api_name="/list_examples")
    assert (row["expected_label"], row["annotator"], row["example"]) == ("neutral", "ann", SWAP)
    confirmed = client.predict("sentiment", {"text": "I loved it."}, "bea", "", api_name="/confirm")
    assert confirmed["kind"] == "confirmation"
    (version,) = client.predict("nli", api_name="/versions")
    assert version["live"]
    job_id = client.predict("nli", "ann", "quick", api_name="/retrain") if row["split"] == "train" else None
    if job_id:
        assert client.predict(job_id, api_name="/job")["state"] in ("queued", "running")
        store = open_store(app.workspace / "blindspot.db")
        jobs.cancel(store, job_id)  # else it would train on beside the next tests
        store.close()
    assert client.predict(version["id"], "ann", "", api_name="/promote")["live"] == version["id"]
    with pytest.raises(AppError, match="Expected as task one of nli"):
        client.predict("poetry", SWAP, "", api_name="/predict")
    asked = json.dumps({"task": "nli", "examples": [SWAP, SWAP]}).encode()
    fast = urllib.request.Request(f"{app.url}api/predict", asked, {"Content-Type": "application/json"})
    answers = json.load(urllib.request.urlopen(fast))["answers"]
    said = client.predict("nli", SWAP, "", api_name="/predict")
    assert [answer["label"] for answer in answers] == [said["label"]] * 2
    assert urllib.request.urlopen(f"{app.url}healthz").status == 200
    assert urllib.request.urlopen(f"{app.url}readyz").read() == b"ready"


def test_only_what_must_be_served_is(app: App):
    secrets = [app.workspace / "blindspot.db", app.workspace / "session.key", "/etc/passwd", PROJECT / "app.py"]
    paths = [f"gradio_api/file={path}" for path in secrets]
    paths += ["export/..%2F..%2Fnli.csv", "export/nli.exe", "static/..%2F..%2F..%2Fetc%2Fpasswd", "blindspot.db"]
    for path in paths:
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"{app.url}{path}")
        assert refused.value.code in (400, 403, 404)
    other = urllib.request.Request(f"{app.url}gradio_api/config", headers={"Origin": "https://evil.example"})
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(other)
    assert refused.value.code == 403
    assert "access-control-allow-origin" not in refused.value.headers
