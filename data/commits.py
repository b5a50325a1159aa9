"""How the writers of this process to one store come together: in a line, in one transaction, with one wait for the
disk."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MOST_TOGETHER = 64
"""Writes that one transaction takes at most."""
LONGEST_S = 60.0
"""A commit that takes longer is told as an error rather than waited for."""


class NotConfirmed(OSError):
    """What was stored may not be on disk."""


class Writers:
    """Those of one store: `write` gives each its turn.

    Short writes that wait for each other share a transaction, since of a few rows it is the commit that takes the
    time. It is opened on the connection of the first, through which the others write as well.
    """

    def __init__(self, path: Path) -> None:
        self._line = _Line()
        self._log = _Log(path)
        self._open: _Transaction | None = None

    @contextmanager
    def write(self, connection: sqlite3.Connection, together: bool) -> Iterator[sqlite3.Connection]:
        """The connection to write through; on leaving all that was written is stored and on disk, or nothing.

        With `together` it may share a transaction with others of its kind. Raises sqlite3.Error and NotConfirmed.
        """
        failed: BaseException | None = None
        with self._line.turn(together):
            transaction = self._open or _Transaction(connection)
            try:
                with transaction.part():
                    yield transaction.connection
            except BaseException as error:
                failed = error
            goes_on = together and transaction.takes_more and self._line.next_joins
            self._open = transaction if goes_on else None
            if not goes_on:
                transaction.commit()
        if not goes_on:
            transaction.keep(self._log)
        if failed is not None:
            raise failed
        transaction.wait()


class _Transaction:
    """One or more writes on one connection, which holds the write lock from the start."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        connection.execute("BEGIN IMMEDIATE")
        self.connection = connection
        self._parts = 0
        self._error: BaseException | None = None
        self._done = threading.Event()

    @property
    def takes_more(self) -> bool:
        return self.connection.in_transaction and self._parts < MOST_TOGETHER

    @contextmanager
    def part(self) -> Iterator[None]:
        """A write; where it fails those before it stay."""
        first = self._parts == 0
        if not first:
            self.connection.execute("SAVEPOINT part")
        try:
            yield
            if not first:
                self.connection.execute("RELEASE part")
            self._parts += 1
        except BaseException as error:
            if first:
                self.connection.rollback()
            elif self.connection.in_transaction:
                self.connection.execute("ROLLBACK TO part")
                self.connection.execute("RELEASE part")
            else:  # as where the disk is full, SQLite has taken all of it back
                self._error = error
            raise

    def commit(self) -> None:
        """What goes wrong `wait` raises."""
        if self._error is None and self.connection.in_transaction:
            try:
                self.connection.execute("COMMIT")
            except sqlite3.Error as error:
                self.connection.rollback()
                self._error = error

    def keep(self, log: _Log) -> None:
        """Brings what was committed to the disk, and lets those who wait for it go on."""
        try:
            if self._parts and self._error is None:
                log.keep()
        except OSError as error:
            self._error = NotConfirmed(str(error))
        finally:
            self._done.set()

    def wait(self) -> None:
        if not self._done.wait(LONGEST_S):
            raise NotConfirmed(f"no answer within {LONGEST_S:.0f} s")
        if isinstance(self._error, NotConfirmed):
            raise NotConfirmed(str(self._error))
        if self._error is not None:
            raise sqlite3.OperationalError(str(self._error)) from self._error


class _Line:
    """A lock whose waiters are served in the order they came, and which tells what the next of them is about."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._waiting: deque[tuple[int, bool, threading.Lock]] = deque()
        self._holder: int | None = None

    @contextmanager
    def turn(self, joins: bool) -> Iterator[None]:
        """Inside it is the caller's turn. Raises RuntimeError where it is already, which no wait would end."""
        me, gate = threading.get_ident(), None
        with self._guard:
            if self._holder == me:
                raise RuntimeError("A write to the store began within another one, on a connection of its own.")
            if self._holder is None:
                self._holder = me
            else:
                gate = threading.Lock()
                gate.acquire()
                self._waiting.append((me, joins, gate))
        if gate is not None:
            gate.acquire()  # until the one before lets go
        try:
            yield
        finally:
            with self._guard:
                self._holder = None
                if self._waiting:
                    self._holder, _, gate = self._waiting.popleft()
                    gate.release()

    @property
    def next_joins(self) -> bool:
        with self._guard:
            return bool(self._waiting) and self._waiting[0][1]


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
