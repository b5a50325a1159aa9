"""The store opens, keeps what was written, and says plainly why it cannot."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor

import pytest

from data.examples import flag_example
from data.store import StoreError, backup, daily_backup, open_store, writing
from data.tasks import TASKS
from tests.conftest import nli


def flag(db, premise="A dog barks."):
    return flag_example(db, TASKS["nli"], nli(premise), 1, annotator="ann")


def test_store_is_durable_and_checks_references(store):
    pragmas = ("journal_mode", "foreign_keys", "synchronous")
    assert [store.execute(f"PRAGMA {name}").fetchone()[0] for name in pragmas] == ["wal", 1, 2]


def test_opening_again_changes_nothing(settings, store):
    flag(store)
    again = open_store(settings.store)
    assert again.schema == store.schema
    assert again["verdicts"].count == 1


def test_several_may_open_a_new_store_at_once(settings):
    with ThreadPoolExecutor(6) as pool:
        stores = list(pool.map(lambda _: open_store(settings.store), range(6)))
    for i, db in enumerate(stores):
        flag(db, f"Dog {i} barks.")
    assert stores[0]["verdicts"].count == 6


def test_flag_is_there_for_another_connection_at_once(settings, store):
    flag(store)
    assert open_store(settings.store)["verdicts"].count == 1


def test_verdict_on_an_unknown_version_is_refused(store):
    with pytest.raises(sqlite3.IntegrityError), writing(store):
        store["promotions"].insert({"task": "nli", "version_id": "no", "promoted_by": "ann", "created_at": "2026"})


def test_failed_write_leaves_nothing(store):
    def flag_and_fail():
        with writing(store):
            flag(store)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        flag_and_fail()
    assert store["examples"].count == 0


def test_locked_store_is_named(settings, store):
    holder = sqlite3.connect(settings.store, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    db = open_store(settings.store, busy_timeout_s=0.01)
    with pytest.raises(StoreError, match=r"blindspot\.db: database is locked\. Another program holds it"):
        flag(db)
    holder.close()
    flag(db)


def test_readers_do_not_wait_for_a_writer(settings, store):
    with writing(store):
        flag(store)
        assert open_store(settings.store, busy_timeout_s=0.01)["verdicts"].count == 0


def test_read_only_store_says_so(store):
    store.execute("PRAGMA query_only=ON")
    with pytest.raises(StoreError, match=r"It is read-only\. Nothing was written"):
        flag(store)


def test_other_file_is_not_taken_for_a_store(settings):
    settings.store.parent.mkdir(parents=True)
    settings.store.write_bytes(b"not a database at all" * 100)
    with pytest.raises(StoreError, match=r"blindspot\.db: file is not a database\..*not a Blindspot store"):
        open_store(settings.store)
    assert settings.store.read_bytes() == b"not a database at all" * 100


def test_store_in_an_impossible_place_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be opened"):
        open_store(tmp_path / "file" / "blindspot.db")


def test_full_disk_keeps_what_was_there(store):
    flag(store)
    pages = store.execute("PRAGMA page_count").fetchone()[0]
    store.execute(f"PRAGMA max_page_count={pages}")
    with pytest.raises(StoreError, match=r"The disk is full or failing\. Nothing was written"):
        flag(store, "A dog barks. " * 5000)
    assert store["verdicts"].count == 1
    store.execute(f"PRAGMA max_page_count={pages + 100}")
    flag(store, "A dog barks. " * 5000)
    assert store.execute("PRAGMA integrity_check").fetchone()[0] == "ok"


def test_backup_is_a_store_of_its_own(settings, store):
    flag(store)
    copy = open_store(backup(store, settings.backups / "monday.db"))
    flag(store, "Another dog barks.")
    assert (copy["verdicts"].count, store["verdicts"].count) == (1, 2)


def test_a_daily_backup_is_made_once_and_seven_are_kept(store, tmp_path):
    for day in range(1, 9):
        (tmp_path / f"blindspot-2020-01-0{day}.db").write_bytes(b"old")
    first = daily_backup(store, tmp_path)
    made = first.stat().st_mtime_ns
    assert daily_backup(store, tmp_path).stat().st_mtime_ns == made
    assert len(list(tmp_path.glob("blindspot-*.db"))) == 7
    assert open_store(first).execute("PRAGMA integrity_check").fetchone()[0] == "ok"
