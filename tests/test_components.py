"""The tabs' handlers, called as the page calls them but without a browser."""

import dataclasses

import gradio as gr
import pytest

from components import (
    blame,
    bulk_form,
    compare,
    files,
    filter_form,
    gallery,
    highlight,
    probe,
    report_view,
    retrain,
    review,
    steps_panel,
    versions,
)
from components.failure_map import STILL_WRONG, fixed_in
from components.recipe_form import NUMBERS, read_recipes, show_usual
from components.task_form import fill_form, input_count, read_form
from data import jobs
from data.queries import Filters, find_verdicts
from data.tasks import TASKS
from data.versions import live_version, promotion_history
from models.recipe import PRESETS, preset
from models.worker import run_worker
from tests.conftest import nli, premises

HOSTILE = '<img src=x onerror="alert(1)"> & \u202e"quotes\''
ANY = filter_form.NOTHING_CHOSEN


def values_of(task, example):
    """What the page sends for an example: every task's inputs, the others empty."""
    filled = fill_form(task, example)
    return ["" if isinstance(v, dict) else v for v in filled]


def run(lab, example, task="nli"):
    return probe.run_probe(lab, task, "negation", *values_of(task, example))


def plan(data, seeds=1, **numbers):
    """What the Retrain tab's form sends."""
    return ["quick", data, "lora", seeds, *(str(numbers.get(name, "")) for name in NUMBERS)]


def test_the_recipe_form_is_the_preset_with_what_was_set():
    (recipe,) = read_recipes(TASKS["nli"], *plan("replay", label_smoothing=0.1, frozen_layers=2, warmup_share=0.0))
    assert recipe == dataclasses.replace(
        preset("quick", TASKS["nli"]), data="replay", label_smoothing=0.1, frozen_layers=2, warmup_share=0.0
    )
    assert [r.seed for r in read_recipes(TASKS["nli"], *plan("replay", seeds=3, seed=5))] == [5, 6, 7]
    with pytest.raises(ValueError, match="label_smoothing"):
        read_recipes(TASKS["nli"], *plan("replay", label_smoothing=3))
    with pytest.raises(ValueError, match="Frozen layers: expected a whole number; found 'two'"):
        read_recipes(TASKS["nli"], *plan("replay", frozen_layers="two"))


@pytest.mark.parametrize("size", PRESETS)
@pytest.mark.parametrize("task", TASKS)
def test_a_field_left_empty_is_as_its_grey_value_says(size, task):
    usual = {name: update["placeholder"] for name, update in zip(NUMBERS, show_usual(size, task), strict=True)}
    empty = [size, "phenomenon", "lora", 1, *[""] * len(NUMBERS)]
    typed = [*empty[:4], *usual.values()]
    assert read_recipes(TASKS[task], *typed) == read_recipes(TASKS[task], *empty) == [preset(size, TASKS[task])]
    assert all(set(update) == {"placeholder", "__type__"} for update in show_usual(size, task))  # no typed value


def test_runs_that_differ_in_the_seed_tell_the_spread(lab, monkeypatch):
    monkeypatch.setattr("models.retraining.ensure_worker", lambda settings: None)
    (premise,) = premises("train")
    _, answer, *_ = run(lab, nli(premise))
    probe.save_wrong(lab, answer, (answer["label"] + 1) % 3, "negation", "", "ann")
    job_id = retrain.start_run(lab, "ann", "nli", *plan("corrections", seeds=2, epochs=1, min_steps=1))["value"]
    run_worker(lab.settings)
    job = jobs.get_job(lab.db(), job_id)
    alike = jobs.runs_alike(lab.db(), job)
    assert {row["recipe"]["seed"] for row in alike} == {0, 1}
    assert "Over 2 seeds" in report_view.report_html(job, alike)
    assert "Over" not in report_view.report_html(job, alike[:1])


def test_a_form_gives_back_the_example_it_was_filled_with():
    examples = {
        "nli": nli(),
        "sentiment": {"text": "Fine."},
        "commonsense": {"context": "", "question": "Which is wet?", "choices": ["water", "sand", "dust"]},
    }
    for name, example in examples.items():
        values = values_of(name, example)
        assert len(values) == sum(input_count(task) for task in TASKS.values())
        assert read_form(name, values) == example


def test_a_form_says_which_field_is_empty():
    with pytest.raises(ValueError, match="Hypothesis is empty"):
        read_form("nli", values_of("nli", nli(hypothesis="")))


def test_run_shows_the_answer_and_keeps_it_for_the_verdict(lab):
    html, answer, *_ = run(lab, nli())
    assert answer["version_id"] == live_version(lab.db(), "nli")
    assert sum(answer["probabilities"]) == pytest.approx(1)
    assert TASKS["nli"].labels[answer["label"]] in html
    assert answer["version_id"] in html


def test_run_names_what_is_missing_and_gives_no_answer_to_judge(lab):
    html, answer, *_ = run(lab, nli(premise=" "))
    assert "Premise is empty" in html
    assert answer is None


def test_run_warns_of_the_tokens_that_were_left_out(lab):
    html, *_ = run(lab, nli(premise="boat " * 400))
    assert "tokens" in html


def test_what_people_type_is_shown_inert(lab):
    task, example = TASKS["commonsense"], {"context": HOSTILE, "question": "", "choices": [HOSTILE, "b"]}
    html, *_ = run(lab, example, "commonsense")
    shown = [
        html,
        highlight.example_text(task, example),
        highlight.word_scores([[(HOSTILE, 1.0)]], [HOSTILE], HOSTILE, HOSTILE),
        highlight.problem(HOSTILE),
        highlight.empty(HOSTILE, HOSTILE),
    ]
    assert not any("<img" in text for text in shown)


def test_right_and_wrong_are_stored_and_undone(lab):
    _, answer, *_ = run(lab, nli())
    _, message, first, _ = probe.save_right(lab, answer, "negation", "ann")
    assert "Confirmed" in message
    other = (answer["label"] + 1) % 3
    probe.save_wrong(lab, answer, other, "negation", "why", "bob")
    rows = find_verdicts(lab.db(), Filters(task="nli"))
    assert [(r["kind"], r["annotator"], r["note"]) for r in rows] == [
        ("correction", "bob", "why"),
        ("confirmation", "ann", ""),
    ]
    probe.undo(lab, first)
    assert [r["annotator"] for r in find_verdicts(lab.db(), Filters(task="nli"))] == ["bob"]


def test_nothing_can_be_saved_before_an_answer(lab):
    with pytest.raises(gr.Error, match="Run an example first"):
        probe.save_right(lab, None, "negation", "ann")


def test_words_are_shaded_for_the_label_asked_about(lab):
    _, answer, *_ = run(lab, nli())
    html = probe.explain(lab, answer, 2, probe.ALL_METHODS)
    assert "contradiction" in html
    assert "Premise" in html
    assert "actor" in html


def test_the_gallery_fills_the_form_of_every_task():
    for name in TASKS:
        for category in gallery.gallery_categories(name):
            for _, index in gallery.gallery_choices(name, category)[:2]:
                *values, spot, _ = gallery.pick_sample(None, name, index)
                read_form(name, values_of(name, None) and ["" if isinstance(v, dict) else v for v in values])
                assert category in (gallery.ALL, gallery.IN_CHINESE, spot)


def test_review_pages_edits_deletes_and_undoes(lab):
    for premise in premises("train", review.PAGE_ROWS + 2):
        _, answer, *_ = run(lab, nli(premise))
        probe.save_right(lab, answer, "negation", "ann")
    *_, cursors, following, _, _ = review.first_page(lab, "nli", *ANY)
    table, ids, count, cursors, following, *_ = review.page_after(lab, cursors, following, "nli", *ANY)
    assert (len(ids), len(cursors), following) == (2, 2, None)
    assert f"26 to 27 of {review.PAGE_ROWS + 2}" in count
    assert len(table["value"][0]) == len(review.HEADERS)

    label = TASKS["nli"].format_label((answer["label"] + 1) % 3)
    _, _, token, _ = review.save_changes(lab, ids[0], label, "numbers", "<b>changed", "bea")
    assert find_verdicts(lab.db(), Filters(category="numbers"))[0]["note"] == "<b>changed"
    history = review.open_verdict(lab, ids[0])[1]
    assert "<b>bea</b> edited." in history
    assert "<s>negation</s> numbers" in history
    assert "&lt;b&gt;changed" in history
    review.undo(lab, token, "ann")
    assert not find_verdicts(lab.db(), Filters(category="numbers"))
    _, _, token, _ = review.delete_chosen(lab, ids[0], "ann")
    assert ids[0] not in review.show_page(lab, cursors, "nli", *ANY)[1]
    assert review.show_page(lab, [None], "nli", *ANY[:-1], True)[1] == [ids[0]]
    assert review.open_verdict(lab, ids[0])[-1]["value"] == "Take back"
    review.undo(lab, token, "ann")
    assert ids[0] in review.show_page(lab, cursors, "nli", *ANY)[1]
    review.delete_chosen(lab, ids[1], "ann")
    review.delete_chosen(lab, ids[0], "ann")
    *_, cursors, following, _, _ = review.show_page(lab, cursors, "nli", *ANY)
    assert (cursors, following) == ([None], None)  # the last page is gone: the one before is shown


def test_views_are_kept_and_many_rows_changed_at_once(lab):
    for premise in premises("train", 3):
        _, answer, *_ = run(lab, nli(premise))
        probe.save_right(lab, answer, "negation", "ann")
    view = ("boats", "oldest", *["any"] * 3, "ann", *["any"] * 5, "2026-01-01", "", 0.1, None, False)
    assert len(review.first_page(lab, "nli", *view)[1]) == 3
    filter_form.keep_view(lab, "nli", " mine ", "ann", *view)
    *_, names = filter_form.refresh_menus(lab, "nli", *ANY)
    assert names["choices"] == ["mine"]
    assert filter_form.open_view(lab, "nli", "mine") == list(view)
    act = "Move to a category"
    assert ("numbers", "numbers") in bulk_form.offer_values(lab, "nli", act)[0]["choices"]
    html, button, plan = bulk_form.show_preview(lab, act, "numbers", "nli", *view)
    assert "Of 3 rows found, 3 change." in html
    assert button["value"] == "Change 3 rows"
    _, _, token, *_ = bulk_form.apply_plan(lab, plan, "ann")
    assert len(find_verdicts(lab.db(), Filters(category="numbers"))) == 3
    assert "recategorised 3 rows" in steps_panel.show_steps(lab)[1]["choices"][0][0]
    review.undo(lab, token, "ann")
    assert len(find_verdicts(lab.db(), Filters(category="negation"))) == 3
    assert "Undone: 1 rows." in steps_panel.undo_mine(lab, "ann")[1]
    with pytest.raises(gr.Error, match="YYYY-MM-DD"):
        review.first_page(lab, "nli", *ANY[:-5], "yesterday", *ANY[-4:])


def test_an_import_shows_what_it_refuses_and_is_undone_whole(lab, tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("premise,hypothesis,label\nA dog.,An animal.,entailment\nA dog.,A cat.,maybe\n", encoding="utf-8")
    preview, button = files.preview_import(lab, "nli", str(path), "ann")
    assert "line 3" in preview
    assert button["value"] == "Import 1 rows"
    _, message, token, *_ = files.import_upload(lab, "nli", str(path), "ann")
    assert "Imported 1 rows" in message
    assert len(find_verdicts(lab.db(), Filters(task="nli"))) == 1
    review.undo(lab, token, "ann")
    assert not find_verdicts(lab.db(), Filters(task="nli"))


def test_a_run_from_request_to_report_to_promotion(lab, monkeypatch):
    monkeypatch.setattr("models.retraining.ensure_worker", lambda settings: None)  # this test works itself
    assert retrain.show_plan(lab, "nli", *plan("distilled"))[2]["interactive"] is False
    for premise in premises("train", 3):
        _, answer, *_ = run(lab, nli(premise))
        probe.save_wrong(lab, answer, (answer["label"] + 1) % 3, "negation", "", "ann")
    news, estimate, start = retrain.show_plan(lab, "nli", *plan("distilled"))
    assert "negation" in news
    assert "3 examples" in estimate
    assert start["interactive"]

    job_id = retrain.start_run(lab, "ann", "nli", *plan("corrections", epochs=1))["value"]
    timer, *_ = retrain.tick(lab, "nli", job_id, "")
    assert timer.value == 1.0
    run_worker(lab.settings)
    seen, status, _, _, report, along, strength, reason, promote, matrix, *_ = retrain.show_run(lab, job_id)
    assert jobs.get_job(lab.db(), job_id)["state"] in status
    assert "General accuracy" in report["value"]
    assert matrix["visible"]
    assert along["visible"]
    assert strength["visible"]
    assert retrain.tick(lab, "nli", job_id, seen)[2:] == [gr.skip()] * 16

    before = live_version(lab.db(), "nli")
    assert reason["visible"] == bool(jobs.get_job(lab.db(), job_id)["report"]["gate"])
    if reason["visible"]:
        with pytest.raises(gr.Error, match="held back"):
            retrain.promote_run(lab, job_id, 1.0, "", "ann")
    _, _, token = retrain.promote_run(lab, job_id, 1.0, "a test", "ann")
    assert lab.serving.predictor("nli").version_id == "nli-v1" == live_version(lab.db(), "nli")
    assert promote["interactive"]
    retrain.undo_promotion(lab, token, "ann")
    assert lab.serving.predictor("nli").version_id == before

    retrain.promote_run(lab, job_id, 0.3, "a test", "ann")
    assert lab.serving.predictor("nli").version_id == "nli-v1-s30"
    assert retrain.show_promotion(lab, job_id, 0.3)[1]["value"] == "nli-v1-s30 is live"

    corrections = find_verdicts(lab.db(), Filters(task="nli", kind="correction"))
    live_says = lab.serving.predictor("nli").predict([row["example"] for row in corrections])
    for row, said, where in zip(corrections, live_says, fixed_in(lab, TASKS["nli"], corrections), strict=True):
        right = TASKS["nli"].labels[said.label] == row["expected_label"]
        assert (where == STILL_WRONG) == (not right)

    table, *_ = versions.show_versions(lab, "nli")
    assert "nli-v1 at strength 0.3" in table
    assert "nli-v1" in versions.show_card(lab, "nli-v1")
    both = [before, "nli-v1"]
    html = compare.compare_on_input(lab, "nli", both, *values_of("nli", nli()))
    assert before in html
    assert "nli-v1" in html

    html = compare.compare_on_rows(lab, "nli", [*both, "nli-v1-s30"], compare.STORE)
    stored = len(find_verdicts(lab.db(), Filters(task="nli")))
    assert f"On {stored} rows of everything stored" in html
    assert html.count("<b>") > 1
    for rows in (compare.SUITES, "role_swap", "names_and_places"):
        assert f"rows of {rows} they all give the same answer" in compare.compare_on_rows(lab, "nli", both, rows)
    with pytest.raises(gr.Error, match="two or three versions"):
        compare.compare_on_rows(lab, "nli", [before], compare.STORE)
    menu, rows = compare.show_menus(lab, "nli")
    assert menu["value"][-1] == live_version(lab.db(), "nli")
    assert ("role_swap", "role_swap") in rows["choices"]
    said = [lab.serving.predict("nli", nli(premise), v).prediction.label for v in both]
    html = compare.bisect_versions(lab, "nli", both, *values_of("nli", nli(premise)))
    assert html.index(before) < html.index("<b>nli-v1</b>")
    assert "Stored as" in html
    assert (" here</span>" in html) == (said[0] != said[1])
    assert ("was taught that points to it" in html) == (said[0] != said[1])
    assert "No version changed" in compare.bisect_versions(lab, "nli", [before], *values_of("nli", nli(premise)))


def test_what_broke_an_example_is_found_and_left_out_of_the_next_run(lab, monkeypatch):
    monkeypatch.setattr("models.retraining.ensure_worker", lambda settings: None)
    ids = []
    for premise in premises("train", 3):
        _, answer, *_ = run(lab, nli(premise))
        probe.save_wrong(lab, answer, (answer["label"] + 1) % 3, "negation", "", "ann")
    options = plan("corrections", epochs=3, learning_rate=5e-3)
    job_id = retrain.start_run(lab, "ann", "nli", *options)["value"]
    run_worker(lab.settings)
    job = jobs.get_job(lab.db(), job_id)
    broken = blame.show_blame(job)[1]["choices"]
    assert len(broken) == sum(len(split["broken"]) for split in job["report"]["splits"].values()) > 0
    table, suspects, again = blame.find_blame(lab, job_id, broken[0][1])
    assert "works against it" in table
    ids = [number for _, number in suspects["choices"]]
    assert again["visible"]
    assert set(ids) <= set(job["example_ids"])
    second = jobs.get_job(lab.db(), retrain.run_without(lab, "ann", job_id, ids[:1], "nli", *options)["value"])
    assert (second["parent_id"], second["state"]) == (job["parent_id"], "queued")
    assert set(second["example_ids"]) == set(job["example_ids"]) - set(ids[:1])
    with pytest.raises(gr.Error, match="Choose a newly broken example"):
        blame.find_blame(lab, job_id, None)


def test_contradictory_corrections_are_named_before_training(lab):
    (premise,) = premises("train")
    _, answer, *_ = run(lab, nli(premise, "<b>Boats</b> float."))
    for annotator, label in (("ann", 1), ("bob", 2)):
        said = (answer["label"] + label) % 3
        probe.save_wrong(lab, answer, said, "negation", "", annotator)
    news, _, start = retrain.show_plan(lab, "nli", *plan("phenomenon"))
    assert "1 left out" in news
    assert "ann: <b>" in news
    assert "&lt;b&gt;Boats" in news
    assert start["interactive"] is False


def test_a_version_that_cannot_be_loaded_is_not_promoted(lab):
    live = live_version(lab.db(), "nli")
    db = lab.db()
    row = dict(next(db.query("SELECT * FROM versions WHERE id = ?", [live])))
    db["versions"].insert({**row, "id": "nli-broken", "folder": "versions/nli/none"})
    with pytest.raises(gr.Error, match="cannot be loaded"):
        versions.promote_chosen(lab, "nli-broken", "", "ann")
    assert live_version(db, "nli") == live == lab.serving.predictor("nli").version_id
    assert promotion_history(db, "nli")[0]["reason"] == "nli-broken cannot be loaded"


def test_every_state_of_a_job_is_told():
    job = {
        "id": "nli-1",
        "parent_id": "p",
        "preset": "quick",
        "example_ids": [1],
        "requested_by": HOSTILE,
        "phase": "training",
        "progress": [{"step": 5, "steps": 10, "loss": 1.0, "rows_per_s": 20.0, "eta_s": 3}],
        "error": "Out of luck",
    }
    texts = {state: report_view.status_html({**job, "state": state}) for state in ("running", "failed", "cancelled")}
    assert "step 5 of 10" in texts["running"]
    assert "Out of luck" in texts["failed"]
    assert "press Retrain" in texts["cancelled"]
    assert "<img" not in texts["running"]


@pytest.mark.parametrize(("seconds", "text"), [(12.4, "12 s"), (89, "89 s"), (600, "10 min"), (7200, "2.0 h")])
def test_durations_are_told_in_a_unit_that_fits(seconds, text):
    assert report_view.duration(seconds) == text
