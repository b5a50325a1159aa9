"""Suite results are kept by version, and their failing rows become corrections that can be taken back."""

from html import escape

import gradio as gr
import pytest

from components import figures, spots, suite_form
from data.examples import select_examples
from data.queries import Filters, find_verdicts
from data.suite_results import failing_rows, flag_failures, save_result, suite_results, taught_hashes
from data.suites import SuiteError, all_suites, compose, expand, parse_suite
from data.tasks import TASKS
from data.versions import add_version, live_version
from models.predictor import Predictor
from models.registry import version_folder
from models.suites import run_suite

TASK = TASKS["nli"]


def suite_named(name, own=None):
    return next(suite for suite in all_suites("nli", own) if suite.name == name)


@pytest.fixture
def ran(lab):
    """Two suites run by the live version: the id and the lab."""
    version_id = live_version(lab.db(), "nli")
    for name in ("counting", "names_and_places"):
        predictor = lab.serving.predictor("nli", version_id)
        save_result(lab.db(), TASK, version_id, run_suite(predictor, suite_named(name, lab.settings.suites), 40))
    return lab, version_id


def test_a_new_run_replaces_the_old_result(ran):
    lab, version_id = ran
    before = suite_results(lab.db(), "nli")
    assert [row["suite"] for row in before] == ["counting", "names_and_places"]
    result = run_suite(lab.serving.predictor("nli", version_id), suite_named("counting", lab.settings.suites), 30)
    save_result(lab.db(), TASK, version_id, result)
    after = suite_results(lab.db(), "nli")
    assert [row["rows"] for row in after] == [30, before[1]["rows"]]
    assert suite_results(lab.db(), "sentiment") == []


def test_failing_rows_become_corrections_once_and_can_be_taken_back(ran):
    lab, version_id = ran
    rows = failing_rows(lab.db(), version_id, "counting")
    assert len(rows) > 3
    assert all(row["answer"] != row["label"] for row in rows)
    ids = flag_failures(lab.db(), TASK, version_id, rows[:3], "ann")
    assert len(ids) == 3
    stored = find_verdicts(lab.db(), Filters(task="nli"))
    assert {row["origin"] for row in stored} == {"suite counting"}
    assert {(row["kind"], row["category"]) for row in stored} == {("correction", rows[0]["category"])}
    assert flag_failures(lab.db(), TASK, version_id, rows[:3], "ann") == []
    assert len(flag_failures(lab.db(), TASK, version_id, rows[:3], "bea")) == 3
    spots.undo(lab, ids)
    assert len(find_verdicts(lab.db(), Filters(task="nli", annotator="ann"))) == 0
    assert len(flag_failures(lab.db(), TASK, version_id, rows[:3], "ann")) == 3


def test_rows_that_compare_two_examples_are_not_stored(ran):
    lab, version_id = ran
    paired = [{**row, "label": None} for row in failing_rows(lab.db(), version_id, "counting")[:2]]
    assert flag_failures(lab.db(), TASK, version_id, paired, "ann") == []


def test_a_version_is_not_tested_on_rows_that_it_or_its_parents_were_taught(ran):
    lab, version_id = ran
    suite = suite_named("counting", lab.settings.suites)
    rows = expand(suite, 40, 0)
    for row in rows[:5]:
        row |= {"answer": 0, "probabilities": [1.0, 0.0, 0.0]}
    flag_failures(lab.db(), TASK, version_id, rows[:5], "ann")
    taught = [row["example_id"] for row in select_examples(lab.db(), TASK, None).rows]
    card = {"id": "child", "task": "nli", "parent": version_id, "base": "b", "example_ids": taught}
    add_version(lab.db(), card, "nowhere")
    add_version(lab.db(), {**card, "id": "grandchild", "parent": "child", "example_ids": []}, "nowhere")
    assert taught_hashes(lab.db(), version_id) == set()
    hashes = taught_hashes(lab.db(), "grandchild")
    assert hashes == {TASK.content_hash(row["example"]) for row in rows[:5]}
    predictor = lab.serving.predictor("nli", version_id)
    assert run_suite(predictor, suite, 40, taught=hashes)["rows"] == 35
    with pytest.raises(ValueError, match="trained on every row"):
        run_suite(predictor, suite, 5, taught={TASK.content_hash(row["example"]) for row in expand(suite, 5, 0)})


def test_the_tab_runs_every_suite_and_shows_the_biggest_first(lab):
    empty = spots.show_spots(lab, "nli", None, False, None)
    assert "No suite has run yet" in empty[1]
    steps = list(spots.run_all(lab, "sentiment", None))
    suites = all_suites("sentiment", lab.settings.suites)
    assert f"{len(suites)} suites in" in steps[-1][0]
    assert len(steps) == len(suites) + 2
    results = suite_results(lab.db(), "sentiment")
    assert {row["suite"] for row in results} == {suite.name for suite in suites}
    menu, summary, plot, names = spots.show_spots(lab, "sentiment", None, False, None)
    worst = max(results, key=lambda row: row["rate"])
    assert f"fails {100 * worst['rate']:.0f} %" in names["choices"][0][0]
    assert "of 16" in summary
    assert plot["visible"]
    chosen = spots.show_suite(lab, "sentiment", menu["value"], names["value"])
    assert len(chosen[2]) == worst["failed"]
    assert "expected: " in chosen[0]
    _, *form = spots.open_ticked(lab, "sentiment", chosen[2], [1, 0])
    assert chosen[2][0]["example"]["text"] in form
    task_name, *found = spots.pick_cell(lab, f"{menu['value']}|simple_negation")
    assert task_name == "sentiment"
    assert [update["value"] for update in found] == [menu["value"], "simple_negation"]
    with pytest.raises(gr.Error, match="has not run tall_tales yet"):
        spots.pick_cell(lab, f"{menu['value']}|tall_tales")


@pytest.mark.parametrize("task", TASKS)
def test_the_catalogue_says_what_each_suite_tests_with_an_example(lab, task):
    html = spots.show_catalogue(lab, task)
    suites = all_suites(task, lab.settings.suites)
    assert html.count("expected: ") == len(suites)
    assert all(escape(suite.tests) in html for suite in suites)


def test_the_map_has_a_cell_for_each_capability_and_version():
    rows = [
        {"version_id": v, "suite": s, "rate": r, "failed": int(10 * r), "rows": 10, "low": 0.0, "high": 1.0}
        for v, s, r in (("a", "x", 0.9), ("a", "y", 0.1), ("b", "x", 0.2))
    ]
    heat = figures.failure_map(rows, {"a": "A", "b": "B"}).data[0]
    assert list(heat.x) == ["a", "b"]
    assert list(heat.y) == ["y", "x"]  # the newest version fails x more: it stands at the top
    assert [list(line) for line in heat.z] == [[10, None], [90, 20]]


def test_results_of_a_real_version_are_those_of_its_answers(ran):
    lab, version_id = ran
    row = next(iter(lab.db().query("SELECT * FROM versions WHERE id = ?", [version_id])))
    predictor = Predictor.load(version_folder(lab.settings, row))
    failures = failing_rows(lab.db(), version_id, "counting")
    said = predictor.predict([failure["example"] for failure in failures])
    assert [p.label for p in said] == [failure["answer"] for failure in failures]


SLOTS = "person: nurse, pilot, baker\nname: @names"
LINES = {
    "nli": "The {person1} saw the {person2}. | The {person2} saw the {person1}. | Neutral",
    "sentiment": "{name.name} was fine. | neutral\n{name.name} was fine. || {name.name} was superb. | positive up",
    "ner": "[{name.name}](PER) and [{name1.name}](PER) saw {a person}.\nNobody saw the {person}.",
    "commonsense": "The {person1} paid the {person2}. | Who was paid? | the {person1} / the {person2} | 2",
}


@pytest.mark.parametrize("name", LINES)
def test_typed_lines_become_a_suite(name):
    task = TASKS[name]
    raw = compose(task, "Tall tales!", "other", "", SLOTS, LINES[name])
    assert raw["name"] == "tall_tales"
    rows = expand(parse_suite(raw, "x"), 6, 0, fewer=True)
    assert len(rows) == 6
    if name == "nli":
        assert all(row["label"] == 1 for row in rows)
    elif name == "ner":
        assert [len(row["label"]) for row in rows[:2]] == [2, 0]
        (start, end, kind), _ = rows[0]["label"]
        assert (rows[0]["example"]["text"][start:end].isalpha(), kind) == (True, "PER")
    elif name == "sentiment":
        assert [row.get("direction") for row in rows[:2]] == [None, (2, "up")]
    else:
        assert all(row["example"]["choices"][row["label"]] in row["example"]["context"] for row in rows)


@pytest.mark.parametrize(
    ("slots", "templates", "reason"),
    [
        ("person nurse", LINES["nli"], "Slots, line 1"),
        (SLOTS, "\nThe {person} left. | neutral", "Templates, line 2: expected premise | hypothesis | right label"),
        (SLOTS, "The {person} left. | The {person} left. | maybe", "maybe"),
        (SLOTS, "The {animal} left. | The {person} left. | neutral", "animal"),
        ("person: @folk", LINES["nli"], "@folk"),
        (SLOTS, "", "expected 'templates'"),
    ],
)
def test_lines_that_make_no_suite_are_named(slots, templates, reason):
    with pytest.raises(SuiteError, match="(?s).*" + reason.replace("|", r"\|")):
        compose(TASK, "x", "other", "", slots, templates)


@pytest.mark.parametrize(
    ("templates", "reason"),
    [
        ("[{person}](CITY) left.", "PER, LOC, ORG, MISC; found 'CITY'"),
        ("[{person}](PER)s left.", "inside a word"),
        ("[{person} ](PER) left.", "white space"),
        ("[{person}](PER) left. | PER", "expected text; found 2 parts"),
    ],
)
def test_marks_that_make_no_suite_are_named(templates, reason):
    with pytest.raises(SuiteError, match=reason):
        compose(TASKS["ner"], "x", "other", "", SLOTS, templates)


def test_a_suite_of_ones_own_is_previewed_saved_run_and_taken_back(lab):
    given = ["nli", "Tall tales", "other", "", SLOTS, LINES["nli"]]
    assert "saw the" in suite_form.preview_suite(lab, *given)
    *_, saved, _ = suite_form.keep_suite(lab, *given)
    with pytest.raises(Exception, match="already"):
        suite_form.keep_suite(lab, *given)
    list(spots.run_all(lab, "nli", None))
    (result,) = [row for row in suite_results(lab.db(), "nli") if row["suite"] == "tall_tales"]
    assert result["rows"] == 6  # all that three words give
    file = lab.settings.suites / "nli" / "tall_tales.json"
    kept = file.rename(lab.settings.workspace / "taken-away.json")
    *_, saved, preview, _ = suite_form.keep_file(lab, str(kept))
    assert file.exists()
    assert "saw the" in preview
    suite_form.undo(lab, saved)
    assert "tall_tales" not in [suite.name for suite in all_suites("nli", lab.settings.suites)]
    kept.write_text("{}", encoding="utf-8")
    with pytest.raises(gr.Error, match=r"taken-away.json: 'name' is missing"):
        suite_form.keep_file(lab, str(kept))
