"""Flag, confirm, change one's mind, disagree, and what a training run may learn from."""

import pytest

from data.examples import (
    MAX_NOTE_CHARS,
    Answer,
    archive_verdicts,
    confirm_example,
    edit_verdict,
    flag_example,
    get_verdict,
    select_examples,
    unarchive_verdicts,
)
from data.tasks import TASKS
from data.versions import add_version
from tests.conftest import nli, premises

TASK = TASKS["nli"]
ENTAILMENT, NEUTRAL, CONTRADICTION = range(3)


@pytest.fixture
def answer(store):
    add_version(store, {"id": "v1", "task": "nli", "base": "b"}, "versions/nli/v1")
    return Answer(ENTAILMENT, [0.7, 0.2, 0.1], "v1")


@pytest.fixture
def learnt():
    """An example of the training split."""
    return nli(premises("train")[0])


def flag(db, example, expected=NEUTRAL, annotator="ann", **options):
    return flag_example(db, TASK, example, expected, annotator=annotator, **options)


def test_flag_keeps_the_answer_that_was_wrong(store, answer, learnt):
    row = get_verdict(store, flag(store, learnt, answer=answer, category="role swap and word order", note="Hm."))
    assert row["example"] == learnt
    assert (row["kind"], row["expected_label"], row["predicted_label"]) == ("correction", "neutral", "entailment")
    assert (row["version_id"], row["probabilities"]) == ("v1", "[0.7, 0.2, 0.1]")
    assert (row["category"], row["note"], row["annotator"]) == ("role swap and word order", "Hm.", "ann")


def test_confirmation_expects_what_the_model_said(store, answer, learnt):
    row = get_verdict(store, confirm_example(store, TASK, learnt, answer, annotator="ann"))
    assert (row["kind"], row["expected_label"]) == ("confirmation", "entailment")


def test_flag_with_the_models_own_label_is_a_confirmation(store, answer, learnt):
    assert get_verdict(store, flag(store, learnt, ENTAILMENT, answer=answer))["kind"] == "confirmation"


def test_same_content_is_one_example_with_two_verdicts(store):
    first = flag(store, nli("A dog  barks."))
    second = flag(store, nli(" A dog barks. "), annotator="bob")
    assert get_verdict(store, first)["example_id"] == get_verdict(store, second)["example_id"]
    assert (store["examples"].count, store["verdicts"].count) == (1, 2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"expected": 3}, "an index from 0 to 2; found 3"),
        ({"expected": -1}, "an index from 0 to 2; found -1"),
        ({"category": "magic"}, "found 'magic'"),
        ({"note": "a" * (MAX_NOTE_CHARS + 1)}, "at most 10,000 characters"),
        ({"example": nli("")}, "Premise is empty"),
    ],
)
def test_bad_flag_stores_nothing(store, learnt, change, message):
    with pytest.raises(ValueError, match=message):
        flag(store, **{"example": learnt, **change})
    assert store["examples"].count == 0


def test_lone_surrogates_do_not_stop_a_flag(store, learnt):
    row = get_verdict(store, flag(store, learnt, note="a\ud800b\x00", annotator="\udfff"))
    assert (row["note"], row["annotator"]) == ("a?b", "?")


def test_unsigned_flag_is_anonymous(store, learnt):
    assert get_verdict(store, flag(store, learnt, annotator="  "))["annotator"] == "anonymous"


def test_unknown_verdict_is_an_error(store):
    with pytest.raises(ValueError, match="There is no verdict 7"):
        get_verdict(store, 7)


def test_edit_changes_what_is_given_only(store, answer, learnt):
    verdict = flag(store, learnt, answer=answer, category="negation", note="old")
    edit_verdict(store, verdict, expected="contradiction")
    row = get_verdict(store, verdict)
    assert (row["expected_label"], row["kind"]) == ("contradiction", "correction")
    assert (row["category"], row["note"]) == ("negation", "old")


def test_edit_to_the_models_answer_makes_a_confirmation(store, answer, learnt):
    verdict = flag(store, learnt, answer=answer)
    edit_verdict(store, verdict, expected="entailment")
    assert get_verdict(store, verdict)["kind"] == "confirmation"


def test_edit_of_a_note_leaves_the_kind(store, learnt):
    verdict = flag(store, learnt, ENTAILMENT, kind="confirmation")  # as an import does, without an answer
    edit_verdict(store, verdict, expected="entailment", note="sure")
    assert get_verdict(store, verdict)["kind"] == "confirmation"


@pytest.mark.parametrize("change", [{"expected": "maybe"}, {"category": "magic"}, {"note": "a" * 20_000}])
def test_bad_edit_changes_nothing(store, learnt, change):
    verdict = flag(store, learnt)
    original = get_verdict(store, verdict)
    with pytest.raises(ValueError, match="xpected"):
        edit_verdict(store, verdict, **change)
    assert get_verdict(store, verdict) == original


def test_archived_verdict_is_learnt_from_no_more_until_it_is_back(store, learnt):
    verdict = flag(store, learnt)
    assert archive_verdicts(store, [verdict, 99])
    assert archive_verdicts(store, [verdict]) is None
    assert select_examples(store, TASK).rows == []
    assert unarchive_verdicts(store, [verdict])
    assert len(select_examples(store, TASK).rows) == 1


def test_selection_holds_example_label_and_kind(store, learnt):
    verdict = flag(store, learnt, CONTRADICTION, category="negation")
    assert select_examples(store, TASK).rows == [
        {
            "example_id": get_verdict(store, verdict)["example_id"],
            "example": learnt,
            "label": CONTRADICTION,
            "kind": "correction",
            "category": "negation",
            "weight": 1.0,
        }
    ]


def test_held_out_flag_is_never_trained_on(store):
    for premise in premises("held_out", 5):
        flag(store, nli(premise))
    assert select_examples(store, TASK, "train").rows == []
    assert len(select_examples(store, TASK, "held_out").rows) == 5


def test_annotator_may_change_their_mind(store, learnt):
    flag(store, learnt, NEUTRAL)
    flag(store, learnt, CONTRADICTION)
    assert [row["label"] for row in select_examples(store, TASK).rows] == [CONTRADICTION]


def test_disagreement_is_left_out_and_reported(store, learnt):
    flag(store, learnt, NEUTRAL)
    verdict = flag(store, learnt, CONTRADICTION, annotator="bob")
    selection = select_examples(store, TASK)
    assert (selection.rows, selection.conflicts) == ([], [get_verdict(store, verdict)["example_id"]])


def test_resolved_disagreement_is_learnt_from(store, learnt):
    flag(store, learnt, NEUTRAL)
    flag(store, learnt, CONTRADICTION, annotator="bob")
    flag(store, learnt, NEUTRAL, annotator="bob")
    assert [row["label"] for row in select_examples(store, TASK).rows] == [NEUTRAL]


def test_selection_can_be_frozen_to_ids(store):
    verdicts = [flag(store, nli(premise)) for premise in premises("train", 3)]
    wanted = get_verdict(store, verdicts[1])["example_id"]
    assert [row["example_id"] for row in select_examples(store, TASK, ids=[wanted]).rows] == [wanted]


@pytest.mark.parametrize("expected", [0, 1])
def test_choice_that_is_a_number_keeps_its_place(store, expected):
    task = TASKS["commonsense"]
    example = {"context": "", "question": "Two minus one?", "choices": ["1", "0"]}
    flag_example(store, task, example, expected, annotator="ann")
    assert [row["label"] for row in select_examples(store, task, None).rows] == [expected]
