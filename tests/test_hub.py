"""A version goes to the Hub as a plain folder; a server on this machine stands in for the Hub."""

import json

import pytest
from typer.testing import CliRunner

import cli


@pytest.fixture
def push(tiny_settings):
    """Runs push-model on the tiny inference version."""
    version = next((tiny_settings.workspace / "versions" / "nli").iterdir()).name
    workspace = ["--workspace", str(tiny_settings.workspace)]
    return lambda name, *options: CliRunner().invoke(cli.app, ["push-model", version, name, *options, *workspace])


def test_version_is_uploaded_with_its_card_and_private(hub, push):
    result = push("ann/mine")
    assert result.exit_code == 0, result.output
    sent = {path: (json.loads(body) if path.startswith("/api/repos") else body) for path, body, _ in hub}
    assert sent["/api/repos/create"]["visibility"] == "private"
    (commit,) = (body for path, body in sent.items() if "/commit/" in path)
    lines = [json.loads(line) for line in commit.splitlines()]
    files = {line["value"]["path"] for line in lines if line["key"] == "file"}
    assert {"README.md", "config.json", "model.safetensors", "tokenizer.json"} <= files
    assert {token for *_, token in hub} == {"Bearer hf_test"}


@pytest.mark.parametrize("name", ["mine", "ann/mine/more", "ann/..", ""])
def test_name_that_the_hub_does_not_take_is_refused(hub, push, name):
    result = push(name)
    assert result.exit_code == 1
    assert "Expected a name such as ORG/NAME" in result.output
    assert hub == []


def test_without_a_token_nothing_is_sent(hub, push, monkeypatch):
    monkeypatch.delenv("HF_TOKEN")
    result = push("ann/mine")
    assert result.exit_code == 1
    assert "Expected a token with write access in HF_TOKEN" in result.output
    assert hub == []


def test_without_a_network_the_message_says_so(push, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("HF_TOKEN", "hf_test")
    result = push("ann/mine")
    assert result.exit_code == 1
    assert "cannot be reached" in result.output
