"""The SQLite store: opening it, writing to it, and copying it while it is in use."""

from __future__ import annotations

import os
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
        db.write_lock, db.log = _shared(path)
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


class _Log:
    """The store's write-ahead log, brought to the disk by one fsync for all commits that wait for it.

    After SQLite's own commit at synchronous=NORMAL the log is written but may still be in the system's cache.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(f"{path}-wal")
        self._changed = threading.Condition()
        self._written = self._kept = 0
        self._busy = False

    def keep(self) -> None:
        """Returns once all that was committed before the call is on disk. Raises OSError."""
        with self._changed:
            self._written += 1
            mine = self._written
            self._changed.wait_for(lambda: self._kept >= mine or not self._busy)
            if self._kept >= mine:
                return
            self._busy, upto = True, self._written
        try:
            self._fsync()
            with self._changed:
                self._kept = upto
        finally:
            with self._changed:
                self._busy = False
                self._changed.notify_all()

    def _fsync(self) -> None:
        try:
            file = os.open(self.path, os.O_RDWR)
        except FileNotFoundError:  # the last connection closed: SQLite has moved it all into the store
            return
        try:
            os.fsync(file)
        finally:
            os.close(file)


_per_store: dict[str, tuple[_Line, _Log]] = {}
_known = threading.Lock()


def _shared(path: Path) -> tuple[_Line, _Log]:
    """What all of this process's connections to a store share: a line to wait in, where SQLite would have each thread
    sleep and look again, and the log."""
    path = path.resolve()
    with _known:
        return _per_store.setdefault(str(path), (_Line(), _Log(path)))


@contextmanager
def writing(db: Database) -> Iterator[Database]:
    """A transaction that holds the write lock from its start; all of it is stored and on disk, or nothing.

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
    try:
        if log := getattr(db, "log", None):
            log.keep()
    except OSError as error:
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
