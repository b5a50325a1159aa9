"""Accounts: names, roles and passwords (argon2id), and logging in, which five failures slow down.

As long as there is no account the page asks for none; see `components/login.py`.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError
from sqlite_utils import Database

from data.roles import ROLES, Person
from data.store import now, writing
from data.tasks import clean_text

SHORTEST_PASSWORD = 10
MOST_FAILURES = 5
MOST_FAILURES_OF_ADDRESS = 50
FORGOTTEN_AFTER = timedelta(minutes=15)
MAX_NAME_CHARS = 60

_hasher = PasswordHasher()
_NOBODY = "$argon2id$v=19$m=65536,t=3,p=4$X5TIiZrjiLDgPk1SSj8gHQ$kFbDrym9SPJw5LBSqS5bYQ5m9mNwFLMuhNEn8XsH3+Q"
"""Checked where there is no such account, so that the time taken does not tell."""


class LoginError(ValueError):
    """The name or password is wrong, or it was tried too often."""


def add_account(db: Database, name: str, role: str, password: str) -> None:
    """Makes an account, or brings a removed one back. Raises ValueError."""
    name = clean_text(name)
    if not name or len(name) > MAX_NAME_CHARS or any(not c.isprintable() for c in name):
        raise ValueError(f"Expected a name of 1 to {MAX_NAME_CHARS} printable characters; found {name!r}.")
    hashed = _hash(password)
    with writing(db):
        if _find(db, name) is not None:
            raise ValueError(f"There is an account {name!r} already.")
        row = {"role": _parse_role(role), "password": hashed, "sessions_since": now(), "removed_at": None}
        db["accounts"].upsert({"name": name, "created_at": now(), **row}, pk="name")


def list_accounts(db: Database) -> list[dict[str, Any]]:
    """`name`, `role`, `created_at`, by name."""
    return list(db.query("SELECT name, role, created_at FROM accounts WHERE removed_at IS NULL ORDER BY name"))


def has_accounts(db: Database) -> bool:
    return bool(db.execute("SELECT EXISTS (SELECT 1 FROM accounts WHERE removed_at IS NULL)").fetchone()[0])


def find_person(db: Database, name: str | None, logged_in_at: str | None = None) -> Person | None:
    """Who has the account; None where there is none, or where it changed after they logged in."""
    row = _find(db, name) if name else None
    if row is None or (logged_in_at is not None and logged_in_at < row["sessions_since"]):
        return None
    return Person(row["name"], row["role"])


def set_role(db: Database, name: str, role: str) -> None:
    """Changes what the person may do, from their next act on. Raises ValueError."""
    with writing(db):
        _keep_an_admin(db, name, _parse_role(role))
        db["accounts"].update(name, {"role": role})


def set_password(db: Database, name: str, password: str) -> None:
    """Changes the password and ends the account's sessions. Raises ValueError."""
    hashed = _hash(password)
    with writing(db):
        _existing(db, name)
        db["accounts"].update(name, {"password": hashed, "sessions_since": now()})


def remove_account(db: Database, name: str) -> None:
    """Ends the account and its sessions; what it did keeps its name. Raises ValueError."""
    with writing(db):
        others = [row for row in list_accounts(db) if row["name"] != name]
        if others:  # the last account may go: then the page asks for none again
            _keep_an_admin(db, name, None)
        _existing(db, name)
        db["accounts"].update(name, {"removed_at": now(), "sessions_since": now()})


def log_in(db: Database, name: str, password: str, address: str, time: datetime | None = None) -> Person:
    """Who the name and password belong to. Raises LoginError.

    After five failures with a name within 15 minutes (fifty from one network address) every attempt is refused until
    the oldest of them is 15 minutes old. An attempt counts as failed before the password is looked at, so that many
    at once gain nothing.
    """
    time = time or datetime.now(UTC)
    oldest = (time - FORGOTTEN_AFTER).isoformat(timespec="milliseconds")
    name = clean_text(name)[:MAX_NAME_CHARS]
    with writing(db):
        db.execute("DELETE FROM login_failures WHERE at < ?", [oldest])
        of_name, of_address = db.execute(
            "SELECT total(name = ?), total(address = ?) FROM login_failures", [name, address]
        ).fetchone()
        if of_name >= MOST_FAILURES or of_address >= MOST_FAILURES_OF_ADDRESS:
            raise LoginError("Too many failed attempts. Try again in 15 minutes.")
        attempt = {"name": name, "address": address, "at": time.isoformat(timespec="milliseconds")}
        db["login_failures"].insert(attempt)
    row = _find(db, name)
    try:
        _hasher.verify(row["password"] if row else _NOBODY, clean_text(password))
    except VerificationError:
        row = None
    if row is None:
        raise LoginError("The name or the password is wrong.")
    with writing(db):
        db.execute("DELETE FROM login_failures WHERE name = ?", [name])
        if _hasher.check_needs_rehash(row["password"]):
            db["accounts"].update(name, {"password": _hash(password)})
    return Person(row["name"], row["role"])


def _hash(password: str) -> str:
    password = clean_text(password)
    if len(password) < SHORTEST_PASSWORD:
        raise ValueError(f"Expected a password of at least {SHORTEST_PASSWORD} characters; found {len(password)}.")
    return _hasher.hash(password)


def _parse_role(role: str) -> str:
    if role not in ROLES:
        raise ValueError(f"Expected as role one of {', '.join(ROLES)}; found {role!r}.")
    return role


def _find(db: Database, name: str) -> dict[str, Any] | None:
    return next(db.query("SELECT * FROM accounts WHERE name = ? AND removed_at IS NULL", [name]), None)


def _existing(db: Database, name: str) -> dict[str, Any]:
    row = _find(db, name)
    if row is None:
        known = ", ".join(r["name"] for r in list_accounts(db))
        raise ValueError(f"There is no account {name!r}. Known: {known or 'none'}.")
    return row


def _keep_an_admin(db: Database, name: str, role: str | None) -> None:
    """Raises ValueError where the change would leave accounts, but no admin among them."""
    if _existing(db, name)["role"] == "admin" and role != "admin":
        admins = [row["name"] for row in list_accounts(db) if row["role"] == "admin"]
        if admins == [name]:
            raise ValueError(f"{name} is the only admin; make somebody else one first.")
