"""The SQLite store: opening it, writing to it, and copying it while it is in use."""

from __future__ import annotations

import sqlite3
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path

from sqlite_utils import Database

from data.migrations import migrations

BUSY_TIMEOUT_S = 10.0


class StoreError(RuntimeError):
    """The store cannot be read or written now; the message says why and what to do."""


def open_store(path: Path, *, busy_timeout_s: float = BUSY_TIMEOUT_S) -> Database:
    """The store at `path`, made if absent, its schema brought up to date.

    Write-ahead logging, so that readers never wait for a writer; foreign keys on; every commit is on disk
    when it returns (synchronous=FULL). One connection is for one thread at a time. Raises StoreError.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path, timeout=busy_timeout_s, check_same_thread=False)
    except (OSError, sqlite3.Error) as error:
        raise StoreError(f"The store {path} cannot be opened: {error}. Check the folder's rights.") from error
    try:
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA synchronous=FULL")
        if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
            connection.execute("PRAGMA journal_mode=WAL")
        db = Database(connection)
        db.write_lock = _write_lock(path)
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


class _Line:
    """A lock whose waiters are served in the order they came; its holder may take it again."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._waiting: deque[tuple[int, threading.Lock]] = deque()
        self._holder: int | None = None
        self._depth = 0

    def __enter__(self) -> None:
        me, gate = threading.get_ident(), None
        with self._guard:
            if self._holder in (me, None):
                self._holder, self._depth = me, self._depth + 1
            else:
                gate = threading.Lock()
                gate.acquire()
                self._waiting.append((me, gate))
        if gate is not None:
            gate.acquire()  # until the one before lets go

    def __exit__(self, *_: object) -> None:
        with self._guard:
            self._depth -= 1
            if self._depth == 0:
                self._holder = None
                if self._waiting:
                    self._holder, gate = self._waiting.popleft()
                    self._depth = 1
                    gate.release()


_write_locks: dict[str, _Line] = {}
_known = threading.Lock()


def _write_lock(path: Path) -> _Line:
    """One lock for all of this process's connections to a store: its threads wait in line, where SQLite would have
    each of them sleep and look again."""
    with _known:
        return _write_locks.setdefault(str(path.resolve()), _Line())


@contextmanager
def writing(db: Database) -> Iterator[Database]:
    """A transaction that holds the write lock from its start; all of it is stored, or nothing.

    Raises StoreError where the store is locked, read-only, damaged or out of space.
    """
    if db.conn.in_transaction:  # part of a larger write
        yield db
        return
    try:
        with getattr(db, "write_lock", nullcontext()):
            db.conn.execute("BEGIN IMMEDIATE")
            try:
                yield db
                db.conn.execute("COMMIT")
            except BaseException:
                db.conn.rollback()
                raise
    except sqlite3.IntegrityError:
        raise
    except sqlite3.Error as error:
        raise explain(error, store_path(db)) from error


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
