"""What somebody else's checkpoint, version folder or file name must not be able to do."""

import json
import shutil

import pytest
from typer.testing import CliRunner

import cli
from data.versions import live_version
from models.folders import CARD, CheckpointError, read_card, write_json
from models.registry import folder_of, register_pretrained


@pytest.fixture
def given(tiny_settings, tiny_store, tmp_path):
    """A version folder that somebody gave us."""
    folder = tmp_path / "given"
    shutil.copytree(folder_of(tiny_settings, tiny_store, live_version(tiny_store, "nli")), folder)
    return folder


@pytest.mark.parametrize("name", ["../../../escaped", "/tmp/escaped", "a/b", ".hidden", ""])
def test_version_id_that_leaves_the_workspace_is_refused(tiny_settings, tiny_store, given, name):
    write_json(given / CARD, {**read_card(given), "id": name})
    before = {path for path in tiny_settings.workspace.parent.rglob("*") if "versions" not in path.parts}
    if name:
        with pytest.raises(CheckpointError, match="version's id"):
            register_pretrained(tiny_settings, tiny_store, "nli", str(given))
    else:  # the content's digest follows a dash
        with pytest.raises(CheckpointError, match="found '-"):
            register_pretrained(tiny_settings, tiny_store, "nli", str(given))
    assert {path for path in tiny_settings.workspace.parent.rglob("*") if "versions" not in path.parts} == before


def test_symbolic_link_in_a_version_folder_is_refused(tiny_settings, tiny_store, given, tmp_path):
    (tmp_path / "secret").write_text("private")
    (given / "README.md").unlink(missing_ok=True)
    (given / "README.md").symlink_to(tmp_path / "secret")
    with pytest.raises(CheckpointError, match=r"README\.md is a symbolic link"):
        register_pretrained(tiny_settings, tiny_store, "nli", str(given))
    assert not [path for path in tiny_settings.versions.rglob("README.md") if "private" in path.read_text()]


def test_code_in_a_checkpoint_is_not_run(tiny_settings, tiny_store, tiny_checkpoint, tmp_path):
    folder, ran = shutil.copytree(tiny_checkpoint, tmp_path / "remote"), tmp_path / "ran"
    (folder / "modeling_evil.py").write_text(f"open({str(ran)!r}, 'w').write('x')\nclass Evil: ...\n")
    config = json.loads((folder / "config.json").read_text())
    auto_map = {"AutoConfig": "modeling_evil.Evil", "AutoModelForSequenceClassification": "modeling_evil.Evil"}
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "evil", "auto_map": auto_map}))
    with pytest.raises(CheckpointError):
        register_pretrained(tiny_settings, tiny_store, "nli", str(folder))
    assert not ran.exists()


def test_command_names_no_file_outside(tiny_settings, tmp_path):
    (tmp_path / "version.json").write_text("{}")
    workspace = str(tiny_settings.workspace)
    ended = CliRunner().invoke(cli.app, ["export-model", "../..", str(tmp_path / "out"), "--workspace", workspace])
    assert ended.exit_code == 1
    assert "There is no version" in ended.output or "no version" in ended.output
    assert not (tmp_path / "out").exists()
