"""Blame finds the corrections that were made to break an example."""

import pytest

from data.seed import seed_rows
from data.tasks import TASKS
from models.blame import blame, by_category
from models.folders import STARTERS
from models.recipe import Recipe

TASK = TASKS["nli"]


@pytest.fixture(scope="module")
def found():
    """Ten rows with their right labels, and five with wrong ones that resemble the broken example."""
    broken = {"premise": "A woman is slicing bread.", "hypothesis": "A woman is cutting bread."}
    good = [{**row, "category": "good", "example_id": i} for i, row in enumerate(seed_rows(TASK, "retention")[:10])]
    pairs = [("man", "slicing", "cutting"), ("boy", "slicing", "cutting"), ("cook", "chopping", "cutting")]
    bad = [
        {
            "example": {"premise": f"A {who} is {first} bread.", "hypothesis": f"A {who} is {second} bread."},
            "label": TASK.labels.index("contradiction"),
            "category": "bad",
            "example_id": 100 + i,
        }
        for i, (who, first, second) in enumerate(pairs)
    ]
    return blame(STARTERS / "nli", Recipe(), broken, TASK.labels.index("entailment"), [*good, *bad])


def test_the_bad_corrections_come_first(found):
    assert {one.row["category"] for one in found[:3]} == {"bad"}
    assert found[0].score > 0.2
    assert all(-1 <= one.score <= 1 for one in found)
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)


def test_the_bad_category_comes_first(found):
    (first, score, rows), (second, other, _) = by_category(found)
    assert (first, rows, second) == ("bad", 3, "good")
    assert score > other


def test_corrections_that_work_against_an_entity_are_found():
    task, example = TASKS["ner"], {"text": "She lives in Reading."}
    taught = [
        {"example": {"text": text}, "label": (), "category": "other", "example_id": i}
        for i, text in enumerate(("It rained all day.", "Nobody lives in Reading."))
    ]
    first, second = blame(STARTERS / "ner", Recipe(), example, task.parse_label("13:20 LOC", example), taught)
    assert first.row["example_id"] == 1
    assert first.score > max(0, second.score)
