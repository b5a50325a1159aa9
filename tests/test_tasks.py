"""Rows become examples, labels indices; hashes and splits hold whatever the text."""

import json
import sqlite3
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.tasks import TASKS, get_task, parse_category
from data.tasks.base import MAX_FIELD_CHARS

NLI, SENTIMENT, COMMONSENSE = TASKS["nli"], TASKS["sentiment"], TASKS["commonsense"]
ANYTHING = st.text(st.characters(exclude_categories=()), max_size=60)
"""Lone surrogates, NUL, controls and unassigned code points included."""
WORDS = st.lists(st.text(st.characters(categories=["L", "Mn"]), min_size=1, max_size=8), min_size=1, max_size=6)
SPACES = st.sampled_from([" ", "  ", "\t", "\n", "\u00a0", "\r\n"])


def choices(*texts, context="", question="What now?"):
    return {"context": context, "question": question, "choices": list(texts)}


def test_example_keeps_the_fields_of_the_task_only():
    row = {"premise": " A. ", "hypothesis": "B.", "label": "neutral", "more": 1}
    assert NLI.parse_example(row) == {"premise": "A.", "hypothesis": "B."}


@pytest.mark.parametrize("value", [None, "", "  ", "\x00"])
def test_empty_field_is_named(value):
    with pytest.raises(ValueError, match="Hypothesis is empty"):
        NLI.parse_example({"premise": "A.", "hypothesis": value})


@pytest.mark.parametrize("value", [3, ["a"], {"a": 1}, True])
def test_field_of_another_type_is_refused(value):
    with pytest.raises(ValueError, match="Text: expected text"):
        SENTIMENT.parse_example({"text": value})


def test_text_of_a_megabyte_is_refused_with_the_limit():
    with pytest.raises(ValueError, match=f"at most {MAX_FIELD_CHARS:,} characters"):
        SENTIMENT.parse_example({"text": "a" * 1_000_000})


@pytest.mark.parametrize("count", [0, 1, 6])
def test_number_of_choices_is_limited(count):
    with pytest.raises(ValueError, match=f"expected 2 to 5; found {count}"):
        COMMONSENSE.parse_example(choices(*"abcdef"[:count]))


def test_equal_choices_are_refused_whatever_their_case():
    with pytest.raises(ValueError, match="1 and 3 are the same"):
        COMMONSENSE.parse_example(choices("Ice", "fire", "ice"))


def test_choices_may_lack_context_and_question():
    assert COMMONSENSE.parse_example({"choices": ["a", "b"]}) == choices("a", "b", question="")


def test_label_is_parsed_by_name():
    assert NLI.parse_label("contradiction", {}) == 2


@pytest.mark.parametrize("value", ["Neutral", "", 1, None, True, ["neutral"]])
def test_unknown_label_lists_the_known_ones(value):
    with pytest.raises(ValueError, match="entailment, neutral, contradiction; found"):
        NLI.parse_label(value, {})


@pytest.mark.parametrize("value", [1, "1", 1.0, "fire"])
def test_choice_is_parsed_by_index_or_text(value):
    assert COMMONSENSE.parse_label(value, choices("ice", "fire")) == 1


@pytest.mark.parametrize("value", [2, -1, 0.5, "2", "smoke", True, None, float("nan"), float("inf")])
def test_choice_that_is_not_there_is_refused(value):
    with pytest.raises(ValueError, match="an index from 0 to 1 or the text of a choice"):
        COMMONSENSE.parse_label(value, choices("ice", "fire"))


@pytest.mark.parametrize("index", [0, 1])
def test_index_wins_over_a_choice_that_looks_like_one(index):
    assert COMMONSENSE.parse_label(str(COMMONSENSE.format_label(index)), choices("1", "0")) == index


def test_number_that_is_no_index_is_the_text_of_a_choice():
    assert COMMONSENSE.parse_label("7", choices("6", "7")) == 1


def test_unknown_task_lists_the_known_ones():
    with pytest.raises(ValueError, match="nli, sentiment, commonsense, labels, ner; found 'qa'"):
        get_task("qa")


def test_unknown_category_is_refused():
    with pytest.raises(ValueError, match="found 'magic'"):
        parse_category(NLI, "magic")


def test_task_is_part_of_the_hash():
    hashes = {t.content_hash(t.parse_example({"text": "a", **choices("a", "b")})) for t in (SENTIMENT, COMMONSENSE)}
    assert len(hashes) == 2


def test_text_pairs_of_choices_share_the_first_text():
    pairs = COMMONSENSE.text_pairs(choices("a", "b", context="Rain.", question="Why?"))
    assert pairs == [("Rain. Why?", "a"), ("Rain. Why?", "b")]


@given(words=WORDS, space=SPACES, form=st.sampled_from(["NFC", "NFD"]))
def test_hash_ignores_white_space_and_unicode_form(words, space, form):
    plain = SENTIMENT.parse_example({"text": "a " + " ".join(words)})
    other = SENTIMENT.parse_example({"text": space + unicodedata.normalize(form, "a" + space + space.join(words))})
    assert SENTIMENT.content_hash(plain) == SENTIMENT.content_hash(other)


@given(words=WORDS)
def test_hash_sees_another_word(words):
    text = " ".join(["a", *words])
    hashes = {SENTIMENT.content_hash(SENTIMENT.parse_example({"text": t})) for t in (text, text + " b")}
    assert len(hashes) == 2


@given(premise=ANYTHING, hypotheses=st.tuples(ANYTHING, ANYTHING), space=SPACES)
def test_relatives_share_a_split(premise, hypotheses, space):
    rows = [{"premise": "A " + premise, "hypothesis": "b" + hypotheses[0]}]
    rows.append({"premise": "a" + space + premise, "hypothesis": "c" + hypotheses[1]})
    assert len({NLI.split_of(NLI.parse_example(row)) for row in rows}) == 1


def test_about_a_fifth_is_held_out():
    splits = [SENTIMENT.split_of({"text": f"Sentence {i}."}) for i in range(1000)]
    assert 150 < splits.count("held_out") < 250


@given(premise=ANYTHING, hypothesis=ANYTHING)
def test_hostile_text_is_refused_or_survives_json_and_sqlite(premise, hypothesis):
    try:
        example = NLI.parse_example({"premise": premise, "hypothesis": hypothesis})
    except ValueError:
        return
    stored = json.dumps(example, ensure_ascii=False)
    connection = sqlite3.connect(":memory:")
    (read,) = connection.execute("SELECT ?", [stored]).fetchone()
    connection.close()
    assert json.loads(read) == example
    assert json.loads(stored.encode("utf-8")) == example


@given(texts=st.lists(ANYTHING, max_size=6))
def test_hostile_choices_are_refused_or_parse_to_themselves(texts):
    try:
        example = COMMONSENSE.parse_example({"choices": texts})
    except ValueError:
        return
    assert COMMONSENSE.parse_example(example) == example
    assert COMMONSENSE.content_hash(example) == COMMONSENSE.content_hash(dict(example))
