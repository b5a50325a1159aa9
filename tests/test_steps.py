"""Every change is an event with who, when, before and after; everything can be undone, and undone again."""

import json

import pytest

from data.bulk import assign, preview, recategorise, relabel
from data.examples import archive_verdicts, edit_verdict, flag_example, get_verdict, select_examples
from data.queries import Filters
from data.roles import NotAllowed, Person, acting_as
from data.steps import history, recent_steps, step_of, undo_last, undo_step
from data.tasks import TASKS
from data.transfer import Parsed, ParsedRow, import_rows
from tests.conftest import nli, premises

TASK = TASKS["nli"]
ANN, REVIEWER = Person("ann", "annotator"), Person("rev", "reviewer")


def flag(db, premise="A dog barks.", expected=1, annotator="ann", **more):
    return flag_example(db, TASK, nli(premise), expected, annotator=annotator, **more)


def test_the_history_of_a_row_tells_who_did_what_when(store):
    verdict = flag(store, note="first")
    edit_verdict(store, verdict, expected="contradiction", note="second", by="bea")
    archive_verdicts(store, [verdict], by="cem")
    made, edited, archived = history(store, verdict)
    assert [(e["act"], e["who"]) for e in (made, edited, archived)] == [
        ("flag", "ann"),
        ("edit", "bea"),
        ("archive", "cem"),
    ]
    assert made["before"] is None
    assert made["after"]["expected_label"] == "neutral"
    assert edited["before"] == {"expected_label": "neutral", "note": "first"}
    assert edited["after"] == {"expected_label": "contradiction", "note": "second"}
    assert archived["before"] == {"archived_at": None}
    assert made["created_at"] <= edited["created_at"] <= archived["created_at"]


def test_every_step_is_undone_and_the_undo_too(store):
    verdict = flag(store, premises("train")[0], note="old")
    original = get_verdict(store, verdict)
    step = edit_verdict(store, verdict, expected="contradiction", category="numbers", note="new")
    changed = get_verdict(store, verdict)
    undone = undo_step(store, step)
    assert (undone["undone"], undone["left"]) == (1, 0)
    assert {**get_verdict(store, verdict), "updated_at": 0} == {**original, "updated_at": 0}
    with pytest.raises(ValueError, match="undone already"):
        undo_step(store, step)
    undo_step(store, undone["step"])
    assert {**get_verdict(store, verdict), "updated_at": 0} == {**changed, "updated_at": 0}
    undo_step(store, step)  # may be undone once more
    undo_step(store, step_of(store, verdict))
    assert get_verdict(store, verdict)["archived_at"]
    assert select_examples(store, TASK).rows == []
    assert store["verdicts"].count == 1


def test_what_changed_since_is_left(store):
    first, second = flag(store), flag(store, "A cat sleeps.")
    step = recategorise(store, [first, second], "negation", by="ann")
    edit_verdict(store, second, category="numbers")
    undone = undo_step(store, step)
    assert (undone["undone"], undone["left"]) == (1, 1)
    assert [get_verdict(store, v)["category"] for v in (first, second)] == ["other", "numbers"]


def test_the_last_step_is_ones_own(store):
    verdict = flag(store)
    flag(store, "A cat sleeps.", annotator="bea")
    edit_verdict(store, verdict, note="hm", by="ann")
    assert undo_last(store, by="ann")["act"] == "edit"
    assert undo_last(store, by="ann")["act"] == "flag"
    with pytest.raises(ValueError, match="nothing yet"):
        undo_last(store, by="ann")
    assert [step["act"] for step in recent_steps(store, who="bea")] == ["flag"]


def test_a_change_that_changes_nothing_is_no_step(store):
    verdict = flag(store, note="same")
    assert edit_verdict(store, verdict, note="same") is None
    assert len(history(store, verdict)) == 1


def test_an_import_is_one_step(store):
    rows = [ParsedRow(i, nli(f"Dog {i} barks."), 1, "other", "", "zoe", "correction", {}) for i in range(5)]
    ids = import_rows(store, TASK, Parsed(rows), annotator="ann")
    (step,) = recent_steps(store)
    assert (step["act"], step["who"], step["verdicts"]) == ("import", "ann", 5)
    assert {get_verdict(store, i)["annotator"] for i in ids} == {"zoe"}
    assert undo_step(store, step["id"])["undone"] == 5


def test_a_bulk_act_shows_what_it_changes_and_is_undone_whole(store):
    ids = [flag(store, f"Dog {i} barks.", expected=i % 3) for i in range(9)]
    seen = preview(store, Filters(task="nli"), "relabel", "neutral")
    assert seen["matching"] == 9
    assert seen["changes"] == {("entailment", "neutral"): 3, ("contradiction", "neutral"): 3}
    assert sorted(seen["ids"]) == ids
    step = relabel(store, seen["ids"], "neutral", by="rev")
    assert {get_verdict(store, i)["expected_label"] for i in ids} == {"neutral"}
    assert recent_steps(store)[0]["verdicts"] == 6
    undo_step(store, step)
    assert [get_verdict(store, i)["expected_label"] for i in ids] == [TASK.labels[i % 3] for i in range(9)]
    step = assign(store, ids[:2], " bea ", by="rev")
    assert [get_verdict(store, i)["assigned_to"] for i in ids[:3]] == ["bea", "bea", None]
    undo_step(store, step)
    with pytest.raises(ValueError, match="found 'maybe'"):
        relabel(store, ids, "maybe", by="rev")
    with pytest.raises(ValueError, match="found 'magic'"):
        recategorise(store, ids, "magic", by="rev")


def test_an_annotator_changes_their_own_and_a_reviewer_everybodys(store):
    mine, theirs = flag(store), flag(store, "A cat sleeps.", annotator="bea")
    with acting_as(ANN):
        step = edit_verdict(store, mine, note="mine", by="somebody else")
        for act in (
            lambda: edit_verdict(store, theirs, note="x"),
            lambda: archive_verdicts(store, [mine, theirs]),
            lambda: undo_step(store, step_of(store, theirs)),
        ):
            with pytest.raises(NotAllowed, match="you are annotator"):
                act()
    assert history(store, mine)[-1]["who"] == "ann"
    assert len(history(store, theirs)) == 1
    with acting_as(REVIEWER):
        archive_verdicts(store, [mine, theirs])
        undo_step(store, step)
    assert history(store, theirs)[-1]["who"] == "rev"


def test_a_store_of_before_gets_its_history(settings, tmp_path):
    """A store at the migration before: verdicts without events, states and denormalised columns."""
    from sqlite_utils import Database, Migrations

    from data.migrations import migrations
    from data.store import open_store

    old = Migrations("blindspot")
    old._migrations = [one for one in migrations._migrations if one.name < "m006"]
    path = tmp_path / "old.db"
    db = Database(path)
    old.apply(db)
    db.conn.execute(
        "INSERT INTO examples (task, content_hash, fields, text, split, created_at) "
        "VALUES ('nli', 'h', ?, 't', 'train', '2026')",
        [json.dumps(nli())],
    )
    db.conn.execute(
        "INSERT INTO verdicts (example_id, kind, expected_label, probabilities, annotator, category, created_at, "
        "updated_at) VALUES (1, 'correction', 'neutral', '[0.7, 0.2, 0.1]', 'ann', 'other', '2026', '2026')"
    )
    db.conn.commit()
    db.close()
    db = open_store(path)
    row = get_verdict(db, 1)
    assert (row["task"], row["confidence"], row["state"]) == ("nli", 0.7, "claimed")
    assert [event["who"] for event in history(db, 1)] == ["ann"]
    undo_last(db, by="ann")
    assert get_verdict(db, 1)["archived_at"]
