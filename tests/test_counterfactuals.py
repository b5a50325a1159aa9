"""Small edits: each another example, one thing changed, and flips are really flips."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from components import counterfactuals as panel
from components import twins
from data.queries import Filters, find_verdicts
from data.seed import seed_rows
from data.tasks import TASKS
from models.counterfactuals import THROUGHOUT, counterfactuals, keeps_answer, neighbours, suggest_edits
from models.folders import STARTERS
from models.predictor import Predictor
from tests.conftest import nli

TASK = TASKS["nli"]


@pytest.fixture(scope="module")
def starter():
    return Predictor.load(STARTERS / "nli")


def rules_of(example, task=TASK):
    found = {}
    for edit in suggest_edits(task, task.parse_example(example)):
        found.setdefault(edit.rule, []).append(edit.example)
    return found


@pytest.mark.parametrize(
    ("rule", "premise", "hypothesis"),
    [
        ("negation out", "The doctor who was tired paid the lawyer 7 times.", None),
        ("negation in", None, "She said all actors were not late."),
        ("other number", "The doctor who was not tired paid the lawyer 8 times.", None),
        ("order swapped", "The lawyer who was not tired paid the doctor 7 times.", None),
        ("other gender", None, "He said all actors were late."),
        ("other quantifier", None, "She said no actors were late."),
        ("slip of the finger", "The dotcor who was not tired paid the lawyer 7 times.", None),
    ],
)
def test_each_rule_changes_its_one_thing(rule, premise, hypothesis):
    whole = ("The doctor who was not tired paid the lawyer 7 times.", "She said all actors were late.")
    assert nli(premise or whole[0], hypothesis or whole[1]) in rules_of(nli(*whole))[rule]


def test_what_is_beside_the_point_is_added():
    example = nli("The doctor paid the lawyer.", "The lawyer left.")
    assert all(len(edit["premise"]) > len(example["premise"]) for edit in rules_of(example)["beside the point"])


def test_negation_goes_in_after_a_verb_that_takes_it_and_not_into_a_question():
    rules = rules_of({"text": "The film was slow. Was it good? It could be worse."}, TASKS["sentiment"])
    assert {edit["text"] for edit in rules["negation in"]} == {
        "The film was not slow. Was it good? It could be worse.",
        "The film was slow. Was it good? It could not be worse.",
    }


def test_a_word_in_both_texts_changes_in_one_and_throughout():
    example = nli("The doctor paid the lawyer.", "The lawyer was paid by the doctor.")
    changed = [e for e in suggest_edits(TASK, example) if e.rule == f"other noun {THROUGHOUT}"]
    assert changed
    assert {edit.changed for edit in changed} == {2}
    assert all(edit.example["premise"] != example["premise"] for edit in changed)
    assert all(keeps_answer(edit.rule) for edit in changed)
    assert not keeps_answer("other noun")


@pytest.mark.parametrize("name", TASKS)
@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(data=st.data())
def test_no_edit_is_the_example_itself_or_there_twice(name, data):
    task = TASKS[name]
    example = data.draw(st.sampled_from(seed_rows(task, "gallery") + seed_rows(task, "validation")))["example"]
    edits = list(suggest_edits(task, example))
    hashes = [task.content_hash(edit.example) for edit in edits]
    assert len(set(hashes)) == len(hashes)
    assert task.content_hash(example) not in hashes
    assert all(edit.changed > 0 for edit in edits)
    assert all(task.parse_example(edit.example) == edit.example for edit in edits)
    assert edits == list(suggest_edits(task, example))


def test_flips_are_flips_and_the_smallest_come_first(starter):
    example = nli("The doctor who was not tired paid the lawyer.", "The lawyer paid the doctor.")
    before = starter.predict([example])[0]
    found = counterfactuals(starter, example, before)
    assert 0 < len(found) <= 8
    assert len({one.edit.rule for one in found}) > 2
    for one in found:
        said = starter.predict([one.edit.example])[0]
        assert said.label == one.prediction.label
        assert one.flips == (said.label != before.label)
    order = [(not one.flips, one.edit.changed) for one in found if one.flips]
    assert order == sorted(order)
    assert [one.flips for one in found] == sorted((one.flips for one in found), reverse=True)


def test_neighbours_are_near_in_the_encoder(starter):
    assert neighbours(starter)("doctor", ["banana", "physician", "tractor"])[0] == "physician"
    assert neighbours(starter)("doctor", []) == []


def test_edits_are_judged_like_twins_and_stored_with_their_origin(lab):
    example = nli("The doctor paid the lawyer.", "The lawyer paid the doctor.")
    served = lab.serving.predict("nli", example)
    answer = {
        "task": "nli",
        "example": example,
        "label": served.prediction.label,
        "probabilities": served.prediction.probabilities,
        "version_id": served.version_id,
    }
    _, state, html, *buttons = panel.offer_edits(lab, answer, "negation")
    assert "Counterfactuals" in html
    said = TASKS["nli"].labels[answer["label"]]
    values = [button["value"] for button in buttons if "unchanged" in button.get("value", "")]
    assert values == [f"{answer['label'] + 1} · {said}, unchanged"]
    twins.judge(lab, state, 2, "ann")
    (row,) = find_verdicts(lab.db(), Filters(task="nli"))
    assert (row["expected_label"], row["category"], row["annotator"]) == ("contradiction", "negation", "ann")
    assert row["origin"] == f"counterfactual: {state['rows'][0]['rule']}"
    twins.step_back(lab, state)
    assert find_verdicts(lab.db(), Filters(task="nli")) == []
