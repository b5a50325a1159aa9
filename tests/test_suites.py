"""Suites are data: every shipped one expands to distinct, balanced, well-formed rows; a bad file is named."""

import copy
import json
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

import data.suites
from data.suites import SuiteError, expand, load_suites, parse_suite, passes, split_suite, split_words
from data.suites.base import article, word_of
from data.tasks import CATEGORIES, TASKS
from tests.conftest import STARTED

SUITES = load_suites()
FEWEST = {"nli": 14, "sentiment": 10, "commonsense": 9, "ner": 7}


def name_of(suite):
    return f"{suite.task.name}-{suite.name}"


def texts(row):
    for example in (row["example"], row.get("second", {})):
        for value in example.values():
            yield from [value] if isinstance(value, str) else value


def content(row):
    return json.dumps([row["example"], row.get("second")], sort_keys=True)


@pytest.fixture
def raw():
    """A small suite file's content; tests break it in one place."""
    return {
        "name": "swap",
        "task": "nli",
        "category": "role swap and word order",
        "tests": "Who did it to whom.",
        "slots": {"person": ["actor", "doctor", "judge", "nurse"], "verb": [{"past": "paid", "base": "pay"}]},
        "templates": [
            {
                "id": "active",
                "fields": {
                    "premise": "{a person1} {verb.past} {a person2}. {a person1} slept.",
                    "hypothesis": "{a person2} did {verb.base} {a person1}.",
                },
                "expect": {"label": "neutral"},
            }
        ],
    }


@pytest.mark.parametrize("task", STARTED)
def test_each_task_has_many_capabilities(task):
    suites = load_suites(task)
    assert {suite.task.name for suite in suites} == {task}
    assert len(suites) >= FEWEST[task]
    assert len({suite.category for suite in suites}) >= 7


def test_the_suites_span_the_categories():
    assert {suite.category for suite in SUITES if suite.task.name != "ner"} == set(CATEGORIES)
    assert {suite.category for suite in SUITES} <= {c for task in TASKS.values() for c in task.categories}


@pytest.mark.parametrize("suite", SUITES, ids=name_of)
def test_shipped_suite_expands_to_distinct_balanced_rows(suite):
    assert len(suite.templates) >= 5
    assert len(suite.contrasts) >= 2
    for kind, count in (("templates", 100), ("contrasts", 40)):
        rows = expand(suite, count, seed=1, kind=kind)
        assert len({content(row) for row in rows}) == count
        per_template = Counter(row["template"] for row in rows)
        assert set(per_template) == {template.id for template in suite.of_kind(kind)}
        assert max(per_template.values()) - min(per_template.values()) <= 1
        for row in rows:
            assert row["suite"] == suite.name
            assert row["category"] == suite.category
            assert suite.task.parse_example(row["example"]) == row["example"]
            if row["label"] is None:
                assert "second" in row
            else:
                suite.task.check_label(row["label"], row["example"])


@pytest.mark.parametrize("suite", SUITES, ids=name_of)
def test_shipped_rows_are_well_formed(suite):
    for row in expand(suite, 60, seed=2) + expand(suite, 40, seed=2, kind="contrasts"):
        for field, value in row["example"].items():
            if field != "choices" and value:
                assert value == value.lower() if suite.small else value[0].isupper(), value
        for text in texts(row):
            assert not re.search(r"[{}\[\]]|  | [.,;?!]|\.\.", text), text
            assert suite.small or not re.search(r"[.!?] [a-z]", text), text
            for found, word in re.findall(r"\b([Aa]n?) ([A-Za-z-]+)", text):
                assert found.lower() == article(word), text


@pytest.mark.parametrize("suite", SUITES, ids=name_of)
def test_contrast_never_contradicts_a_template(suite):
    """The same example never has two right answers, over templates and contrasts."""
    known = {}
    for row in expand(suite, 100, seed=0) + expand(suite, 40, seed=0, kind="contrasts"):
        if row["label"] is None:
            continue
        example = {k: sorted(v) if isinstance(v, list) else v for k, v in row["example"].items()}
        answer = suite.task.label_text(row["label"], row["example"])
        assert known.setdefault(json.dumps(example, sort_keys=True), answer) == answer


@pytest.mark.parametrize("suite", SUITES, ids=name_of)
def test_slot_lists_are_long_enough(suite):
    for name, entries in suite.slots.items():
        people = name in ("name", "person", "man", "woman")
        assert len(entries) >= (30 if people else 12), name


@pytest.mark.parametrize("suite", SUITES, ids=name_of)
def test_corrections_and_unseen_rows_share_neither_words_nor_templates(suite):
    first, second = split_suite(suite, seed=3)
    for name in suite.slots:
        halves = [{word_of(entry) for entry in half.slots[name]} for half in (first, second)]
        assert halves[0].isdisjoint(halves[1])
        assert halves[0] | halves[1] == {word_of(entry) for entry in suite.slots[name]}
    for kind in ("templates", "contrasts"):
        ids = [{template.id for template in half.of_kind(kind)} for half in (first, second)]
        assert ids[0].isdisjoint(ids[1])
        assert all(ids)
    for half in (first, second):
        assert len(expand(half, 60, seed=3)) == 60
        assert len(expand(half, 40, seed=3, kind="contrasts")) == 40


def test_word_of_two_lists_falls_on_one_side(raw):
    raw["slots"]["witness"] = ["judge", "nurse", "pilot", "actor"]
    raw["slots"]["verb"].append({"past": "met", "base": "meet"})
    first, second = split_words(parse_suite(raw, "swap.json"), seed=0)
    words = [{word for entries in half.slots.values() for word in map(word_of, entries)} for half in (first, second)]
    assert words[0].isdisjoint(words[1])


def test_list_too_short_to_be_halved_is_named(raw):
    with pytest.raises(ValueError, match=r"Suite 'swap': .*halved.*slot 'verb'"):
        split_words(parse_suite(raw, "swap.json"), seed=0)


def test_single_template_cannot_be_split():
    suite = next(s for s in SUITES if s.name == "role_swap")
    with pytest.raises(ValueError, match="'role_swap': expected two or more templates to split; found 1"):
        split_suite(replace(suite, templates=suite.templates[:1]), seed=0)


def test_expansion_is_deterministic_and_follows_its_seed():
    suite = SUITES[0]
    assert expand(suite, 30, seed=5) == expand(suite, 30, seed=5)
    assert expand(suite, 30, seed=5) != expand(suite, 30, seed=6)
    assert expand(suite, 60, seed=5)[:30] == expand(suite, 30, seed=5)


def test_numbered_slots_take_different_words_and_one_number_one_word(raw):
    for row in expand(parse_suite(raw, "swap.json"), 12, seed=0):
        found = re.fullmatch(r"An? (\w+) paid an? (\w+)\. An? (\w+) slept\.", row["example"]["premise"])
        assert found[1] == found[3] != found[2]
        assert re.fullmatch(rf"An? {found[2]} did pay an? {found[1]}\.", row["example"]["hypothesis"])


def test_too_few_words_for_the_rows_asked_for(raw):
    with pytest.raises(ValueError, match=r"Suite 'swap': expected 13 different rows.*only about 12"):
        expand(parse_suite(raw, "swap.json"), 13, seed=0)


def test_only_the_templates_asked_for():
    suite = next(s for s in SUITES if s.name == "role_swap")
    rows = expand(suite, 20, seed=0, template_ids=["cleft", "names"])
    assert Counter(row["template"] for row in rows) == {"cleft": 10, "names": 10}
    with pytest.raises(ValueError, match=r"'role_swap' has among its templates .*; found 'clef'"):
        expand(suite, 20, seed=0, template_ids=["clef"])


@pytest.mark.parametrize("suite", load_suites("commonsense"), ids=name_of)
def test_right_choice_stands_in_every_place(suite):
    rows = expand(suite, 100, seed=0)
    for size in {len(row["example"]["choices"]) for row in rows}:
        places = Counter(row["label"] for row in rows if len(row["example"]["choices"]) == size)
        assert set(places) == set(range(size))


def test_shuffled_choices_keep_their_right_answer(raw):
    raw |= {"task": "commonsense", "slots": {"name": ["Anna", "Tom", "Omar", "Zoe"]}}
    raw["templates"][0]["fields"] = {"context": "{name1} saw {name2}.", "choices": ["{name1}", "{name2}"]}
    raw["templates"][0]["expect"] = {"label": 1}
    for row in expand(parse_suite(raw, "swap.json"), 12, seed=0):
        seen = row["example"]["context"].split()[-1].rstrip(".")
        assert row["example"]["choices"][row["label"]] == seen


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("actor", "an"),
        ("nurse", "a"),
        ("uniform", "a"),
        ("uninvited guest", "an"),
        ("umbrella", "an"),
        ("hour", "an"),
        ("hotel", "a"),
        ("one-way ticket", "a"),
        ("useful tool", "a"),
        ("European", "a"),
    ],
)
def test_article_follows_the_sound(word, expected):
    assert article(word) == expected


def test_expectations_are_judged():
    row = {"template": "t", "label": 1}
    assert passes(row, [0.2, 0.7, 0.1])
    assert not passes(row, [0.5, 0.4, 0.1])
    same = {"template": "t", "label": None, "second": {}}
    assert passes(same, [0.6, 0.4], [0.9, 0.1])
    assert not passes(same, [0.6, 0.4], [0.4, 0.6])
    up = same | {"direction": (1, "up")}
    assert passes(up, [0.6, 0.4], [0.5, 0.5])
    assert passes(up, [0.001, 0.999], [0.002, 0.998])
    assert not passes(up, [0.6, 0.4], [0.7, 0.3])
    assert not passes(same | {"direction": (1, "down")}, [0.6, 0.4], [0.5, 0.5])
    with pytest.raises(ValueError, match="second example"):
        passes(up, [0.6, 0.4])


def test_invariance_and_direction_rows_carry_their_second_example(raw):
    template = raw["templates"][0]
    other = {"premise": "{a person3} slept.", "hypothesis": "{a person1} slept."}
    template["expect"] = {"same": other}
    row = expand(parse_suite(raw, "swap.json"), 1, seed=0)[0]
    assert row["label"] is None
    assert row["second"]["premise"].endswith(" slept.")
    assert row["second"]["hypothesis"] in row["example"]["premise"]
    template["expect"] = {"direction": {"fields": other, "label": "contradiction", "change": "down"}}
    assert expand(parse_suite(raw, "swap.json"), 1, seed=0)[0]["direction"] == (2, "down")


BROKEN = [
    (("category",), "moods", "Expected as category one of negation"),
    (("task",), "qa", "Expected as task one of nli"),
    (("tests",), "", "expected 'tests' as a text"),
    (("tests",), None, "'tests' is missing"),
    (("speed",), 3, "'speed' is unknown"),
    (("templates",), [], "expected 'templates' as a list"),
    (("slots", "person"), "@nobody", "slot 'person': expected a list of words or one of @people"),
    (("slots", "person"), [], "slot 'person': expected a list of words"),
    (("slots", "person"), ["judge", "judge"], "slot 'person': expected each word once; 'judge'"),
    (("slots", "person"), ["judge"], "template 'active': expected more words in slot 'person'"),
    (("slots", "verb"), [{"past": "paid", "base": "pay"}, {"past": "met"}], "slot 'verb': .* the forms past, base"),
    (("slots", "verb2"), ["ran"], "slot name small letters"),
    (("templates", 0, "id"), None, "'id' is missing"),
    (("templates", 0, "fields", "hypothesis"), None, "template 'active', fields: 'hypothesis' is missing"),
    (("templates", 0, "fields", "text"), "x", "template 'active', fields: 'text' is unknown"),
    (("templates", 0, "fields", "premise"), ["x"], "template 'active': expected field 'premise' as a text"),
    (("templates", 0, "fields", "premise"), "", "template 'active': Premise is empty"),
    (
        ("templates", 0, "fields", "premise"),
        "The {actor} ran.",
        r"template 'active': unknown slot \{actor\}; .*person",
    ),
    (
        ("templates", 0, "fields", "premise"),
        "He {verb}.",
        r"template 'active': unknown form \{verb\}; .*\{verb.past\}",
    ),
    (("templates", 0, "fields", "premise"), "The {person1 ran.", "template 'active': .*brace"),
    (("templates", 0, "fields", "premise"), "{person.__class__} ran.", r"template 'active': unknown form"),
    (("templates", 0, "fields", "premise"), "{person1!r} ran.", "template 'active': .*brace"),
    (("templates", 0, "fields", "premise"), "A {person1} ran.", r"template 'active': expected '\{a slot\}'"),
    (("templates", 0, "expect", "label"), "maybe", "template 'active': expected as label one of entailment"),
    (("templates", 0, "expect", "label"), 1, "template 'active': expected as label one of entailment"),
    (("templates", 0, "expect"), {}, "template 'active': expected in 'expect' one of label, same, direction"),
    (("templates", 0, "expect"), {"same": {"premise": "x"}}, "'hypothesis' is missing"),
    (("templates", 0, "expect"), {"direction": {"label": "neutral"}}, "direction: 'fields' is missing"),
]


@pytest.mark.parametrize(("path", "value", "message"), BROKEN)
def test_broken_file_is_named_with_what_is_wrong(raw, path, value, message):
    broken = copy.deepcopy(raw)
    target = broken
    for key in path[:-1]:
        target = target[key]
    if value is None:
        del target[path[-1]]
    else:
        target[path[-1]] = value
    with pytest.raises(SuiteError, match=f"^swap.json: .*{message}"):
        parse_suite(broken, "swap.json")


def test_same_id_twice_is_refused(raw):
    raw["contrasts"] = raw["templates"]
    with pytest.raises(SuiteError, match="template id 'active' is there twice"):
        parse_suite(raw, "swap.json")


def test_own_folder_with_own_words(raw, tmp_path):
    (tmp_path / "nli").mkdir()
    (tmp_path / "words.json").write_text('{"crew": ["pilot", "cook", "sailor"]}', encoding="utf-8")
    raw["slots"]["person"] = "@crew"
    path = tmp_path / "nli" / "swap.json"
    path.write_text(json.dumps(raw), encoding="utf-8")
    (suite,) = load_suites(folder=tmp_path)
    assert "sailor" in suite.slots["person"]
    path.rename(path.with_name("other.json"))
    with pytest.raises(SuiteError, match=r"other\.json: expected task 'nli' and name 'other'"):
        load_suites(folder=tmp_path)
    path.with_name("other.json").write_text("{", encoding="utf-8")
    with pytest.raises(SuiteError, match=r"other\.json: expected a JSON file"):
        load_suites("nli", tmp_path)


def test_unknown_task_is_refused():
    with pytest.raises(ValueError, match="Expected as task one of nli"):
        load_suites("qa")


def test_suites_are_data_not_code():
    folder = Path(data.suites.__file__).parent
    assert {path.suffix for task in STARTED for path in (folder / task).iterdir()} == {".json"}
    for path in folder.glob("*.py"):
        code = path.read_text(encoding="utf-8").replace("re.compile(", "")
        assert not re.search(r"\b(eval|exec|compile|__import__|import_module)\(|\.format\(", code), path
