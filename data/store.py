"""The SQLite store: opening it, writing to it, and copying it while it is in use."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from sqlite_utils import Database

from data.commits import NotConfirmed, Writers
from data.migrations import migrations

BUSY_TIMEOUT_S = 10.0


class StoreError(RuntimeError):
    """The store cannot be read or written now; the message says why and what to do."""


def open_store(path: Path, *, busy_timeout_s: float = BUSY_TIMEOUT_S) -> Database:
    """The store at `path`, made if absent, its schema brought up to date.

    Write-ahead logging, so that readers never wait for a writer; foreign keys on; what `writing` stored is on disk
    when it returns. One connection is for one thread at a time. Raises StoreError.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path, timeout=busy_timeout_s, check_same_thread=False)
    except (OSError, sqlite3.Error) as error:
        raise StoreError(f"The store {path} cannot be opened: {error}. Check the folder's rights.") from error
    try:
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA synchronous=NORMAL")  # `writing` has the log on disk itself, for many at once
        if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
            connection.execute("PRAGMA journal_mode=WAL")
        db = Database(connection)
        db.writers = _writers(path)
        if migrations.pending(db):
            with writing(db):
                migrations.apply(db)
    except sqlite3.Error as error:
        connection.close()
        raise explain(error, path) from error
    except StoreError:
        connection.close()
        raise
    return db


_per_store: dict[str, Writers] = {}
_known = threading.Lock()


def _writers(path: Path) -> Writers:
    """What all of this process's connections to a store share: SQLite would have each sleep and look again."""
    path = path.resolve()
    with _known:
        return _per_store.setdefault(str(path), Writers(path))


@contextmanager
def writing(db: Database, *, together: bool = False) -> Iterator[Database]:
    """A transaction that holds the write lock from its start; all of it is stored and on disk, or nothing.

    With `together` it may be one with those of other threads that wait for it: for writes of a few rows. Raises
    StoreError where the store is locked, read-only, damaged or out of space.
    """
    if db.conn.in_transaction:  # part of a larger write
        yield db
        return
    own, writers = db.conn, getattr(db, "writers", None) or _writers(store_path(db) or Path(":memory:"))
    try:
        with writers.write(own, together) as db.conn:
            try:
                yield db
            finally:
                db.conn = own
    except sqlite3.IntegrityError:
        raise
    except sqlite3.Error as error:
        raise explain(error, store_path(db)) from error
    except NotConfirmed as error:
        raise StoreError(
            f"The store {store_path(db)}: the disk did not confirm what was stored ({error}). It is there now, but "
            "may be lost when the machine stops; look after the disk, and check it in the Review tab."
        ) from error


def explain(error: sqlite3.Error, path: Path | None) -> StoreError:
    """A database error in words a person can act on."""
    text = str(error).lower()
    if "locked" in text or "busy" in text:
        advice = "Another program holds it. Nothing was written; try again in a moment."
    elif "readonly" in text or "read-only" in text or "unable to open" in text:
        advice = "It or its folder is read-only or absent. Nothing was written; let this user write there."
    elif "full" in text or "disk i/o" in text:
        advice = "The disk is full or failing. Nothing was written; free some space and try again."
    elif "malformed" in text or "not a database" in text:
        advice = "The file is damaged or not a Blindspot store. Restore it from workspace/backups."
    else:
        advice = "Nothing was written."
    return StoreError(f"The store {path}: {error}. {advice}")


def store_path(db: Database) -> Path | None:
    row = db.conn.execute("PRAGMA database_list").fetchone()
    return Path(row[2]) if row and row[2] else None


def backup(db: Database, target: Path) -> Path:
    """A consistent copy at `target`, made while others go on reading and writing."""
    target.parent.mkdir(parents=True, exist_ok=True)
    copy = sqlite3.connect(target)
    try:
        db.conn.backup(copy)
    finally:
        copy.close()
    return target


def now() -> str:
    """The time, UTC, ISO 8601 with milliseconds: what every row's time columns hold."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
