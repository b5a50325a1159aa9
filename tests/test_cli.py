"""The whole job from a shell."""

import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner

import cli
from data import jobs
from data.examples import flag_example
from data.queries import Filters, find_verdicts
from data.store import open_store
from data.suites import load_suites
from data.tasks import TASKS
from data.transfer import parse_file
from data.versions import add_version, live_version, promote_version
from models.folders import CARD
from settings import PROJECT
from tests.conftest import build_tiny, nli, premises

COMMANDS = sorted(command.name or command.callback.__name__ for command in cli.app.registered_commands)
SPLITS = {"taught", "held_out", "siblings", "contrasts", "suites", "retention"}


@pytest.fixture
def run(tiny_settings, monkeypatch):
    """Runs a command in the tiny workspace; its exit status has to be the expected one."""
    monkeypatch.setenv("BLINDSPOT_DEVICE", "cpu")
    monkeypatch.setenv("BLINDSPOT_ANNOTATOR", "ann")

    def invoke(*arguments, status=0):
        result = CliRunner().invoke(cli.app, [*map(str, arguments), "--workspace", str(tiny_settings.workspace)])
        assert result.exit_code == status, result.output
        return result

    invoke.workspace = str(tiny_settings.workspace)
    return invoke


@pytest.fixture
def write(tmp_path):
    def write_rows(*rows, name="rows.jsonl"):
        path = tmp_path / name
        path.write_text("".join((r if isinstance(r, str) else json.dumps(r)) + "\n" for r in rows), encoding="utf-8")
        return path

    return write_rows


def read(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def labelled(label="contradiction", premise="A dog barks.", **more):
    return {**nli(premise), "label": label, **more}


def test_predict_adds_the_answer_and_keeps_the_rest(run, write, tmp_path, tiny_store):
    rows = [{**nli(), "id": 7}, {**nli("Ça pleut.\ud800"), "label": "neutral"}]
    run("predict", "--task", "nli", "--input", write(*rows), "--output", tmp_path / "out.jsonl")
    answered = read(tmp_path / "out.jsonl")
    for row, answer in zip(rows, answered, strict=True):
        assert {name: answer[name] for name in row} == row
        assert set(answer["probabilities"]) == set(TASKS["nli"].labels)
        assert sum(answer["probabilities"].values()) == pytest.approx(1)
        assert answer["predicted_label"] == max(answer["probabilities"], key=answer["probabilities"].get)
        assert answer["version"] == live_version(tiny_store, "nli")


def test_predict_gives_choices_by_index(run, write, tmp_path):
    row = {"question": "What is cold?", "choices": ["fire", "ice", "sand"]}
    run("predict", "--task", "commonsense", "--input", write(row), "--output", tmp_path / "out.jsonl")
    answer = read(tmp_path / "out.jsonl")[0]
    assert len(answer["probabilities"]) == 3
    assert answer["probabilities"][answer["predicted_label"]] == max(answer["probabilities"])


def test_predict_refuses_malformed_rows_by_line_and_keeps_the_rest(run, write, tmp_path):
    path = write(nli(), "{", {"premise": "Alone."})
    result = run("predict", "--task", "nli", "--input", path, "--output", tmp_path / "out.jsonl")
    assert "line 2: not JSON" in result.stderr
    assert "line 3: Hypothesis is empty" in result.stderr
    assert "2 of 3 rows were refused" in result.stderr
    assert len(read(tmp_path / "out.jsonl")) == 1


def test_strict_predict_refuses_the_whole_file(run, write, tmp_path):
    path = write(nli(), "{")
    result = run("predict", "--task", "nli", "--input", path, "--output", tmp_path / "out", "--strict", status=1)
    assert "error: " in result.stderr
    assert "1 of 2 rows are malformed" in result.stderr
    assert not (tmp_path / "out").exists()


def test_file_without_a_good_row_is_refused(run, write, tmp_path):
    result = run("predict", "--task", "nli", "--input", write("{"), "--output", tmp_path / "out", status=1)
    assert "1 of 1 rows are malformed" in result.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["predict", "--task", "qa", "--input", "{rows}", "--output", "o"],
            "nli, sentiment, commonsense, labels, ner; found 'qa'",
        ),
        (["predict", "--task", "nli", "--input", "none.jsonl", "--output", "o"], "none.jsonl cannot be read"),
        (["evaluate", "--task", "nli", "--input", "{rows}", "--version", "nli-v9"], "no version 'nli-v9'"),
        (["export", "--task", "nli", "--format", "xls", "o"], "jsonl, csv, parquet, datasets, card; found 'xls'"),
        (["retrain", "--task", "nli"], "Nothing to train on"),
        (["retrain", "--task", "nli", "--preset", "best"], "quick, balanced, thorough; found 'best'"),
        (["retrain", "--task", "nli", "--data", "all"], "corrections, replay, distilled, phenomenon; found 'all'"),
        (["cancel", "nli-7"], "no job 'nli-7'"),
        (["promote", "nli-v9"], "no version 'nli-v9'"),
        (["rollback", "--task", "nli"], "there is none to roll back to"),
        (["add-model", "nli"], "Expected TASK=PATH"),
        (["add-model", "qa=x"], "found 'qa'"),
        (["add-model", "nli=x", "--label-map", "{{"], "--label-map is not JSON"),
    ],
)
def test_known_error_is_one_line(run, write, arguments, message):
    rows = write(labelled())
    result = run(*(argument.replace("{rows}", str(rows)) for argument in arguments), status=1)
    assert result.stdout == ""
    assert result.stderr.startswith("error: ")
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


def test_version_of_another_task_is_refused(run, write, tiny_store):
    other = live_version(tiny_store, "sentiment")
    result = run("evaluate", "--task", "nli", "--input", write(labelled()), "--version", other, status=1)
    assert f"{other} is one of 'sentiment'" in result.stderr


def test_damaged_store_is_one_line(run, tiny_settings):
    for path in tiny_settings.workspace.glob("blindspot.db*"):
        path.unlink()
    tiny_settings.store.write_bytes(b"no store" * 1000)
    assert "not a Blindspot store" in run("jobs", status=1).stderr


def test_damaged_version_is_one_line(run, write, tiny_settings, tiny_store):
    (tiny_settings.versions / "nli" / live_version(tiny_store, "nli") / CARD).write_text("{")
    result = run("evaluate", "--task", "nli", "--input", write(labelled()), status=1)
    assert f"{CARD} is damaged" in result.stderr
    assert "Traceback" not in result.output


def test_evaluate_counts_by_label_and_phenomenon(run, write):
    rows = [labelled(label, phenomenon="negation") for label in TASKS["nli"].labels] + [
        labelled("neutral", "It rains.")
    ]
    result = json.loads(run("evaluate", "--task", "nli", "--input", write(*rows), "--json").stdout)
    assert (result["rows"], sum(map(sum, result["confusion"]))) == (4, 4)
    assert result["phenomena"]["negation"] == {"rows": 3, "right": 1, "accuracy": pytest.approx(1 / 3)}
    assert result["right"] == sum(part["right"] for part in result["phenomena"].values())


def test_evaluate_reads_well(run, write):
    output = run("evaluate", "--task", "nli", "--input", write(labelled(), labelled("neutral"))).stdout
    assert "accuracy" in output
    assert "macro-F1" in output
    assert "(1 of 2)" in output or "(0 of 2)" in output


def test_evaluate_needs_labels(run, write):
    assert "line 1: has no label" in run("evaluate", "--task", "nli", "--input", write(nli()), status=1).stderr


def test_import_tells_confirmations_by_the_live_versions_answer(run, write, tmp_path, tiny_store):
    run("predict", "--task", "nli", "--input", write(nli()), "--output", tmp_path / "out.jsonl")
    answer = read(tmp_path / "out.jsonl")[0]["predicted_label"]
    wrong = next(label for label in TASKS["nli"].labels if label != answer)
    rows = [{**nli(), "label": answer}, {**nli(), "label": wrong}, {**nli(), "label": answer, "kind": "correction"}]
    result = json.loads(run("import", "--task", "nli", write(*rows), "--annotator", "bob", "--json").stdout)
    assert result == {"corrections": 2, "confirmations": 1, "refused": 0}
    stored = [(row["kind"], row["predicted_label"], row["annotator"]) for row in find_verdicts(tiny_store, Filters())]
    assert stored == [("correction", None, "bob"), ("correction", answer, "bob"), ("confirmation", answer, "bob")]


def test_strict_import_stores_nothing(run, write, tiny_store):
    result = run("import", "--task", "nli", write(labelled(), labelled("maybe")), "--strict", status=1)
    assert "line 2: Expected as label" in result.stderr
    assert tiny_store["verdicts"].count == 0


def test_import_keeps_the_good_rows(run, write, tiny_store):
    run("import", "--task", "nli", write(labelled(), labelled("maybe")))
    assert tiny_store["verdicts"].count == 1


@pytest.mark.parametrize("format", ["jsonl", "csv"])
def test_export_is_imported_again(run, write, tmp_path, tiny_store, format):
    run("import", "--task", "nli", write(labelled(note="=1+1"), labelled(premise="It rains.", phenomenon="negation")))
    path = tmp_path / f"out.{format}"
    result = run("export", "--task", "nli", "--format", format, path)
    assert (result.stdout, "2 rows written" in result.stderr) == ("", True)
    assert len(parse_file(path, TASKS["nli"]).rows) == 2
    before = [(row["example"], row["kind"], row["note"]) for row in find_verdicts(tiny_store, Filters())]
    run("import", "--task", "nli", path)
    after = [(row["example"], row["kind"], row["note"]) for row in find_verdicts(tiny_store, Filters(), limit=2)]
    assert after == before


def test_retrain_promote_and_roll_back(run, write, tmp_path, tiny_store):
    """The whole job, as a script drives it."""
    parent = live_version(tiny_store, "nli")
    rows = [labelled(premise=premise) for premise in premises("train", 6) + premises("held_out", 2)]
    run("import", "--task", "nli", write(*rows))
    short = [part for option in ("min_steps=20", "retention_rows=16", "variants=24") for part in ("--set", option)]
    waited = run("retrain", "--task", "nli", "--preset", "quick", "--seed", 3, *short, "--wait", "--json")
    outcome = json.loads(waited.stdout)
    assert (outcome["job"], outcome["state"], outcome["version"]) == ("nli-1", "done", "nli-v1")
    assert outcome["report"]["splits"]["taught"]["child"]["rows"] == 6
    assert "nli-1: " in waited.stderr

    job = json.loads(run("jobs", "--json").stdout)[0]
    assert (job["id"], job["state"]) == ("nli-1", "done")
    assert (job["recipe"]["seed"], job["recipe"]["min_steps"]) == (3, 20)
    assert json.loads(run("promote", "nli-v1", "--reason", "better", "--json").stdout) == {
        "live": "nli-v1",
        "before": parent,
    }
    run("predict", "--task", "nli", "--input", write(nli()), "--output", tmp_path / "out.jsonl")
    assert read(tmp_path / "out.jsonl")[0]["version"] == "nli-v1"
    versions = {row["id"]: row for row in json.loads(run("versions", "--task", "nli", "--json").stdout)}
    assert (versions["nli-v1"]["live"], versions["nli-v1"]["parent_id"]) == (True, parent)
    assert set(versions["nli-v1"]["metrics"]) == SPLITS
    assert json.loads(run("rollback", "--task", "nli", "--json").stdout) == {"live": parent, "before": "nli-v1"}


def test_failed_retrain_exits_with_its_reason(run, write, tiny_settings, tiny_store):
    run("import", "--task", "nli", write(*(labelled(premise=premise) for premise in premises("train", 2))))
    folder = tiny_settings.versions / "nli" / live_version(tiny_store, "nli")
    (folder / CARD).write_text("{")
    result = run("retrain", "--task", "nli", "--wait", "--json", status=1)
    outcome = json.loads(result.stdout)
    assert (outcome["state"], outcome["version"]) == ("failed", None)
    assert "is damaged" in outcome["error"]


def test_retrain_without_wait_gives_the_job(run, write, monkeypatch):
    monkeypatch.setattr("models.retraining.ensure_worker", lambda settings: None)
    run("import", "--task", "nli", write(*(labelled(premise=premise) for premise in premises("train", 2))))
    assert json.loads(run("retrain", "--task", "nli", "--json").stdout) == {"job": "nli-1", "state": "queued"}
    assert "nli-1" in run("jobs").stdout
    assert json.loads(run("cancel", "nli-1", "--json").stdout) == {"job": "nli-1", "state": "cancelled"}


def test_report_names_what_newly_broke(run, tiny_store, monkeypatch):
    """The text that a person reads at the end of `retrain --wait`."""
    flag_example(tiny_store, TASKS["nli"], nli(premises("train")[0]), 0, annotator="ann")

    def work(settings):
        row = {"example": nli("It rains."), "label": 0, "after": 2}
        side = {"rows": 2, "right": 1, "accuracy": 0.5}
        split = {"parent": side, "child": side, "fixed": [row], "failing": [], "broken": [row], "kept": 0}
        report = {"parent": "p", "seconds": 3.0, "training": {}, "splits": {"validation": split}}
        job = jobs.claim(tiny_store)
        card = {"id": "nli-v1", "task": "nli", "base": "b"}
        jobs.finish(tiny_store, job["id"], card, "versions/nli/nli-v1", [], report)

    monkeypatch.setattr("models.retraining.ensure_worker", work)
    output = run("retrain", "--task", "nli", "--wait").stdout
    assert "50.0 % (1 of 2) -> 50.0 % (1 of 2): 1 fixed, 0 still failing, 1 newly broken" in output
    assert "It rains." in output
    assert "is entailment, answered contradiction" in output


def test_versions_mark_the_live_one(run, tiny_store):
    add_version(tiny_store, {"id": "nli-v1", "task": "nli", "base": "b", "parent": None}, "versions/nli/nli-v1")
    promote_version(tiny_store, "nli-v1", by="ann")
    lines = run("versions", "--task", "nli").stdout.splitlines()
    assert [line[:8] for line in lines if line.startswith("*")] == ["* nli-v1"]
    assert len(lines) == 2


def test_add_model_makes_a_version_that_answers_when_promoted(run, write, tmp_path):
    folder = build_tiny(tmp_path / "mine", "nli", ("LABEL_0", "LABEL_1", "LABEL_2"))
    refused = run("add-model", f"nli={folder}", status=1)
    assert "expects labels entailment, neutral, contradiction" in refused.stderr
    names = json.dumps({"LABEL_0": "neutral", "LABEL_1": "entailment", "LABEL_2": "contradiction"})
    version = json.loads(run("add-model", f"nli={folder}", "--label-map", names, "--json").stdout)["version"]
    run("promote", version)
    assert version in run("evaluate", "--task", "nli", "--input", write(labelled())).stdout


def test_suites_run_says_how_often_each_is_failed(run):
    outcome = json.loads(run("suites", "run", "--task", "commonsense", "--rows", "3", "--json").stdout)
    assert len(outcome["suites"]) == len(load_suites("commonsense"))
    assert all(result["failed"] == len(result["failures"]) <= 3 for result in outcome["suites"])
    rates = [result["rate"] for result in outcome["suites"]]
    assert rates == sorted(rates, reverse=True)


def test_a_version_that_is_held_back_needs_a_reason(run, tiny_store):
    card = {"id": "nli-v1", "task": "nli", "base": "b", "parent": None}
    add_version(tiny_store, card, "versions/nli/nli-v1", gate=["it fell by 3 points"])
    assert "held back: it fell by 3 points" in run("promote", "nli-v1", status=1).stderr
    run("promote", "nli-v1", "--reason", "a demonstration")
    assert live_version(tiny_store, "nli") == "nli-v1"


def test_help_needs_no_torch(tmp_path):
    code = "import sys, cli\ntry: cli.app(['--help'])\nexcept SystemExit: pass\nassert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], cwd=PROJECT, check=True, capture_output=True, timeout=120)


def test_accounts_are_made_and_listed(run):
    added = CliRunner().invoke(
        cli.app,
        ["users", "add", "ann", "--role", "admin", "--password-stdin", "--workspace", run.workspace],
        input="correct horse battery\n",
    )
    assert added.exit_code == 0, added.output
    (row,) = json.loads(run("users", "list", "--json").stdout)
    assert (row["name"], row["role"]) == ("ann", "admin")
    assert "password" not in row
    assert "only admin" not in run("users", "remove", "ann").output
    assert "No accounts" in run("users", "list").output


def test_a_store_is_backed_up_and_restored(run, tmp_path, tiny_store):
    flag_example(tiny_store, TASKS["nli"], nli(), 1, annotator="ann")
    copy = tmp_path / "copy.db"
    assert "sound" in run("backup", copy).output
    flag_example(tiny_store, TASKS["nli"], nli("A dog barks."), 1, annotator="ann")
    assert "before-restore" in run("restore", copy).output
    assert tiny_store["verdicts"].count == 1
    assert "There is no file" in run("restore", tmp_path / "none.db", status=1).output


@pytest.mark.parametrize("name", COMMANDS)
def test_command_is_documented(name):
    assert f"python cli.py {name}" in (PROJECT / "README.md").read_text(encoding="utf-8")


def test_fresh_workspace_answers_with_the_starter(tmp_path):
    """As a person types it, in a process of its own."""
    rows = tmp_path / "rows.jsonl"
    rows.write_text(json.dumps(nli("A man sleeps.", "A man is awake.")) + "\n")
    command = [sys.executable, "cli.py", "predict", "--task", "nli", "--workspace", str(tmp_path / "w")]
    result = subprocess.run(
        [*command, "--input", str(rows), "--output", str(tmp_path / "out.jsonl")],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert read(tmp_path / "out.jsonl")[0]["predicted_label"] == "contradiction"
    assert live_version(open_store(tmp_path / "w" / "blindspot.db"), "nli").startswith("nli-starter-")
