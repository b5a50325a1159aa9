"""Own-written minimal pairs, and which of them go with a person's corrections."""

import json
import random
import re
from collections import Counter
from itertools import islice

import pytest

from data.examples import Selection
from data.lessons import FOLDER, load_lessons, read_lessons
from data.suites.base import SLOT, SuiteError
from data.suites.load import load_suites
from data.tasks import TASKS
from models.lessons import MOST_LESSONS, fitting_lessons, lesson_pairs
from models.recipe import Recipe
from models.repair import count_rows, training_rows
from tests.conftest import nli

TAUGHT = [TASKS[name] for name in ("nli", "sentiment", "commonsense")]
NLI = TASKS["nli"]
BEFORE = nli("Before the guard left, the cook sang.", "The guard left before the cook sang.")


def correction(example, label, category="other"):
    return {"example": example, "label": label, "category": category, "kind": "correction"}


def plain(template):
    """A template's texts without their slots' names."""
    texts = [SLOT.sub("_", text) for text in template.texts]
    return tuple(re.sub(r"\W+", " ", text).strip().lower() for text in texts)


@pytest.mark.parametrize("task", TAUGHT, ids=lambda task: task.name)
def test_a_pair_has_the_same_words_and_different_labels(task):
    lessons = load_lessons(task)
    assert len({lesson.category for lesson in lessons}) >= 8
    rng = random.Random(0)
    for lesson in lessons:
        pairs = list(islice(lesson.pairs(rng), 3))
        assert len(pairs) == 3, f"{lesson.suite.name}: fewer than three pairs"
        for first, second in pairs:
            assert first["label"] != second["label"]
            same = [name for name, value in first["example"].items() if second["example"][name] == value]
            assert len(same) == len(first["example"]) - 1, (lesson.suite.name, first, second)


@pytest.mark.parametrize("task", TAUGHT, ids=lambda task: task.name)
def test_no_lesson_is_a_template_of_a_suite(task):
    """Suites measure what lessons teach."""
    measured = {plain(t) for suite in load_suites(task.name) for t in (*suite.templates, *suite.contrasts)}
    for lesson in load_lessons(task):
        for template in lesson.suite.templates:
            assert plain(template) not in measured, (lesson.suite.name, template.id)


def test_lessons_are_chosen_by_category_and_by_what_they_are_built_of():
    by_category = fitting_lessons(NLI, [correction(nli("The lamp fell.", "It is red."), 1, "causality")])
    assert [lesson.category for lesson in by_category[:8]].count("causality") >= 6
    by_shape = fitting_lessons(NLI, [correction(BEFORE, 2)])
    assert {lesson.category for lesson in by_shape[:2]} == {"temporal order"}
    assert Counter(lesson.category for lesson in by_shape).most_common(1)[0][0] == "temporal order"
    assert len(by_shape) == MOST_LESSONS


def test_corrections_in_another_language_get_none():
    assert fitting_lessons(NLI, [correction(nli("没有人离开。", "有人离开。"), 2, "negation")]) == []


def test_pairs_come_from_all_chosen_lessons_in_turn_and_are_the_same_for_a_seed():
    taught = [correction(BEFORE, 2, "temporal order")]
    pairs = lesson_pairs(NLI, taught, 60, seed=3)
    assert len(pairs) == 60
    assert len({pair[0]["suite"] for pair in pairs}) == MOST_LESSONS
    assert all(first["label"] != second["label"] for first, second in pairs)
    assert pairs == lesson_pairs(NLI, taught, 60, seed=3) != lesson_pairs(NLI, taught, 60, seed=4)
    assert lesson_pairs(NLI, [], 60, 0) == lesson_pairs(TASKS["ner"], taught, 60, 0) == []


def test_they_come_in_where_no_rule_reads_what_the_corrections_are_about():
    swap = correction(nli("The actor paid the doctor.", "The doctor paid the actor."), 1)
    bound = correction(nli("At most four guests sang.", "At least five guests sang."), 2)

    def rows(row, lessons):
        return training_rows(NLI, Selection(rows=[row]), Recipe(lessons=lessons, retention_rows=0))

    assert len(rows(bound, 100)) == len(rows(bound, 0)) + 100 <= count_rows(NLI, 1, Recipe(lessons=100))
    assert len(rows(swap, 100)) == len(rows(swap, 0))
    pairs = Counter(row["pair"] for row in rows(bound, 100) if "pair" in row)
    assert max(pairs.values()) == 2


def test_a_faulty_file_is_told_with_the_place(tmp_path):
    path = tmp_path / "wrong.json"
    for lesson, told in (
        ({"premise": "A.", "hypothesis": "B."}, "for each of two labels"),
        ({"premise": "A.", "hypothesis": {"entailment": ["B."]}}, "for each of two labels"),
        ({"premise": "{who} left.", "hypothesis": {"entailment": ["B."], "neutral": ["C."]}}, "unknown slot"),
        ({"premise": "A.", "hypothesis": {"entailment": ["B."], "maybe": ["C."]}}, "maybe"),
    ):
        path.write_text(json.dumps({"task": "nli", "category": "other", "slots": {}, "lessons": [lesson]}))
        with pytest.raises(SuiteError, match=rf"wrong.json 1.*{told}"):
            read_lessons(path)
    path.write_text("[]")
    with pytest.raises(SuiteError, match="expected task, category, slots and lessons"):
        read_lessons(path)


def test_files_stand_where_their_task_is():
    for path in FOLDER.glob("*/*.json"):
        assert json.loads(path.read_text(encoding="utf-8"))["task"] == path.parent.name
