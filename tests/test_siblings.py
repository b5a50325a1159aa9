"""Siblings keep the label and what carries it; contrasts have the label that their rule promises."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from data.lexicon import closed, entries, function_words, inflect, members, number_words
from data.lexicon.forms import article
from data.seed import seed_rows
from data.tasks import TASKS, Example, Task, get_task
from models.siblings import REORDERED, Variant, contrasts, siblings
from models.wording import Wording, stems, word_set

NLI, SENTIMENT, COMMONSENSE = (get_task(name) for name in ("nli", "sentiment", "commonsense"))
ENTAILMENT, NEUTRAL, CONTRADICTION = range(3)
NEGATIVE, UNDECIDED, POSITIVE = range(3)
PIECES = sorted(word_set("the a an actor actors' Anna's doctor not didn't or was paid 3 12 — . , ? '"))
FEW = hypothesis_settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def nli(premise: str, hypothesis: str) -> Example:
    return NLI.parse_example({"premise": premise, "hypothesis": hypothesis})


def sentiment(text: str) -> Example:
    return SENTIMENT.parse_example({"text": text})


def commonsense(context: str, question: str, *choices: str) -> Example:
    return COMMONSENSE.parse_example({"context": context, "question": question, "choices": list(choices)})


def texts_of(example: Example) -> list[str]:
    return [text for value in example.values() for text in ([value] if isinstance(value, str) else value)]


def words_of(example: Example) -> list[str]:
    return [low for text in texts_of(example) for low in Wording.of(text).low]


def key(example: Example) -> str:
    return json.dumps(example, sort_keys=True)


def rules(variants: list[Variant]) -> set[str]:
    return {variant.rule for variant in variants}


def pairs(variants: list[Variant], rule: str) -> set[tuple[str, str, int]]:
    return {(v.example["premise"], v.example["hypothesis"], v.label) for v in variants if v.rule == rule}


@st.composite
def plain_pairs(draw: st.DrawFn) -> tuple[Task, Example, int]:
    """ "The actor paid the old doctor." and its role swap, with or without names, determiners and negation."""
    verb = draw(st.sampled_from(members("affect")))
    past = inflect("affect", verb, "past")
    nouns = draw(st.lists(st.sampled_from(members("person")), min_size=2, max_size=2, unique=True))
    names = draw(st.lists(st.sampled_from(members("female")), min_size=2, max_size=2, unique=True))
    age = draw(st.sampled_from(("", "old ", "famous ")))
    told = draw(st.sampled_from(("", "It is not true that ", "Perhaps ", "If it rains, ")))
    determiner = draw(st.sampled_from(("the", "a", "every", "no")))
    first, second = draw(
        st.sampled_from((tuple(names), tuple(f"{_article(determiner, age, n)}{age}{n}" for n in nouns)))
    )
    premise, hypothesis = (f"{told}{x} {past} {y}." for x, y in ((first, second), (second, first)))
    return NLI, nli(premise[0].upper() + premise[1:], hypothesis[0].upper() + hypothesis[1:]), NEUTRAL


def _article(determiner: str, age: str, noun: str) -> str:
    return (article(age or noun) if determiner == "a" else determiner) + " "


@st.composite
def plain_opinions(draw: st.DrawFn) -> tuple[Task, Example, int]:
    noun = draw(st.sampled_from([*members("film"), *members("eatery"), *members("person")]))
    label, sign = draw(st.sampled_from(((POSITIVE, "positive"), (NEGATIVE, "negative"))))
    adjective = draw(st.sampled_from(members(f"{sign}-{draw(st.sampled_from(('strong', 'mild')))}")))
    template = draw(st.sampled_from(("The {n} was {a}.", "This is {x} {a} {n}.", "I think the {n} is very {a}!")))
    text = template.format(n=noun, a=adjective, x=article(adjective))
    return SENTIMENT, sentiment(text), label


@st.composite
def seeds(draw: st.DrawFn) -> tuple[Task, Example, int]:
    task = draw(st.sampled_from((NLI, SENTIMENT, COMMONSENSE)))  # what the rules are written for
    row = draw(st.sampled_from([row for kind in ("gallery", "validation") for row in seed_rows(task, kind)]))
    return task, row["example"], row["label"]


@st.composite
def any_text(draw: st.DrawFn) -> tuple[Task, Example, int]:
    text = st.text(max_size=60) | st.lists(st.sampled_from(PIECES), max_size=12).map(" ".join)
    task = draw(st.sampled_from((NLI, SENTIMENT, COMMONSENSE)))  # what the rules are written for
    row = {field.name: draw(text) for field in task.fields if field.kind == "text"}
    if task is COMMONSENSE:
        row["choices"] = draw(st.lists(text, min_size=2, max_size=4))
    try:
        example = task.parse_example(row)
    except ValueError:
        example = {"premise": "x", "hypothesis": "y"} if task is NLI else {"text": "x"}
        if task is COMMONSENSE:
            example = commonsense("", "", "x", "y")
    labels = task.label_names(example)
    return task, example, draw(st.integers(0, len(labels) - 1))


cases = plain_pairs() | plain_opinions() | seeds() | any_text()


@FEW
@given(cases, st.integers(0, 9))
def test_variants_are_deterministic_distinct_and_parse(case: tuple[Task, Example, int], seed: int) -> None:
    task, example, label = case
    for make, relation in ((siblings, "sibling"), (contrasts, "contrast")):
        found = make(task, example, label, count=6, seed=seed)
        assert found == make(task, example, label, count=6, seed=seed)
        assert len(found) <= 6
        assert len({key(v.example) for v in found} | {key(example)}) == len(found) + 1
        for variant in found:
            assert variant.relation == relation
            assert variant.rule
            assert task.parse_example(variant.example) == variant.example
            assert 0 <= variant.label < len(task.label_names(variant.example))


@FEW
@given(cases)
def test_sibling_keeps_label_protected_words_and_shape(case: tuple[Task, Example, int]) -> None:
    task, example, label = case
    for sibling in siblings(task, example, label, count=6):
        if task is not COMMONSENSE:
            assert sibling.label == label
        protected = function_words() - {"a", "an", "like"}  # "like" is also a verb, and "love" may stand in for it
        kept = [Counter(low for low in words_of(e) if low in protected) for e in (example, sibling.example)]
        assert kept[0] == kept[1]
        assert len(words_of(example)) == len(words_of(sibling.example))


@FEW
@given(cases)
def test_substitution_is_consistent_and_never_merges_words(case: tuple[Task, Example, int]) -> None:
    task, example, label = case
    for sibling in siblings(task, example, label, count=6):
        if task is COMMONSENSE and sorted(sibling.example["choices"]) == sorted(example["choices"]):
            continue
        there: dict[str, set[str]] = {}
        back: dict[str, set[str]] = {}
        for old, new in zip(words_of(example), words_of(sibling.example), strict=True):
            if old not in ("a", "an"):
                there.setdefault(old, set()).add(new)
                back.setdefault(new, set()).add(old)
        assert all(len(words) == 1 for words in (*there.values(), *back.values()))
        new_words = {new for old, (new,) in ((o, tuple(n)) for o, n in there.items()) if old != new}
        assert not new_words & set(words_of(example))


@FEW
@given(plain_pairs() | plain_opinions())
def test_article_is_right_before_every_word(case: tuple[Task, Example, int]) -> None:
    task, example, label = case
    for variant in siblings(task, example, label, count=6) + contrasts(task, example, label, count=6):
        for text in texts_of(variant.example):
            for found, following in re.findall(r"\b([Aa]n?) (\w[\w-]*)", text):
                assert found.lower() == article(following), text


@FEW
@given(plain_pairs())
def test_plain_pair_has_many_siblings_and_an_identity_contrast(case: tuple[Task, Example, int]) -> None:
    task, example, label = case
    assert len(siblings(task, example, label, count=20)) == 20
    found = contrasts(task, example, label, count=20)
    identities = [v for v in found if v.example["premise"] == v.example["hypothesis"]]
    assert identities
    assert all(v.label == ENTAILMENT for v in identities)


@FEW
@given(plain_opinions())
def test_polarity_word_changes_only_within_its_class(case: tuple[Task, Example, int]) -> None:
    task, example, label = case

    def classes(e: Example) -> list[str]:
        found = (entry for text in texts_of(e) for word in Wording.of(text).words for entry in entries(word))
        return [e.word_class for e in found if e.word_class.startswith(("positive-", "negative-"))]

    for sibling in siblings(task, example, label, count=6):
        assert classes(sibling.example) == classes(example)


@FEW
@given(plain_opinions())
def test_plain_statements_have_all_three_labels(case: tuple[Task, Example, int]) -> None:
    task, example, label = case
    found = [v for v in contrasts(task, example, label, count=20) if v.rule == "plain statement"]
    assert {v.label for v in found} == {NEGATIVE, UNDECIDED, POSITIVE}
    for variant in found:
        signs = {
            entry.word_class.split("-")[0]
            for word in Wording.of(variant.example["text"]).words
            for entry in entries(word)
        }
        assert ("positive" in signs, "negative" in signs) == (variant.label == POSITIVE, variant.label == NEGATIVE)


def test_role_swap_gets_words_exchanged_in_both_sentences() -> None:
    example = nli("The actor paid the doctor.", "The doctor paid the actor.")
    found = siblings(NLI, example, NEUTRAL, count=20)
    assert len(found) == 20
    for sibling in found:
        first, second = (Wording.of(sibling.example[name]).low for name in ("premise", "hypothesis"))
        assert sorted(first) == sorted(second)
        assert (first[1], first[4]) == (second[4], second[1])


def test_inflected_relatives_move_together() -> None:
    example = nli("The actors' friend thanked every actor.", "An actor is thanking the actors.")
    for sibling in siblings(NLI, example, NEUTRAL, count=10):
        first, second = (Wording.of(sibling.example[name]).words for name in ("premise", "hypothesis"))
        assert stems(first[1]) & stems(first[5]) & stems(second[1]) & stems(second[5])
        assert stems(first[3]) & stems(second[3])


@pytest.mark.parametrize(
    ("premise", "hypothesis", "untouched"),
    [
        ("A brown dog leaps over a log.", "An animal is jumping.", "dog"),  # the relation dog/animal decides
        ("The ice cream lay in the sun.", "The ice cream was still frozen.", "ice cream"),
        ("The baker left the bakery.", "The bakery was left.", "baker"),  # derived from it
        ("The school bus was late.", "The school bus was on time.", "school bus"),  # a compound
        ("King Henry slept.", "King Henry waited.", "Henry"),
        ("Marie Curie slept.", "Marie Curie waited.", "Marie"),  # a person whom the world knows
        ("They watched the film.", "They watched the movie.", "film"),
    ],
)
def test_word_that_carries_the_label_stays(premise: str, hypothesis: str, untouched: str) -> None:
    for sibling in siblings(NLI, nli(premise, hypothesis), CONTRADICTION, count=10):
        assert untouched in sibling.example["premise"]


@pytest.mark.parametrize(
    ("premise", "hypothesis"),
    [
        ("The actor paid for the meal.", "The actor paid for a meal."),
        ("The actor called off the trip.", "The actor called off a trip."),
        ("The actor paid the bill.", "The actor paid a bill."),
        ("The doctor helped the actor to leave.", "The doctor helped the actor to leave early."),
        ("The actor believed the doctor slept.", "The actor believed the doctor."),
    ],
)
def test_verb_in_another_frame_stays(premise: str, hypothesis: str) -> None:
    verb = Wording.of(premise).words[2]
    for sibling in siblings(NLI, nli(premise, hypothesis), NEUTRAL, count=10):
        assert Wording.of(sibling.example["premise"]).words[2] == verb


def test_factive_verb_stays_factive() -> None:
    example = nli("The student knew that the senator slept.", "The senator slept.")
    for sibling in siblings(NLI, example, ENTAILMENT, count=20):
        entry_classes = {e.word_class for e in entries(Wording.of(sibling.example["premise"]).words[2])}
        assert "know" in entry_classes


def test_name_keeps_its_gender() -> None:
    example = nli("Anna told Tom that she had won.", "Tom had won.")
    for sibling in siblings(NLI, example, CONTRADICTION, count=20):
        first, second = Wording.of(sibling.example["premise"]).words[::2][:2]
        assert {e.word_class for e in entries(first)} == {"female"}
        assert {e.word_class for e in entries(second)} == {"male"}


def test_gendered_nouns_stay_where_a_pronoun_tells_them_apart() -> None:
    example = nli("The boy told the queen that she was late.", "The queen was late.")
    for sibling in siblings(NLI, example, ENTAILMENT, count=10):
        assert {"boy", "queen"} <= set(words_of(sibling.example))


@pytest.mark.parametrize(
    ("premise", "hypothesis", "relation"),
    [
        ("Five boats sank.", "Three boats sank.", lambda a, b: a > b),
        ("At least 7 boats sank.", "Exactly 9 boats sank.", lambda a, b: a < b),
        ("Six boats sank.", "Six boats sank at night.", lambda a, b: a == b),
    ],
)
def test_numbers_keep_their_order(premise: str, hypothesis: str, relation: Callable[[int, int], bool]) -> None:
    def number(text: str) -> int:
        values = (number_words().get(low, int(low) if low.isdecimal() else None) for low in Wording.of(text).low)
        return next(value for value in values if value is not None)

    found = [v for v in siblings(NLI, nli(premise, hypothesis), NEUTRAL, count=20) if "numbers" in v.rule]
    assert found
    assert all(relation(number(v.example["premise"]), number(v.example["hypothesis"])) for v in found)


@pytest.mark.parametrize(
    ("premise", "hypothesis"),
    [
        ("Ann had five pens and gave away three.", "Ann has two pens left."),
        ("Half of the 12 pens are red.", "6 of the pens are red."),
        ("The tunnel opened in 1987.", "The tunnel opened before 1990."),
        ("Ann has three pens and Bo has three pens.", "They have six pens."),
    ],
)
def test_numbers_that_are_reckoned_with_stay(premise: str, hypothesis: str) -> None:
    assert not [v for v in siblings(NLI, nli(premise, hypothesis), ENTAILMENT, count=20) if "numbers" in v.rule]


def test_two_days_stay() -> None:
    example = nli("It rained on Monday and snowed on Friday.", "It snowed on Friday.")
    assert siblings(NLI, example, ENTAILMENT, count=5) == []


def test_capitals_are_kept() -> None:
    found = siblings(SENTIMENT, sentiment("AN AWFUL FILM"), NEGATIVE, count=10)
    assert found
    assert all(v.example["text"].isupper() for v in found)
    assert all(v.example["text"].startswith(("A ", "AN ")) for v in found)


@pytest.mark.parametrize(
    "text",
    ["It was a piece of cake.", "A great deal was lost.", "We had a good time.", "It is as good as gold.", "😀 ok"],
)
def test_set_phrase_has_no_sibling(text: str) -> None:
    assert siblings(SENTIMENT, sentiment(text), POSITIVE, count=5) == []


def test_choice_label_follows_its_choice() -> None:
    example = commonsense("Ann owes Tom money.", "Who gets it?", "Ann", "Tom", "nobody")
    for sibling in siblings(COMMONSENSE, example, 1, count=20):
        right = sibling.example["choices"][sibling.label]
        assert right == Wording.of(sibling.example["context"]).words[2]


def test_choices_come_in_every_other_order() -> None:
    example = commonsense("", "What is hot?", "ice", "fire", "snow")
    found = siblings(COMMONSENSE, example, 1, count=20)
    assert len(found) == 5
    assert rules(found) == {REORDERED}
    assert all(v.example["choices"][v.label] == "fire" for v in found)


def test_choice_that_speaks_of_the_others_keeps_its_place() -> None:
    assert siblings(COMMONSENSE, commonsense("", "What?", "ice", "fire", "all of the above"), 2, count=5) == []


@pytest.mark.parametrize("word", ["dog", "apple", "hammer"])
def test_commonsense_leaves_what_carries_knowledge(word: str) -> None:
    example = commonsense(f"Anna saw the {word}.", f"What can a {word} do?", "bark", "fall")
    for sibling in siblings(COMMONSENSE, example, 0, count=10):
        assert word in sibling.example["context"]


CONTRASTS = [
    ("The doctor was paid by the actor.", "The doctor paid the actor.", NEUTRAL, "roles put back",
     "The doctor was paid by the actor.", "The actor paid the doctor.", ENTAILMENT),
    ("The actor paid the doctor at noon.", "The doctor paid the actor at noon.", NEUTRAL, "who did it",
     "The actor paid the doctor at noon.", "The actor paid the doctor.", ENTAILMENT),
    ("The actor paid the doctor.", "The doctor paid the actor.", NEUTRAL, "who did it, in the passive",
     "The actor paid the doctor.", "The doctor was paid by the actor.", ENTAILMENT),
    ("The actor paid the doctor.", "The doctor paid the actor.", NEUTRAL,
     "who did it, in the passive, roles swapped",
     "The actor paid the doctor.", "The actor was paid by the doctor.", NEUTRAL),
    ("The judge near the actor slept.", "The actor slept.", NEUTRAL, "subject's modifier dropped",
     "The judge near the actor slept.", "The judge slept.", ENTAILMENT),
    ("The lawyer who helped the judge slept.", "The judge slept.", NEUTRAL, "subject's modifier dropped",
     "The lawyer who helped the judge slept.", "The lawyer slept.", ENTAILMENT),
    ("The actor and the lawyer paid the doctor.", "The doctor slept.", NEUTRAL, "one of two dropped",
     "The actor and the lawyer paid the doctor.", "The lawyer paid the doctor.", ENTAILMENT),
    ("The actor and the lawyer were tired.", "The doctor slept.", NEUTRAL, "one of two dropped",
     "The actor and the lawyer were tired.", "The actor was tired.", ENTAILMENT),
    ("The judge saw an old lawyer.", "The judge slept.", NEUTRAL, "modifier dropped",
     "The judge saw an old lawyer.", "The judge saw a lawyer.", ENTAILMENT),
    ("The judge saw an old lawyer.", "The judge slept.", NEUTRAL, "modifier added",
     "The judge saw a lawyer.", "The judge saw an old lawyer.", NEUTRAL),
    ("The actor was supposed to pay the judge.", "The actor paid the judge.", NEUTRAL, "done for meant",
     "The actor managed to pay the judge.", "The actor paid the judge.", ENTAILMENT),
    ("It is possible that the judge slept.", "The judge slept.", NEUTRAL, "true for open",
     "It turned out that the judge slept.", "The judge slept.", ENTAILMENT),
    ("The actor said that the judge slept.", "The judge slept.", NEUTRAL, "known for claimed",
     "The actor knew that the judge slept.", "The judge slept.", ENTAILMENT),
    ("The actor knew that the judge slept.", "The judge slept.", ENTAILMENT, "claimed for known",
     "The actor claimed that the judge slept.", "The judge slept.", NEUTRAL),
    ("If the actor slept, the judge ran.", "The judge ran.", NEUTRAL, "because for if",
     "Because the actor slept, the judge ran.", "The judge ran.", ENTAILMENT),
    ("Either the actor or the judge slept.", "The judge slept.", NEUTRAL, "and for or",
     "Both the actor and the judge slept.", "The judge slept.", ENTAILMENT),
]  # fmt: skip


@pytest.mark.parametrize(
    ("premise", "hypothesis", "label", "rule", "first", "second", "expected"),
    CONTRASTS,
    ids=[c[3] for c in CONTRASTS],
)
def test_contrast_of_inference(premise, hypothesis, label, rule, first, second, expected) -> None:
    found = contrasts(NLI, nli(premise, hypothesis), label, count=30)
    assert (first, second, expected) in pairs(found, rule)


def test_clause_is_denied() -> None:
    found = []
    for seed in range(6):
        found += contrasts(NLI, nli("The actor paid the doctor.", "The doctor slept."), NEUTRAL, count=8, seed=seed)
    sure = ("The actor paid the doctor.", "The actor did not pay the doctor.", CONTRADICTION)
    assert sure in pairs(found, "negated")
    assert (sure[1], sure[0], CONTRADICTION) in pairs(found, "negation dropped")


@pytest.mark.parametrize(
    "premise",
    [
        "No actor paid the old doctor.",
        "The actor never paid the old doctor.",
        "Every old actor paid the doctor.",
        "If the old actor paid the doctor, it rained.",
        "The old actor may have paid the doctor.",
        "The actor said that the old doctor slept.",
        "The old actor and the doctor met.",
        "The actor or the old doctor slept.",
    ],
)
def test_nothing_is_dropped_or_denied_where_it_might_not_follow(premise: str) -> None:
    found = contrasts(NLI, nli(premise, "It rained."), NEUTRAL, count=30)
    own = [
        v for v in found if v.example["premise"] == premise and v.example["hypothesis"] not in (premise, "It rained.")
    ]
    own = [v for v in own if v.rule not in ("somebody for a person", "what was said")]  # they follow all the same
    assert {v.rule for v in own} <= {"modifier dropped"} if "met" in premise else not own


REVERSALS = [
    ("The film was wonderful.", POSITIVE, "cue reversed", NEGATIVE, r"The film was \S+\."),
    ("I hated the soup.", NEGATIVE, "cue reversed", POSITIVE, r"I \w+ the soup\."),
    ("The film was not good.", NEGATIVE, "negation dropped", POSITIVE, r"The film was good\."),
    ("The film wasn't bad.", POSITIVE, "negation dropped", NEGATIVE, r"The film was bad\."),
    ("I didn't like the soup.", NEGATIVE, "negation dropped", POSITIVE, r"I liked the soup\."),
    ("She doesn't enjoy the soup.", NEGATIVE, "negation dropped", POSITIVE, r"She enjoys the soup\."),
    ("I don't think the film is good.", NEGATIVE, "negation dropped", POSITIVE, r"I think the film is good\."),
    ("I can't say the film is bad.", UNDECIDED, "negation dropped", NEGATIVE, r"I can say the film is bad\."),
    ("I thought it would be bad, but it was not.", POSITIVE, "negation dropped", NEGATIVE,
     r"I thought it would be bad, and it was\."),
    ("The film was not good.", NEGATIVE, "cue reversed under negation", POSITIVE, r"The film was not \S+\."),
]  # fmt: skip


@pytest.mark.parametrize(("text", "label", "rule", "expected", "pattern"), REVERSALS)
def test_contrast_of_sentiment(text: str, label: int, rule: str, expected: int, pattern: str) -> None:
    found = [v for v in contrasts(SENTIMENT, sentiment(text), label, count=30) if v.rule == rule]
    assert any(re.fullmatch(pattern, v.example["text"]) and v.label == expected for v in found)


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("The film was good but too long.", NEGATIVE),
        ("This could have been a wonderful film.", NEGATIVE),
        ("Brilliant, another update.", NEGATIVE),
        ("The film was good and the soup was awful.", UNDECIDED),
        ("There is nothing I didn't like about the film.", POSITIVE),
        ("You can't go wrong with this film.", POSITIVE),
        ("The film was never boring.", POSITIVE),
        ("It was not until the end that the film was good.", POSITIVE),
    ],
)
def test_mixed_or_ironic_text_is_not_reversed(text: str, label: int) -> None:
    assert rules(contrasts(SENTIMENT, sentiment(text), label, count=30)) <= {"plain statement"}


def test_exchanged_names_make_the_other_choice_right() -> None:
    example = commonsense("Ines asked Vera to read because she was tired.", "Who was tired?", "Ines", "Vera")
    found = contrasts(COMMONSENSE, example, 0, count=5)
    assert (found[0].example["context"], found[0].label) == ("Vera asked Ines to read because she was tired.", 1)
    assert found[0].example["choices"] == ["Ines", "Vera"]


def test_names_of_two_genders_are_exchanged_only_without_pronouns() -> None:
    plain = commonsense("Ada is faster than Ben.", "Who is slower?", "Ada", "Ben")
    told = commonsense("Ada asked Ben because she was tired.", "Who was tired?", "Ada", "Ben")
    assert "roles exchanged" in rules(contrasts(COMMONSENSE, plain, 1, count=5))
    assert "roles exchanged" not in rules(contrasts(COMMONSENSE, told, 0, count=5))


def test_question_loses_its_not() -> None:
    example = commonsense("", "Which of these would NOT be hot?", "ice", "fire")
    found = contrasts(COMMONSENSE, example, 0, count=5)
    assert [(v.example["question"], v.label) for v in found] == [("Which of these would be hot?", 1)]


def test_odd_one_out_keeps_all_its_choices() -> None:
    example = commonsense("", "Which does not belong with the others?", "a hammer", "a saw", "a spoon")
    assert contrasts(COMMONSENSE, example, 2, count=5) == []


@pytest.mark.parametrize("task", TASKS.values(), ids=list(TASKS))
def test_nothing_asked_for_is_nothing_given(task: Task) -> None:
    row = seed_rows(task, "gallery")[0]
    assert siblings(task, row["example"], row["label"], count=0) == []
    assert contrasts(task, row["example"], row["label"], count=0) == []


def test_very_long_text_has_no_variants() -> None:
    text = "The film was good. " * 1_000
    assert siblings(SENTIMENT, sentiment(text), POSITIVE, count=5) == []
    assert contrasts(SENTIMENT, sentiment(text), POSITIVE, count=5) == []


def test_seed_changes_the_words() -> None:
    example = nli("The actor paid the doctor.", "The doctor paid the actor.")
    assert siblings(NLI, example, NEUTRAL, count=5, seed=0) != siblings(NLI, example, NEUTRAL, count=5, seed=1)


def test_negators_are_never_drawn() -> None:
    replaceable = {w for w in closed()["negation"] if any(e.word_class != "other" for e in entries(w))}
    assert not replaceable


@given(st.text(max_size=200))
def test_wording_gives_the_text_back(text: str) -> None:
    assert str(Wording.of(text)) == text
