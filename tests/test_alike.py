"""Who types what was flagged before is told so, be it the same or nearly the same."""

import pytest

import app
from components import probe
from components.alike import look_for_alike
from components.context import Lab
from components.filter_form import NOTHING_CHOSEN
from components.review import open_in_review
from data import alike as search
from data.alike import alike_examples, same_flag
from data.examples import archive_verdicts, flag_example, get_verdict
from data.tasks import TASKS
from models.alike import find_alike
from tests.conftest import nli
from tests.test_components import values_of

TASK = TASKS["nli"]
HARBOUR = nli("Seven boats lay in the old harbour before the storm came.", "Boats lay in the harbour.")
OTHERS = ("The chemist followed the burglar.", "No tourist saw the comet.", "Every lamp in the hall is lit.")


@pytest.fixture
def harbour(store):
    for premise in OTHERS:
        flag_example(store, TASK, nli(premise), 1, annotator="bea")
    return flag_example(store, TASK, HARBOUR, 2, annotator="ann")


def test_the_very_same_is_found_whatever_its_white_space(store, harbour):
    again = nli("Seven boats lay  in the old harbour before the storm came. ", "Boats lay in the harbour.")
    assert (same_flag(store, TASK, again)["id"], find_alike(store, TASK, again)["exact"]) == (harbour, True)
    archive_verdicts(store, [harbour])
    assert same_flag(store, TASK, again) is None
    assert find_alike(store, TASK, again) is None


@pytest.mark.parametrize(
    "premise",
    [
        "Seven boats lay in the old harbour before the gale came.",
        "Seven boats lay in the old harbour, before the storm came!",
        "Seven boats lay in the old harbor before a storm came.",
    ],
)
def test_what_differs_in_a_word_is_nearly_the_same(store, harbour, premise):
    found = find_alike(store, TASK, nli(premise, "Boats lay in the harbour."))
    assert (found["id"], found["exact"], found["example"]) == (harbour, False, HARBOUR)


def test_a_short_text_is_found_by_all_of_its_words_but_one(store, harbour):
    found = find_alike(store, TASK, nli("The chemist followed a burglar."))
    assert found["example"]["premise"] == OTHERS[0]


@pytest.mark.parametrize("premise", ["The sea was calm.", "Seven boats", "?!", 'boats AND "lay'])
def test_other_texts_are_not(store, harbour, premise):
    assert find_alike(store, TASK, nli(premise, "It rained.")) is None


def test_only_the_tasks_own_flags_are_alike(store, harbour):
    text = " ".join(HARBOUR.values())
    assert find_alike(store, TASKS["sentiment"], {"text": text}) is None


def test_the_search_ends_when_its_time_is_up(store, harbour, monkeypatch):
    assert alike_examples(store, TASK, HARBOUR)
    monkeypatch.setattr(search, "LIMIT_S", -1.0)
    monkeypatch.setattr(search, "STEPS", 1)
    assert alike_examples(store, TASK, HARBOUR) == []
    assert same_flag(store, TASK, HARBOUR), "the connection goes on"


def test_the_probe_tab_tells_and_opens_it(lab):
    _, answer, *_ = probe.run_probe(lab, "nli", "negation", *values_of("nli", HARBOUR))
    wrong = (answer["label"] + 1) % 3
    *_, token, _ = probe.save_wrong(lab, answer, wrong, "negation", "", "bea")
    row, words, found = look_for_alike(lab, "nli", "ann", *values_of("nli", HARBOUR))
    assert (row["visible"], found) == (True, token)
    assert f"bea flagged this very example already (corrected to <b>{TASK.labels[wrong]}</b> by bea)" in words
    near = nli("Seven boats lay in the <b> harbour before the storm came.", HARBOUR["hypothesis"])
    _, words, _ = look_for_alike(lab, "nli", "bea", *values_of("nli", near))
    assert "You flagged nearly the same already" in words
    assert HARBOUR["premise"] in words
    assert look_for_alike(lab, "nli", "ann", *values_of("nli", nli("", "")))[0]["visible"] is False

    tabs, search_words, *others = open_in_review(lab, "nli", found)
    table, ids, *_ = others[len(NOTHING_CHOSEN) - 1 :]
    assert (tabs.selected, search_words, ids) == ("review", f"ids: {found}", [found])
    assert get_verdict(lab.db(), found)["example"]["premise"] in table["value"][0][1]


def test_a_look_that_had_to_wait_repeats_no_run(settings):
    page = app.build_page(Lab(settings))
    run = next(block for block in page.blocks.values() if block.elem_id == "probe-run")
    waiting = [target for fn in page.fns.values() if fn.trigger_mode == "always_last" for target in fn.targets]
    assert waiting
    assert (run._id, "click") not in waiting
