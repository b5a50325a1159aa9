"""Sentences read in full, and what follows from them."""

import pytest

from models.clauses import read_clause, relative_statements, weaken, without_aside
from models.wording import Wording


@pytest.mark.parametrize(
    ("text", "shorter"),
    [
        ("The actor, who thanked the doctor on Monday, visited the nurse.", "The actor visited the nurse."),
        ("Anna, whose brother never slept, called Tom.", "Anna called Tom."),
        ("The actor, who thanked the doctor, did not visit the nurse.", None),
        ("Perhaps Anna, who slept, called Tom.", None),
        ("The actor, however, visited the nurse.", None),
        ("The actor, who slept, the doctor and the nurse left.", None),
    ],
)
def test_a_sentence_without_an_aside_follows_where_it_is_a_plain_one(text, shorter):
    found = without_aside(Wording.of(text))
    assert (found and str(found)) == shorter


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("The actor thanked the doctor who slept on Monday.", ["The doctor slept on Monday."]),
        ("The actor thanked Tom, the doctor who slept.", []),
        ("The nurse who slept thanked the cook who called Anna.", ["The cook called Anna."]),
        ("The actor thanked the doctor who slept and the nurse.", []),
        ("The actor did not thank the doctor who slept.", []),
        ("If the actor thanked the doctor who slept.", []),
        ("The actor thanked the doctor who can dance.", []),
    ],
)
def test_what_a_relative_clause_at_the_end_says(text, said):
    assert [str(one) for one in relative_statements(Wording.of(text))] == said


@pytest.mark.parametrize(
    ("text", "shorter"),
    [
        ("The actor whose driver slept thanked the judge.", "The actor thanked the judge."),
        ("The actor whose driver called Anna thanked the judge.", "The actor thanked the judge."),
        ("The actor who slept thanked the judge.", "The actor thanked the judge."),
        ("The actor that the doctor called thanked the judge.", "The actor thanked the judge."),
    ],
)
def test_a_subject_without_its_relative_clause(text, shorter):
    assert shorter in [str(words) for words, _ in weaken(read_clause(Wording.of(text)))]
