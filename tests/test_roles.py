"""Who did what to whom: what is read from a text is in it, and each pair has the label that its rule promises."""

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from data.lexicon import inflect, members
from data.tasks import TASKS
from models.roles import ENTAILMENT, NEUTRAL, read_facts, role_pairs
from models.siblings import contrasts
from models.wording import Wording
from tests.conftest import nli

FEW = hypothesis_settings(max_examples=60, deadline=None)
FORMS = (
    "{A} {v} {b}.",
    "In the garden, {a} {v} {b}.",
    "It was {a} who {v} {b}.",
    "{A} {v} {b}, and the waiter left.",
    "The waiter left, and {a} {v} {b}.",
    "{B} was {p} by {a}.",
    "{B}, who was {p} by {a}, smiled.",
    "The radio was on. {B} was {p} by {a} last week.",
)


@st.composite
def events(draw):
    """A doer, a verb's past and participle, and who it is done to."""
    verb = draw(st.sampled_from(members("affect")))
    people = st.sampled_from(members("person")).map("the {}".format) | st.sampled_from(members("female"))
    doer, done_to = draw(st.lists(people, min_size=2, max_size=2, unique=True))
    return doer, inflect("affect", verb, "past"), inflect("affect", verb, "participle"), done_to


def capital(text):
    return text[:1].upper() + text[1:]


def told(form, doer, past, participle, done_to):
    return form.format(a=doer, A=capital(doer), b=done_to, B=capital(done_to), v=past, p=participle)


@FEW
@given(events(), st.sampled_from(FORMS))
def test_each_form_tells_of_one_doer(event, form):
    doer, _, _, done_to = event
    facts = read_facts(Wording.of(told(form, *event)))
    assert [(" ".join(f.doer), " ".join(f.done_to)) for f in facts] == [(doer, done_to)]


@FEW
@given(events(), st.sampled_from(FORMS))
def test_the_same_roles_follow_and_exchanged_ones_do_not(event, form):
    doer, past, participle, done_to = event
    follows = {f"{capital(doer)} {past} {done_to}.", f"{capital(done_to)} was {participle} by {doer}."}
    follows.add(f"{capital(done_to)} was {participle}.")
    premise, swapped = told(form, *event), f"{capital(done_to)} {past} {doer}."
    rows = list(role_pairs(premise, swapped))
    assert {label for _, _, label, _ in rows} == {ENTAILMENT, NEUTRAL}
    for first, hypothesis, label, rule in rows:
        assert first == premise
        assert (hypothesis in follows) == (label == ENTAILMENT), rule
    right = f"{capital(doer)} {past} {done_to}."
    assert premise == right or (premise, right, ENTAILMENT, "roles put back") in rows


@pytest.mark.parametrize(
    "premise",
    [
        "If the actor paid the doctor, the judge smiled.",
        "The waiter said that the actor paid the doctor.",
        "The actor did not pay the doctor.",
        "The actor may have paid the doctor.",
        "No actor paid the doctor.",
        "The actor near the judge paid the doctor.",
        "The actor paid the doctor's friend.",
        "Someone paid.",
        "",
    ],
)
def test_what_is_not_told_outright_of_two_gives_nothing(premise):
    assert read_facts(Wording.of(premise)) == []


def test_of_rivals_the_other_direction_is_left_alone():
    rows = list(role_pairs("The actor defeated the doctor.", "The doctor defeated the actor."))
    assert {label for _, _, label, _ in rows} == {ENTAILMENT}


def test_a_true_claim_taken_for_open_is_contrasted_with_its_roles_swapped():
    rows = list(role_pairs("The doctor was paid by the actor.", "The actor paid the doctor."))
    swap = ("The doctor was paid by the actor.", "The doctor paid the actor.", NEUTRAL, "roles swapped")
    assert swap in rows


def test_what_was_left_open_follows_once_it_is_said():
    example = nli("The actor may have left.", "The actor left.")
    made = contrasts(TASKS["nli"], example, 1, count=6)
    said = nli("The actor may have left. The actor left.", "The actor left.")
    assert [v.label for v in made if v.example == said] == [ENTAILMENT]
