"""Which version answers, which answered before, and what was measured on each."""

import pytest

from data.versions import (
    GateError,
    add_evaluation,
    add_version,
    gate_of,
    get_version,
    list_versions,
    live_version,
    live_versions,
    promote_version,
    promotion_history,
    roll_back,
)


@pytest.fixture
def lineage(store):
    """Three versions of nli, each the child of the one before, and one of sentiment."""
    for number, parent in ((1, None), (2, "nli-v1"), (3, "nli-v2")):
        card = {"id": f"nli-v{number}", "task": "nli", "base": "b", "parent": parent}
        add_version(store, card, f"versions/nli/nli-v{number}")
    add_version(store, {"id": "sentiment-v1", "task": "sentiment", "base": "b"}, "versions/sentiment/sentiment-v1")
    return store


def promote(db, *versions):
    return [promote_version(db, version, by="ann") for version in versions]


def test_unknown_version_lists_the_known_ones(lineage):
    with pytest.raises(ValueError, match=r"no version 'nli-v9'\. Known: .*nli-v1"):
        get_version(lineage, "nli-v9")


def test_nothing_is_live_before_a_promotion(lineage):
    with pytest.raises(ValueError, match="No version of task 'nli' is promoted yet"):
        live_version(lineage, "nli")


def test_newest_promotion_answers(lineage):
    assert promote(lineage, "nli-v1", "nli-v2", "sentiment-v1") == ["nli-v1", "nli-v1", "sentiment-v1"]
    assert live_versions(lineage) == {"nli": "nli-v2", "sentiment": "sentiment-v1"}


def test_unknown_version_is_not_promoted(lineage):
    with pytest.raises(ValueError, match="no version"):
        promote(lineage, "nli-v9")
    assert live_versions(lineage) == {}


def test_roll_back_goes_one_further_each_time(lineage):
    promote(lineage, "nli-v1", "nli-v2", "nli-v3")
    assert roll_back(lineage, "nli", by="ann") == ("nli-v3", "nli-v2")
    assert roll_back(lineage, "nli", by="ann") == ("nli-v2", "nli-v1")
    with pytest.raises(ValueError, match="nli-v1 is the first version"):
        roll_back(lineage, "nli", by="ann")
    assert live_version(lineage, "nli") == "nli-v1"


def test_roll_back_leaves_other_tasks_alone(lineage):
    promote(lineage, "sentiment-v1", "nli-v1", "nli-v2")
    roll_back(lineage, "nli", by="ann")
    assert live_version(lineage, "sentiment") == "sentiment-v1"


def test_history_keeps_who_and_why(lineage):
    promote_version(lineage, "nli-v1", by="ann", reason="fixes negation")
    promote(lineage, "nli-v2")
    roll_back(lineage, "nli", by="bob")
    history = [(row["version_id"], row["promoted_by"], row["reason"]) for row in promotion_history(lineage, "nli")]
    assert history == [
        ("nli-v1", "bob", "rollback of nli-v2"),
        ("nli-v2", "ann", ""),
        ("nli-v1", "ann", "fixes negation"),
    ]


def test_list_shows_lineage_live_and_newest_metrics(lineage):
    promote(lineage, "nli-v2")
    for accuracy in (0.5, 0.75):
        add_evaluation(lineage, "nli-v2", "held_out", 4, {"accuracy": accuracy})
    rows = list_versions(lineage, "nli")
    assert [(row["id"], row["parent_id"], row["live"]) for row in rows] == [
        ("nli-v3", "nli-v2", False),
        ("nli-v2", "nli-v1", True),
        ("nli-v1", None, False),
    ]
    assert rows[1]["metrics"] == {"held_out": {"accuracy": 0.75}}


def test_list_of_all_tasks(lineage):
    assert len(list_versions(lineage)) == 4


def test_a_version_held_back_is_promoted_with_a_reason_only_and_that_is_kept(lineage):
    card = {"id": "nli-v9", "task": "nli", "base": "b", "parent": "nli-v1"}
    add_version(lineage, card, "versions/nli/nli-v9", gate=["retention fell by 2.0 points (at most 1)"])
    promote_version(lineage, "nli-v1", by="ann")
    with pytest.raises(GateError, match="retention fell"):
        promote_version(lineage, "nli-v9", by="ann", reason="  ")
    assert live_version(lineage, "nli") == "nli-v1"
    promote_version(lineage, "nli-v9", by="ann", reason="for the class on Monday")
    newest = promotion_history(lineage, "nli")[0]
    assert (newest["reason"], newest["overrode"]) == (
        "for the class on Monday",
        "retention fell by 2.0 points (at most 1)",
    )
    promote_version(lineage, "nli-v1", by="ann")
    promote_version(lineage, "nli-v9", by="ann", reason="undo", going_back=True)
    assert promotion_history(lineage, "nli")[0]["overrode"] is None


def test_what_was_not_measured_is_not_held_back(lineage):
    assert gate_of(lineage, "nli-v1") == []
