"""Twins: what is offered for a correction, and that one key stores, drops and takes back."""

import pytest

from components import twins
from components.context import Lab
from data.examples import Answer, flag_example, get_verdict
from data.seed import seed_rows
from data.tasks import TASKS
from models.twins import EACH, offer_twins
from tests.conftest import STARTED, nli

NLI = TASKS["nli"]
SWAP = nli("The chemist followed the burglar.", "The burglar followed the chemist.")


@pytest.fixture
def lab(tiny_settings, tiny_store):
    lab = Lab(tiny_settings)
    lab.start_serving()
    yield lab
    lab.serving.stop()


@pytest.fixture
def offered(lab):
    """The panel's state after a wrong answer was corrected."""
    example = SWAP
    said = lab.serving.predict("nli", example)
    expected = (said.prediction.label + 1) % 3
    answer = {
        "task": "nli",
        "example": example,
        "label": said.prediction.label,
        "probabilities": said.prediction.probabilities,
        "version_id": said.version_id,
    }
    verdict_id = flag_example(
        lab.db(),
        NLI,
        example,
        expected,
        annotator="ada",
        answer=Answer(answer["label"], answer["probabilities"], answer["version_id"]),
        category="role swap and word order",
    )
    return twins.offer(lab, answer, verdict_id)[1], verdict_id


@pytest.mark.parametrize("name", TASKS)
def test_twins_of_the_gallery_are_few_distinct_and_of_both_kinds(name):
    task, both = TASKS[name], 0
    for row in seed_rows(task, "gallery"):
        found = offer_twins(task, row["example"], row["label"])
        assert len(found) <= 2 * EACH
        hashes = {task.content_hash(variant.example) for variant in found}
        assert len(hashes) == len(found)
        assert task.content_hash(row["example"]) not in hashes
        assert found == offer_twins(task, row["example"], row["label"])
        both += {variant.relation for variant in found} == {"sibling", "contrast"}
    assert both >= 10 or name not in STARTED


def test_role_swap_gives_eight_rows_of_several_rules():
    found = offer_twins(NLI, SWAP, NLI.labels.index("neutral"))
    assert len(found) == 2 * EACH
    assert [variant.relation for variant in found[:4]] == ["sibling", "contrast"] * 2
    assert len({variant.rule for variant in found if variant.relation == "contrast"}) >= 2


def test_a_key_stores_the_twin_with_its_origin(lab, offered):
    state, parent = offered
    row = state["rows"][0]
    state = twins.judge(lab, state, row["label"], "ada")[1]
    verdict = get_verdict(lab.db(), state["rows"][0]["verdict_id"])
    assert verdict["example"] == row["example"]
    assert verdict["expected_label"] == NLI.labels[row["label"]]
    assert verdict["kind"] == ("confirmation" if row["answer"] == row["label"] else "correction")
    assert verdict["category"] == "role swap and word order"
    assert verdict["origin"] == f"sibling of verdict {parent}: {row['rule']}"
    assert verdict["annotator"] == "ada"


def test_a_dropped_twin_is_not_stored_and_a_step_back_takes_the_last_one_back(lab, offered):
    state, _ = offered
    count = lab.db()["verdicts"].count
    state = twins.judge(lab, state, None, "ada")[1]
    assert (state["rows"][0]["state"], lab.db()["verdicts"].count) == ("dropped", count)
    state = twins.judge(lab, state, 0, "ada")[1]
    stored = state["rows"][1]["verdict_id"]
    state = twins.step_back(lab, state)[1]
    assert get_verdict(lab.db(), stored)["archived_at"] is not None
    assert (state["rows"][1]["state"], state["rows"][1]["verdict_id"]) == (None, None)
    assert twins.step_back(lab, state)[1]["rows"][0]["state"] is None


def test_when_all_are_judged_the_panel_says_so(lab, offered):
    state, _ = offered
    for row in state["rows"]:
        view = twins.judge(lab, state, row["label"], "ada")
        state = view[1]
    assert "All judged" in view[2]
    assert twins.judge(lab, state, 0, "ada")[1] == state


def test_what_people_wrote_is_escaped_and_only_new_words_are_marked():
    parent = nli("A <b>man</b> sleeps & snores.", "A man sleeps.")
    html = twins.marked_text(NLI, {**parent, "hypothesis": "A <b>queen</b> sleeps."}, parent)
    assert "<b>" not in html
    assert html.count("<mark>") == 1
    assert "<mark>queen</mark>" in html


def test_a_confirmation_offers_nothing(lab, offered):
    _, verdict_id = offered
    right = NLI.labels.index(get_verdict(lab.db(), verdict_id)["expected_label"])
    answer = {"task": "nli", "example": SWAP, "label": right, "probabilities": [1, 0, 0], "version_id": ""}
    assert twins.offer(lab, answer, verdict_id)[1] is None
    assert twins.offer(lab, None, None)[1] is None
