"""What is left open is told as a fact, and left open otherwise; only where the premise leaves the hypothesis open."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.tasks import TASKS
from models import clauses
from models.contrasts import nli_contrasts
from models.veridicality import OPENERS, ways_to_tell
from models.wording import Wording
from tests.conftest import nli

ENTAILMENT, NEUTRAL, CONTRADICTION = range(3)
OPEN = [
    ("The actor may have danced in the garden.", "The actor danced in the garden."),
    ("Anna wanted to thank the judge.", "Anna thanked the judge."),
    ("The pilot told the baker that the judge slept.", "The judge slept."),
    ("Either the actor sang or the doctor slept.", "The doctor slept."),
    ("If the actor sang, the doctor slept.", "The doctor slept."),
    ("According to the nurse, the doctor praised the baker.", "The doctor praised the baker."),
]


def ways(premise, hypothesis, label=NEUTRAL, seeds=8):
    return {row for seed in range(seeds) for row in ways_to_tell(premise, hypothesis, label, random.Random(seed))}


@pytest.mark.parametrize(("premise", "hypothesis"), OPEN)
def test_an_open_statement_is_left_open_otherwise_and_told_as_a_fact(premise, hypothesis):
    found = ways(premise, hypothesis)
    assert {row[2] for row in found} == {NEUTRAL, ENTAILMENT}
    assert all(row[1] == hypothesis and row[0] != premise for row in found)
    assert len({row[0] for row in found if row[2] == NEUTRAL}) > 5
    for text, _, label, _ in found:
        opened = bool(OPENERS & set(Wording.of(text).low)) or clauses.is_hedged(Wording.of(text)) or "hoped" in text
        assert opened == (label == NEUTRAL), text


def test_verbs_take_the_form_that_their_frame_asks_for():
    texts = {row[0] for row in ways("Anna wanted to see the judge.", "Anna saw the judge.", seeds=40)}
    assert {
        "Anna may have seen the judge.",
        "Anna managed to see the judge.",
        "Anna planned to see the judge.",
    } <= texts


@pytest.mark.parametrize(
    ("premise", "hypothesis", "label"),
    [
        ("The actor paid the doctor.", "The doctor paid the actor.", NEUTRAL),
        ("The actor may have danced.", "The actor danced.", ENTAILMENT),
        ("The actor did not want to dance.", "The actor danced.", NEUTRAL),
        ("The actor may have danced.", "The pilot danced.", NEUTRAL),
        ("The actor may have danced.", "Everyone danced.", NEUTRAL),
        ("The actor may have danced.", "The actor and the pilot danced.", NEUTRAL),
    ],
)
def test_nothing_is_made_where_more_is_in_question(premise, hypothesis, label):
    assert ways(premise, hypothesis, label) == set()


@given(pair=st.sampled_from(OPEN), seed=st.integers(0, 1000))
def test_they_are_among_the_contrasts_and_parse(pair, seed):
    rows = list(nli_contrasts(nli(*pair), NEUTRAL, random.Random(seed)))
    found = [(row, label) for row, label, rule in rows if rule in ("left open in another way", "told as a fact")]
    assert {label for _, label in found} == {NEUTRAL, ENTAILMENT}
    assert all(TASKS["nli"].parse_example(row) == row for row, _ in found)
