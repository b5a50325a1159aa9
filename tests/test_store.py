"""The store opens, keeps what was written, and says plainly why it cannot."""

import json
import os
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from benchmarks.crash import crash_rounds
from data.backups import problems, restore, scheduled_backup
from data.commits import _Transaction
from data.examples import flag_example
from data.store import StoreError, backup, open_store, writing
from data.tasks import TASKS
from tests.conftest import nli


def flag(db, premise="A dog barks."):
    return flag_example(db, TASKS["nli"], nli(premise), 1, annotator="ann")


def until(true):
    limit = time.monotonic() + 60
    while not true():
        assert time.monotonic() < limit
        time.sleep(0.01)


def test_store_logs_ahead_and_checks_references(store):
    pragmas = ("journal_mode", "foreign_keys", "synchronous")
    assert [store.execute(f"PRAGMA {name}").fetchone()[0] for name in pragmas] == ["wal", 1, 1]


def test_writers_share_a_wait_for_the_disk_and_none_returns_before_it(settings, store, monkeypatch):
    """A flag returns only after a call of fsync on the log that began when the flag was already committed."""
    fsync, calls, reader = os.fsync, [], open_store(settings.store)

    def slow(file):
        there = {row["id"] for row in reader.query("select id from verdicts")}
        time.sleep(0.02)
        assert os.fstat(file).st_ino == Path(f"{settings.store}-wal").stat().st_ino
        fsync(file)
        calls.append(there)

    monkeypatch.setattr(os, "fsync", slow)

    def write(writer):
        db = open_store(settings.store)
        for number in range(5):
            one = flag(db, f"Dog {writer} {number} barks.")
            assert any(one in there for there in calls)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    assert store["verdicts"].count == 40
    assert len(calls) < 40


def test_writes_that_wait_share_a_commit_and_one_that_fails_takes_none_along(settings, store, monkeypatch):
    committed = []
    monkeypatch.setattr(
        _Transaction, "commit", lambda self, commit=_Transaction.commit: committed.append(self) or commit(self)
    )

    def write(number):
        db = open_store(settings.store)
        own = db.conn
        with writing(db, together=True):
            flag(db, f"Dog {number} barks.")
            if number % 3 == 0:
                raise LookupError(number)
        assert db.conn is own
        return db["verdicts"].count

    with ThreadPoolExecutor(9) as pool:
        with writing(store):
            asked = [pool.submit(write, number) for number in range(9)]
            until(lambda: len(store.writers._line._waiting) == 9)
        failed = [number for number, one in enumerate(asked) if one.exception()]
        seen = [one.result() for number, one in enumerate(asked) if number % 3]
    assert failed == [0, 3, 6]
    assert all(isinstance(asked[number].exception(), LookupError) for number in failed)
    assert seen == [6] * 6  # who returns sees what was stored with it
    assert len({id(one) for one in committed}) <= 4  # of the first, perhaps of those that failed first, of the others
    told = {json.loads(row["fields"])["premise"] for row in store["examples"].rows}
    assert told == {f"Dog {number} barks." for number in range(9) if number % 3}


def test_a_commit_that_fails_fails_all_that_it_was_for(settings, store, monkeypatch):
    commit = _Transaction.commit

    def full(self):
        if self.connection is store.conn:  # the write that the others wait for
            return commit(self)
        self.connection.rollback()
        self._error = sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patch, ThreadPoolExecutor(4) as pool:
        patch.setattr(_Transaction, "commit", full)
        with writing(store):
            asked = [pool.submit(lambda n=n: flag(open_store(settings.store), f"Dog {n}.")) for n in range(4)]
            until(lambda: len(store.writers._line._waiting) == 4)
        assert all("disk is full" in str(one.exception(60)) for one in asked)
    assert store["verdicts"].count == 0
    assert flag(store)


def test_a_write_within_a_write_on_another_connection_is_refused(settings, store):
    with writing(store), pytest.raises(RuntimeError, match="within another"):
        flag(open_store(settings.store), "Another dog barks.")
    assert flag(store)


def test_disk_that_confirms_nothing_is_named(store, monkeypatch):
    def fail(_file):
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(StoreError, match="the disk did not confirm what was stored"):
            flag(store)
    assert flag(store, "Another dog barks.")


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
    with pytest.raises(StoreError, match=r"read-only or absent\. Nothing was written"):
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


def test_what_was_acknowledged_survives_kill_9(settings):
    found = crash_rounds(settings.store, rounds=2)
    assert found["acknowledged"] >= 2
    assert (found["lost"], found["unsound"]) == (0, 0)


def test_flags_of_many_threads_are_neither_lost_nor_doubled(settings, store):
    def write(writer):
        db = open_store(settings.store)
        return [flag(db, f"Dog {writer} {number} barks.") for number in range(10)]

    with ThreadPoolExecutor(8) as pool:
        ids = [one for found in pool.map(write, range(8)) for one in found]
    assert len(set(ids)) == 80 == store["verdicts"].count == store["events"].count


def test_a_backup_is_made_when_it_is_due_and_seven_are_kept(store, tmp_path):
    for day in range(1, 9):
        (tmp_path / f"blindspot-2020-01-0{day}.db").write_bytes(b"old")
    (tmp_path / "blindspot-mine.db").write_bytes(b"somebody's own")
    first = scheduled_backup(store, tmp_path)
    made = first.stat().st_mtime_ns
    assert scheduled_backup(store, tmp_path) == first
    assert first.stat().st_mtime_ns == made
    assert len(list(tmp_path.glob("blindspot-2*.db"))) == 7
    assert (tmp_path / "blindspot-mine.db").exists()
    assert problems(first) == []
    first.rename(tmp_path / "blindspot-2020-02-01T1200.db")
    assert scheduled_backup(store, tmp_path, every_hours=1).name > "blindspot-2026"


def test_a_copy_is_restored_under_a_running_app(settings, store, tmp_path):
    flag(store)
    copy = backup(store, tmp_path / "copy.db")
    flag(store, "Another dog barks.")
    kept = restore(copy, settings.store)
    assert store["verdicts"].count == 1  # the connection that was open all the while
    assert open_store(kept)["verdicts"].count == 2
    flag(store, "A third dog barks.")
    assert problems(settings.store) == []


def test_a_damaged_copy_is_refused(settings, store, tmp_path):
    for number in range(300):
        flag(store, f"Dog {number} barks.")
    copy = backup(store, tmp_path / "copy.db")
    content = bytearray(copy.read_bytes())
    content[20_000:60_000] = b"\x5a" * 40_000
    copy.write_bytes(content)
    with pytest.raises(StoreError, match=r"damaged|malformed"):
        restore(copy, settings.store)
    (tmp_path / "other.db").write_bytes(b"")
    with pytest.raises(StoreError, match="no Blindspot store"):
        restore(tmp_path / "other.db", settings.store)
    with pytest.raises(StoreError, match="There is no file"):
        restore(tmp_path / "none.db", settings.store)
    assert store["verdicts"].count == 300
