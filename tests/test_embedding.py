"""Like texts lie near each other, and the map shows each correction once."""

import numpy as np
import pytest

from components import failure_map
from data.examples import Answer, flag_example
from data.queries import Filters, find_verdicts
from data.tasks import TASKS
from data.versions import live_version
from models.embedding import cluster, embed, lay_out
from tests.conftest import nli

DOGS = ["A dog barks at the postman.", "The dog is barking at a mailman.", "A puppy barked."]
BANKS = ["The central bank raised its rates.", "Interest rates went up again.", "The bank increased the rate."]


def test_like_texts_have_like_vectors():
    vectors = embed(DOGS + BANKS)
    assert vectors.shape == (6, 384)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    likeness = vectors @ vectors.T
    assert likeness[:3, :3].min() > likeness[:3, 3:].max()
    assert np.allclose(embed(BANKS[:1])[0], vectors[3], atol=1e-4)  # whatever stands in the batch beside it
    groups = cluster(vectors)
    assert len(set(groups[:3])) == len(set(groups[3:])) == 1
    assert groups[0] != groups[3]


@pytest.mark.parametrize("count", [1, 2, 5, 20])
def test_any_number_of_points_is_laid_out(count):
    vectors = np.random.default_rng(0).normal(size=(count, 384)).astype(np.float32)
    points = lay_out(vectors)
    assert points.shape == (count, 2)
    assert np.isfinite(points).all()
    assert len(cluster(vectors)) == count


def test_the_map_holds_every_correction_and_an_id_search_finds_it(lab):
    words, _ = failure_map.show_map(lab, "nli", "category")
    assert "Too few corrections" in words
    version_id = live_version(lab.db(), "nli")
    for text, category in zip(DOGS + BANKS, ["negation", "numbers"] * 3, strict=True):
        answer = Answer(0, [1.0, 0.0, 0.0], version_id)
        example = nli(text, "Something happened.")
        flag_example(lab.db(), TASKS["nli"], example, 1, annotator="ann", answer=answer, category=category)
    for colour in failure_map.COLOURS:
        figure = failure_map.show_map(lab, "nli", colour)[1]["value"]
        assert sorted(number for trace in figure.data for number in trace.customdata) == [1, 2, 3, 4, 5, 6]
    by_category = failure_map.show_map(lab, "nli", "category")[1]["value"]
    assert {trace.name for trace in by_category.data} == {"negation", "numbers"}
    found = find_verdicts(lab.db(), Filters(task="nli", search="ids: 2, 5"))
    assert [row["id"] for row in found] == [5, 2]
    assert find_verdicts(lab.db(), Filters(task="nli", search="ids: 99")) == []
