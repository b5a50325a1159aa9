"""The rules of the conditional, held against the truth table."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.tasks import TASKS
from models.clauses import negate, read_clause
from models.conditionals import CONTRADICTION, ENTAILMENT, NEUTRAL, consequences, read_conditional
from models.siblings import contrasts
from models.wording import Wording
from tests.conftest import nli

CLAUSES = ["the nurse smiled", "Anna left", "the old baker thanked the pilot", "the pilot fainted", "Marek ran"]
FORMS = ["If {p}, {q}.", "If {p}, then {q}.", "Whenever {p}, {q}.", "{Q} if {p}.", "{Q} whenever {p}."]


def capital(text):
    return text[:1].upper() + text[1:]


def negated(clause):
    return str(negate(read_clause(Wording.of(f"{capital(clause)}."))))


def label_by_truth_table(premises, hypothesis):
    """Each is a function of (p, q)."""
    worlds = [w for w in itertools.product((True, False), repeat=2) if all(holds(*w) for holds in premises)]
    found = {hypothesis(*world) for world in worlds}
    return NEUTRAL if len(found) == 2 else ENTAILMENT if found == {True} else CONTRADICTION


@given(st.permutations(CLAUSES), st.sampled_from(FORMS), st.booleans())
def test_labels_are_those_of_the_truth_table(clauses, form, company):
    p, q = clauses[:2]
    conditional = form.format(p=p, q=q, Q=capital(q))
    premise = f"It was late. {conditional} {capital(clauses[2])}." if company else conditional
    facts = {
        f"{capital(p)}.": lambda p, q: p,
        f"{capital(q)}.": lambda p, q: q,
        negated(p): lambda p, q: not p,
        negated(q): lambda p, q: not q,
    }
    rows = list(consequences(premise))
    assert {label for _, _, label, _ in rows} == {ENTAILMENT, NEUTRAL, CONTRADICTION}
    for first, hypothesis, label, rule in rows:
        assert first.startswith(conditional)
        rest = first[len(conditional) :].strip()
        known = [lambda p, q: not p or q, *([facts[rest]] if rest else [])]
        assert label == label_by_truth_table(known, facts[hypothesis]), rule


@pytest.mark.parametrize(
    "premise",
    [
        "The nurse smiled.",
        "If the nurse had left, the pilot would have smiled.",
        "Only if the nurse left did the pilot smile.",
        "The pilot smiled even if the nurse left.",
        "We know that the pilot smiled if the nurse left.",
        "Ask the pilot if the nurse left.",
        "If the nurse left, who smiled?",
        "",
    ],
)
def test_what_is_no_plain_conditional_is_left_alone(premise):
    assert read_conditional(premise) is None
    assert list(consequences(premise)) == []


def test_a_correction_about_a_conditional_gets_its_other_halves_as_contrasts():
    example = nli("If the nurse smiled, the pilot left. The pilot left.", "The nurse smiled.")
    found = contrasts(TASKS["nli"], example, NEUTRAL, count=12)
    ponens = nli("If the nurse smiled, the pilot left. The nurse smiled.", "The pilot left.")
    assert (ponens, ENTAILMENT) in [(variant.example, variant.label) for variant in found]
