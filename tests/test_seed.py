"""The project's own examples are many, balanced and apart from each other."""

from collections import Counter

import pytest

from data.scripts import UNPARTED
from data.seed import CHINESE, KINDS, seed_rows
from data.tasks import TASKS

PAIRS = [(task, kind) for task in TASKS.values() for kind in KINDS]


def ids(value):
    return getattr(value, "name", value)


@pytest.mark.parametrize("task", TASKS.values(), ids=ids)
def test_at_least_150_examples_a_task(task):
    assert sum(len(seed_rows(task, kind)) for kind in KINDS) >= 150
    assert len(seed_rows(task, "validation")) >= 150


@pytest.mark.parametrize(("task", "kind"), PAIRS, ids=ids)
def test_categories_are_known_and_several(task, kind):
    found = {row["category"] for row in seed_rows(task, kind)}
    assert found <= set(task.categories)
    assert len(found) >= 8


@pytest.mark.parametrize("kind", ["validation", "retention"])
@pytest.mark.parametrize("name", ["nli", "sentiment"])
def test_labels_are_balanced(name, kind):
    counts = Counter(row["label"] for row in seed_rows(TASKS[name], kind))
    assert set(counts) == {0, 1, 2}
    assert max(counts.values()) <= 1.25 * min(counts.values())


@pytest.mark.parametrize("kind", ["validation", "retention"])
def test_right_choice_stands_in_every_place(kind):
    rows = seed_rows(TASKS["commonsense"], kind)
    for size in {len(row["example"]["choices"]) for row in rows}:
        places = Counter(row["label"] for row in rows if len(row["example"]["choices"]) == size)
        assert set(places) == set(range(size))
        assert max(places.values()) <= 2 * min(places.values())


@pytest.mark.parametrize("task", TASKS.values(), ids=ids)
def test_no_example_is_there_twice(task):
    hashes = Counter(task.content_hash(row["example"]) for kind in KINDS for row in seed_rows(task, kind))
    assert [h for h, count in hashes.items() if count > 1] == []


@pytest.mark.parametrize("task", TASKS.values(), ids=ids)
def test_a_few_hard_cases_are_in_chinese(task):
    rows = seed_rows(task, CHINESE)
    assert len(rows) >= 3
    assert all(UNPARTED.search(task.text_of(row["example"])) and UNPARTED.search(row["note"]) for row in rows)
    assert {row["category"] for row in rows} <= set(task.categories)
    assert not UNPARTED.search("".join(task.text_of(row["example"]) for row in seed_rows(task, "gallery")))


def test_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="gallery, validation, retention"):
        seed_rows(TASKS["nli"], "test")
