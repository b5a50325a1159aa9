"""A second look is blind, never one's own, and settles what is trained on."""

import dataclasses

import gradio as gr
import pytest

from components import second_look as tab
from components.context import Lab
from data.bulk import assign
from data.examples import (
    Answer,
    Selection,
    archive_verdicts,
    flag_example,
    get_verdict,
    select_examples,
    wants_confirmed,
)
from data.second_look import agreement, give_second_look, newest_verdicts, next_look
from data.settling import settle
from data.tasks import TASKS
from data.versions import live_version
from models.recipe import PRESETS
from models.repair import training_rows
from models.retraining import request_retrain
from models.trust import settled, with_disputed
from tests.conftest import nli, premises

TASK = TASKS["nli"]
ENTAILMENT, NEUTRAL, CONTRADICTION = range(3)


@pytest.fixture
def flag(tiny_store):
    version_id = live_version(tiny_store, "nli")

    def make(premise, label=NEUTRAL, annotator="ann"):
        answer = Answer(ENTAILMENT, [0.8, 0.1, 0.1], version_id)
        example = nli(premise)
        verdict_id = flag_example(
            tiny_store, TASK, example, label, annotator=annotator, answer=answer, category="negation"
        )
        return get_verdict(tiny_store, verdict_id)["example_id"]

    return make


def state(db, example_id):
    return get_verdict(db, next(iter(newest_verdicts(db, example_id).values()))["id"])["state"]


def waits_for(db, annotator, skipped=()):
    one = next_look(db, TASK, annotator, skipped)
    return one and one["example_id"]


@pytest.mark.parametrize(
    ("labels", "settled"),
    [("a", "a"), ("aa", "a"), ("ab", None), ("aba", "a"), ("abc", None), ("aabb", None), ("aabbb", "b")],
)
def test_people_settle_on_what_more_of_them_say(labels, settled):
    assert settle(list(labels)) == settled


def test_nobody_looks_at_their_own_flag(tiny_store, flag):
    example_id = flag("A dog barks.")
    assert waits_for(tiny_store, "ann") is None
    assert waits_for(tiny_store, " bea ") == example_id
    with pytest.raises(ValueError, match="ann judged this example already"):
        give_second_look(tiny_store, TASK, example_id, NEUTRAL, annotator="ann")
    with pytest.raises(ValueError, match="gone"):
        give_second_look(tiny_store, TASK, 99, NEUTRAL, annotator="bea")


def test_two_agree_a_third_is_asked_and_three_ways_are_disputed(tiny_store, flag):
    first, second = flag("A dog barks."), flag("A cat sleeps.")
    assert state(tiny_store, first) == "claimed"
    verdict_id = give_second_look(tiny_store, TASK, first, NEUTRAL, annotator="bea")
    assert state(tiny_store, first) == "confirmed"
    verdict = get_verdict(tiny_store, verdict_id)
    assert (verdict["origin"], verdict["kind"], verdict["category"]) == ("second look", "correction", "negation")
    give_second_look(tiny_store, TASK, second, CONTRADICTION, annotator="bea")
    assert state(tiny_store, second) == "open"
    assert waits_for(tiny_store, "cem") == second
    third = give_second_look(tiny_store, TASK, second, CONTRADICTION, annotator="cem")
    assert state(tiny_store, second) == "refuted"
    archive_verdicts(tiny_store, [third])
    give_second_look(tiny_store, TASK, second, ENTAILMENT, annotator="cem")
    assert state(tiny_store, second) == "disputed"
    assert waits_for(tiny_store, "dee") is None


def test_what_is_assigned_waits_for_that_person_alone(tiny_store, flag):
    first, second, third = (flag(f"Dog {i} barks.") for i in range(3))
    verdicts = [row["id"] for row in newest_verdicts(tiny_store, third).values()]
    assign(tiny_store, verdicts, "cem", by="ann")
    give_second_look(tiny_store, TASK, second, CONTRADICTION, annotator="bea")
    assert [waits_for(tiny_store, "cem", seen) for seen in ([], [third], [third, second])] == [third, second, first]
    assert [waits_for(tiny_store, "dee", seen) for seen in ([], [second], [second, first])] == [second, first, None]
    assert next_look(tiny_store, TASK, "cem")["waiting"] == 3
    archive_verdicts(tiny_store, verdicts)
    assert waits_for(tiny_store, "cem") == second


def test_training_takes_what_is_settled(tiny_store, flag):
    (premise,) = premises("train")
    example_id = flag(premise)
    give_second_look(tiny_store, TASK, example_id, CONTRADICTION, annotator="bea")
    assert select_examples(tiny_store, TASK).conflicts == [example_id]
    give_second_look(tiny_store, TASK, example_id, CONTRADICTION, annotator="cem")
    (row,) = select_examples(tiny_store, TASK).rows
    assert (row["label"], row["kind"]) == (CONTRADICTION, "correction")


def test_training_can_wait_for_confirmation(tiny_store, tiny_settings, flag, monkeypatch):
    monkeypatch.setattr("models.retraining.ensure_worker", lambda settings: None)
    first, second = (flag(premise) for premise in premises("train", 2))
    strict = dataclasses.replace(tiny_settings, train_on="confirmed")
    with pytest.raises(ValueError, match="2 that wait for a second look"):
        request_retrain(strict, tiny_store, TASK, "quick", requested_by="ann")
    give_second_look(tiny_store, TASK, second, NEUTRAL, annotator="bea")
    selection = select_examples(tiny_store, TASK, confirmed=True)
    assert ([row["example_id"] for row in selection.rows], selection.unconfirmed) == ([second], 1)
    request_retrain(strict, tiny_store, TASK, "quick", requested_by="ann")
    assert {row["example_id"] for row in select_examples(tiny_store, TASK).rows} == {first, second}


def test_alone_all_counts_and_with_a_second_person_what_is_confirmed(tiny_store, tiny_settings, flag):
    first, second, third = (flag(premise) for premise in premises("train", 3))
    assert not wants_confirmed(tiny_store, TASK, "auto")
    assert [row["weight"] for row in select_examples(tiny_store, TASK).rows] == [1.0] * 3
    give_second_look(tiny_store, TASK, second, NEUTRAL, annotator="bea")
    assert wants_confirmed(tiny_store, TASK, "auto")
    assert not wants_confirmed(tiny_store, TASK, "all")
    for label, name in ((ENTAILMENT, "bea"), (CONTRADICTION, "cem")):
        give_second_look(tiny_store, TASK, third, label, annotator=name)
    rows = {row["example_id"]: row for row in select_examples(tiny_store, TASK, disputed=True).rows}
    assert {one: row["weight"] for one, row in rows.items()} == {first: 0.5, second: 1.0, third: 0.5}
    assert rows[third]["soft"] == pytest.approx([1 / 3] * 3)
    assert third not in {row["example_id"] for row in select_examples(tiny_store, TASK).rows}


def test_a_run_trusts_a_lone_correction_half_with_all_its_variants_and_a_dispute_softly(tiny_store, flag):
    first, second, third = premises("train", 3)
    ids = {premise: flag(premise) for premise in (first, second, third)}
    give_second_look(tiny_store, TASK, ids[second], NEUTRAL, annotator="bea")
    for label, name in ((ENTAILMENT, "bea"), (CONTRADICTION, "cem")):
        give_second_look(tiny_store, TASK, ids[third], label, annotator=name)
    selection = select_examples(tiny_store, TASK, disputed=True)
    trusted = {row["example_id"]: row["weight"] for row in selection.rows}
    assert trusted == {ids[first]: 0.5, ids[second]: 1.0, ids[third]: 0.5}

    recipe = dataclasses.replace(PRESETS["quick"], retention_rows=0, dressed=0.0)
    half, full = (
        training_rows(TASK, Selection([{**row, "weight": weight}]), recipe)
        for row in settled(selection).rows
        if row["example_id"] == ids[first]
        for weight in (0.5, 1.0)
    )
    assert len(half) > 5, "there are siblings"
    assert {row["label"] for row in half} > {NEUTRAL}, "there are contrasts"
    assert [row["weight"] for row in half] == pytest.approx([row["weight"] / 2 for row in full])
    for data in ("corrections", "replay", "distilled"):
        plain = training_rows(TASK, settled(selection), dataclasses.replace(recipe, data=data))
        weights = {row["premise"]: row.get("weight", 1.0) for row in plain}
        assert weights == {first: 0.5, second: 1.0}

    (disputed,) = with_disputed(selection, [])
    assert (disputed["premise"], disputed["weight"]) == (third, 0.5)
    assert disputed["soft"] == pytest.approx([1 / 3] * 3)


def test_agreement_is_kappa_over_what_two_judged(tiny_store, flag):
    ids = [flag(f"Dog {number} barks.", NEUTRAL if number % 2 else CONTRADICTION) for number in range(8)]
    assert agreement(tiny_store, TASK) == {"states": {"claimed": 8}, "pairs": [], "fleiss": None}
    for number, example_id in enumerate(ids):
        label = (NEUTRAL if number % 2 else CONTRADICTION) if number < 6 else ENTAILMENT
        give_second_look(tiny_store, TASK, example_id, label, annotator="bea")
    found = agreement(tiny_store, TASK)
    (pair,) = found["pairs"]
    assert found["states"] == {"confirmed": 6, "open": 2}
    # observed 6/8; expected by chance: 0.5 * 3/8 for either label both use
    assert pair["kappa"] == pytest.approx((0.75 - 0.375) / (1 - 0.375))
    assert pair["confusion"] == [[0, 0, 0], [1, 3, 0], [1, 0, 3]]
    assert 0 < found["fleiss"] < 1


def test_the_tab_is_blind_and_undoes(tiny_settings, flag):
    lab = Lab(tiny_settings)
    example_id = flag("A dog barks.")
    assert "Nothing waits for you" in tab.show_next(lab, "nli", "ann", [])[0]
    html, label, *_, current = tab.show_next(lab, "nli", "bea", [])
    assert "A dog barks." in html
    assert not any(word in html for word in ("neutral", "entailment", "ann</", "negation"))
    assert (label["value"], current) == (None, example_id)
    assert "1 one person's word" in tab.show_states(lab, "nli")
    assert "Nothing waits for you" in tab.show_next(lab, "nli", "bea", [example_id])[0]
    with pytest.raises(gr.Error, match="Choose a label"):
        tab.give_verdict(lab, "nli", example_id, None, "bea")
    *_, token = tab.give_verdict(lab, "nli", example_id, NEUTRAL, "bea")
    assert "100 % hold" in tab.show_states(lab, "nli")
    assert "need 5 flags in common" in tab.show_agreement(lab, "nli")
    tab.undo(lab, token)
    assert tab.show_next(lab, "nli", "bea", [])[-1] == example_id
