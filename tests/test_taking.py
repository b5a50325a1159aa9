"""A version is taken away from the page as a file, or put on the Hub, by those who may."""

import logging
import os
import sys
import zipfile

import gradio as gr
import psutil
import pytest
from starlette.testclient import TestClient

from app import build_app
from components import taking
from data.accounts import add_account
from data.roles import Person, acting_as
from data.seed import seed_rows
from data.tasks import TASKS
from data.versions import live_version
from models.predictor import Predictor
from models.registry import folder_of, register_pretrained

TOKEN = "hf_Private0123456789"
PASSWORD = "correct horse battery"


@pytest.fixture
def version(lab):
    return live_version(lab.db(), "nli")


def last(steps):
    return list(steps)[-1]


def exported(lab):
    return sorted(path.name for path in lab.settings.exports.glob("*"))


def test_the_zip_is_a_checkpoint_that_answers_as_the_version(lab, version, tmp_path):
    steps = list(taking.make_file(lab, version, "folder"))
    assert "Writing weights" in str(steps)
    _, link, _ = steps[-1]
    assert f'href="export/versions/{version}/folder"' in link
    assert exported(lab) == [f"{version}.zip"]
    with zipfile.ZipFile(lab.settings.exports / f"{version}.zip") as file:
        file.extractall(tmp_path / "out")
    again = register_pretrained(lab.settings, lab.db(), "nli", str(tmp_path / "out" / version))
    examples = [row["example"] for row in seed_rows(TASKS["nli"], "validation")[:8]]
    before, after = (Predictor.load(folder_of(lab.settings, lab.db(), one)) for one in (version, again))
    for old, new in zip(before.predict(examples), after.predict(examples), strict=True):
        assert new.probabilities == pytest.approx(old.probabilities, abs=1e-4)


def test_eight_bits_come_with_onnx_and_their_cost(lab, version):
    _, link, _ = last(taking.make_file(lab, version, "int8"))
    assert f"{version}-int8.zip" in link
    with zipfile.ZipFile(lab.settings.exports / f"{version}-int8.zip") as file:
        assert {f"{version}/onnx/model.onnx", f"{version}/onnx/model_int8.onnx"} <= set(file.namelist())
        assert b"ONNX, int8" in file.read(f"{version}/README.md")


def test_stopped_work_ends_its_process_and_leaves_nothing(lab, version):
    before = set(psutil.Process().children())
    steps = taking.make_file(lab, version, "int8")
    next(steps)
    next(steps)
    assert any("spawn_main" in " ".join(one.cmdline()) for one in set(psutil.Process().children()) - before)
    steps.close()
    assert not any("spawn_main" in " ".join(one.cmdline()) for one in set(psutil.Process().children()) - before)
    assert exported(lab) == []


def test_what_was_made_a_day_ago_is_removed(lab, version):
    old = lab.settings.exports / "nli-v9.zip"
    half = lab.settings.exports / ".left"
    half.mkdir(parents=True)
    (lab.settings.exports / f"{version}.zip").touch()
    (half / "model.safetensors").touch()
    old.touch()
    for path in (old, half):
        os.utime(path, (0, 0))
    taking.remove_old(lab.settings.exports)
    assert exported(lab) == [f"{version}.zip"]


def test_formats_whose_libraries_are_missing_are_not_offered(lab, monkeypatch):
    assert taking.show_formats(lab)[1]["visible"] is False
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    formats, missing = taking.show_formats(lab)
    assert [value for _, value in formats["choices"]] == ["folder"]
    assert missing["visible"] is True


def test_what_is_no_version_or_format_is_refused(lab, version):
    for chosen, format, words in (
        (None, "folder", "Choose a version"),
        ("../x", "folder", "../x"),
        (version, "h5", "h5"),
    ):
        with pytest.raises(gr.Error, match=words):
            next(taking.make_file(lab, chosen, format))


def test_a_failure_in_the_other_process_is_told(lab, version):
    (folder_of(lab.settings, lab.db(), version) / "version.json").write_text("{", encoding="utf-8")
    with pytest.raises(gr.Error, match="is damaged"):
        list(taking.make_file(lab, version, "folder"))
    assert exported(lab) == []


@pytest.mark.parametrize("role", ["annotator", "reviewer"])
def test_each_takes_what_the_role_allows(lab, version, role):
    with acting_as(Person("p", role)):
        with pytest.raises(gr.Error, match="Hugging Face Hub takes the role admin; you are"):
            next(taking.push_version(lab, version, "folder", "ann/mine", True, TOKEN))
        if role == "annotator":
            with pytest.raises(gr.Error, match="takes the role reviewer or admin; you are annotator"):
                next(taking.make_file(lab, version, "folder"))
        else:
            steps = taking.make_file(lab, version, "folder")
            assert "Starting" in str(next(steps))
            steps.close()


def test_the_file_is_served_to_those_who_may_have_it(lab, version):
    lab.settings.exports.mkdir()
    (lab.settings.exports / f"{version}.zip").write_bytes(b"PK")
    address = f"/export/versions/{version}/folder"
    with TestClient(build_app(lab), base_url="http://127.0.0.1") as client:
        served = client.get(address)
        assert (served.content, served.headers["content-type"]) == (b"PK", "application/zip")
        assert f'filename="{version}.zip"' in served.headers["content-disposition"]
        assert "Make it in the Versions tab" in client.get(f"/export/versions/{version}/onnx").text
        for wrong in (f"{version}/..%2F..", "..%2Fblindspot.db/folder", "none/folder"):
            assert client.get(f"/export/versions/{wrong}").status_code in (400, 404)
        for role in ("annotator", "reviewer"):
            add_account(lab.db(), role, role, PASSWORD)
        assert client.get(address).status_code == 401
        for role, status in (("annotator", 400), ("reviewer", 200)):
            client.post("/login", data={"username": role, "password": PASSWORD})
            assert client.get(address).status_code == status


def test_a_version_is_pushed_with_the_typed_token_which_is_kept_nowhere(
    lab, version, hub, monkeypatch, caplog, capfd
):
    monkeypatch.setenv("HF_TOKEN", "hf_of_the_machine")
    caplog.set_level(logging.DEBUG)
    steps = list(taking.push_version(lab, version, "folder", " ann/mine ", True, TOKEN))
    assert steps[0][2] == ""  # the field is emptied
    assert "/ann/mine" in steps[-1][1]
    assert {token for *_, token in hub} == {f"Bearer {TOKEN}"}
    assert b'"private"' in next(body for path, body, _ in hub if path == "/api/repos/create")
    assert TOKEN not in caplog.text + "".join(capfd.readouterr()) + str(steps)
    kept = (path for path in lab.settings.workspace.rglob("*") if path.is_file())
    assert not any(TOKEN.encode() in path.read_bytes() for path in kept)


@pytest.mark.parametrize("token", [f"{TOKEN}\n{TOKEN}", f"{TOKEN}ö", f"{TOKEN} x"])
def test_a_token_with_a_slip_is_refused_and_not_shown(lab, version, hub, token, caplog):
    with pytest.raises(gr.Error, match="Copy it once more") as raised:
        next(taking.push_version(lab, version, "folder", "ann/mine", True, token))
    assert TOKEN not in caplog.text + str(raised.value)
    assert hub == []


def test_without_a_token_a_name_or_a_network_the_message_says_so(lab, version, monkeypatch, caplog):
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(gr.Error, match="typed into the page; found none"):
        next(taking.push_version(lab, version, "folder", "ann/mine", True, ""))
    with pytest.raises(gr.Error, match="such as ORG/NAME"):
        next(taking.push_version(lab, version, "folder", "mine", True, TOKEN))
    with pytest.raises(gr.Error, match="cannot be reached") as raised:
        list(taking.push_version(lab, version, "folder", "ann/mine", True, TOKEN))
    assert TOKEN not in caplog.text + str(raised.value)
    assert exported(lab) == []
