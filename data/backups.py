"""Copies of the store made while it is in use, on a schedule and by command, and the way back to one."""

from __future__ import annotations

import logging
import re
import sqlite3
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlite_utils import Database

from data.store import StoreError, backup, explain, now, open_store

log = logging.getLogger("blindspot.backups")
NAME = re.compile(r"blindspot-(\d{4}-\d\d-\d\d)(?:T(\d\d)(\d\d))?\.db")
LOOK_EVERY_S = 60.0


def scheduled_backup(db: Database, folder: Path, *, every_hours: float = 24.0, kept: int = 7) -> Path:
    """The newest copy of the store in `folder`, made now where the last is that old; the `kept` newest stay."""
    known = sorted(path for path in folder.glob("blindspot-*.db") if NAME.fullmatch(path.name))
    if known and _time_of(known[-1]) + timedelta(hours=every_hours) > datetime.now(UTC):
        return known[-1]
    target = folder / f"blindspot-{now()[:16].replace(':', '')}.db"
    partial = target.with_suffix(".partial")
    partial.unlink(missing_ok=True)
    backup(db, partial).replace(target)
    for old in [*(path for path in known if path != target), target][:-kept]:
        old.unlink()
    return target


def keep_backups(open_db: Callable[[], Database], folder: Path, every_hours: float, kept: int = 7) -> threading.Event:
    """Makes scheduled copies in a thread until the returned event is set; a failure is logged and tried again."""
    stop = threading.Event()

    def run() -> None:
        while not stop.wait(LOOK_EVERY_S):
            try:
                scheduled_backup(open_db(), folder, every_hours=every_hours, kept=kept)
            except (StoreError, OSError, sqlite3.Error) as error:
                log.warning("No backup was made: %s", error)

    threading.Thread(target=run, name="backups", daemon=True).start()
    return stop


def problems(path: Path) -> list[str]:
    """What is wrong with a store's file: damaged pages, references to what is not there; empty where it is sound.

    Raises StoreError where it is no store at all.
    """
    if not path.is_file():
        raise StoreError(f"There is no file {path}.")
    connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
    try:
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'verdicts'").fetchone():
            raise StoreError(f"{path} is no Blindspot store.")
        found = [row[0] for row in connection.execute("PRAGMA integrity_check") if row[0] != "ok"]
        found += [
            f"{table} row {row} refers to a missing row of {other}"
            for table, row, other, _ in connection.execute("PRAGMA foreign_key_check")
        ]
        return found
    except sqlite3.Error as error:
        raise explain(error, path) from error
    finally:
        connection.close()


def restore(source: Path, store: Path) -> Path | None:
    """Puts a copy in the store's place, in one transaction, so that a running app goes on with it; returns where the
    store as it was is kept (None where there was none).

    Raises StoreError, the store untouched, where the copy is damaged.
    """
    if found := problems(source):
        raise StoreError(f"{source} is damaged: {'; '.join(found[:5])}. Nothing was restored; take an older copy.")
    kept = None
    if store.exists():
        kept = store.parent / "backups" / f"before-restore-{now()[:19].replace(':', '')}.db"
        db = open_store(store)
        backup(db, kept)
        db.close()
    store.parent.mkdir(parents=True, exist_ok=True)
    copy, live = sqlite3.connect(f"{source.resolve().as_uri()}?mode=ro", uri=True), sqlite3.connect(store, timeout=30)
    try:
        copy.backup(live)
    except sqlite3.Error as error:
        raise explain(error, store) from error
    finally:
        copy.close()
        live.close()
    open_store(store).close()  # an older copy's schema is brought up to date
    return kept


def _time_of(path: Path) -> datetime:
    day, hour, minute = NAME.fullmatch(path.name).groups()
    return datetime.fromisoformat(f"{day}T{hour or '00'}:{minute or '00'}+00:00")
