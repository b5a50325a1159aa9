"""Who acts, and what each role may do: the one table that page, API and shell are held to.

Functions that write call `require`; who acts is set once for each call from the page (`acting_as`). Outside of one,
in a shell or on a loopback page without accounts, it is `LOCAL`, who may do everything under any name.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from data.tasks import clean_text

ACTS = {
    "flag": "judge examples, look at others' flags",
    "change own": "edit, archive and undo what they did themselves",
    "change any": "edit, archive, assign and undo what others did, also in bulk",
    "import": "bring files into the store",
    "suites": "add behavioural suites",
    "train": "queue and cancel runs",
    "promote": "decide which version answers",
    "take away": "take versions away as files",
    "publish": "put versions on the Hugging Face Hub",
}
ROLES: dict[str, frozenset[str]] = {
    "annotator": frozenset({"flag", "change own"}),
    "reviewer": frozenset({"flag", "change own", "change any", "import", "suites", "train", "take away"}),
    "admin": frozenset(ACTS),
}


class NotAllowed(ValueError):
    """The person's role may not do this."""


@dataclass(frozen=True)
class Person:
    name: str | None
    """None where there are no accounts: then each act is signed with the name that comes with it."""
    role: str = "admin"


LOCAL = Person(None)
_acting: ContextVar[Person] = ContextVar("acting", default=LOCAL)


@contextmanager
def acting_as(person: Person) -> Iterator[None]:
    """What is done inside is done by `person`."""
    token = _acting.set(person)
    try:
        yield
    finally:
        _acting.reset(token)


def acting() -> Person:
    return _acting.get()


def may(act: str) -> bool:
    """Whether the person who acts may do it."""
    return act in ROLES[acting().role]


def require(act: str) -> None:
    """Raises NotAllowed where the person who acts may not do it."""
    if not may(act):
        able = " or ".join(role for role, acts in ROLES.items() if act in acts)
        raise NotAllowed(f"To {ACTS[act]} takes the role {able}; you are {acting().role}. Ask an admin.")


def sign(name: str | None) -> str:
    """Whose name an act bears: the account's that acts, else the given one, else `anonymous`."""
    return acting().name or clean_text(name or "") or "anonymous"


def require_change(owners: set[str]) -> None:
    """Raises NotAllowed where the person who acts may not change what bears these names."""
    require("change own" if owners <= {acting().name} else "change any")
