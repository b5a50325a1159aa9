"""Verdicts found among a million: filters that combine, words, an order, a page at a time, and views to come back to.

A page never asks for more than the first 10,000 matches. Where there are fewer, all of their ids are read from one
index that holds every column that filters look at, which counts them and gives the page. Where there are more, they
lie so dense that walking the rows in order soon fills a page.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlite_utils import Database

from data.queries import Filters, conditions
from data.roles import acting, require, sign
from data.store import now, writing
from data.tasks import clean_text

CAP = 10_000
CHUNK = 2_000
SORTS = {
    "newest": ("id", "DESC"),
    "oldest": ("id", "ASC"),
    "changed last": ("updated_at", "DESC"),
    "model surest": ("confidence", "DESC"),
    "model least sure": ("confidence", "ASC"),
}
"""The orders that a page offers: the column and its direction."""


@dataclass(frozen=True)
class Page:
    rows: list[dict[str, Any]]
    total: int
    """How many match; `CAP` where there are more."""
    more: bool
    """Whether more than `CAP` match."""
    after: list[Any] | None
    """What `find_page` takes to give the next page; None on the last one."""


def find_page(
    db: Database, filters: Filters, *, sort: str = "newest", limit: int = 25, after: list[Any] | None = None
) -> Page:
    """A page of matching verdicts, each with its example's fields and split; `after` is the page before's.

    Of more than 10,000 matches of a search for words, the page sorts the newest 10,000. Raises ValueError.
    """
    if sort not in SORTS:
        raise ValueError(f"Expected as order one of {', '.join(SORTS)}; found {sort!r}.")
    column, direction = SORTS[sort]
    ids = matching_ids(db, filters, CAP)
    more = len(ids) > CAP
    if more and not filters.search:
        found = _walk(db, filters, column, direction, limit + 1, after)
    else:
        found = _ordered(db, ids[:CAP], column, direction)
        if after is not None:
            place = next((i + 1 for i, key in enumerate(found) if key == tuple(after)), None)
            if place is None:  # the last row of the page before no longer matches
                place = sum(_is_before(key, after, direction) for key in found)
            found = found[place:]
    page = found[:limit]
    rows = {row["id"]: row for row in verdicts_of(db, [key[1] for key in page])}
    following = list(page[-1]) if len(found) > limit else None
    return Page([rows[key[1]] for key in page], min(len(ids), CAP), more, following)


def matching_ids(db: Database, filters: Filters, most: int = CAP) -> list[int]:
    """Ids of matching verdicts, at most `most` + 1 of them; those of the newest examples where words are searched."""
    where, values, words = conditions(db, filters)
    limit = {"most": most + 1}
    if words is None:
        return _ids(db, f"SELECT v.id FROM verdicts v WHERE {where} LIMIT :most", {**values, **limit})
    few = _ids(db, f"SELECT v.id FROM verdicts v WHERE {where} LIMIT :most", {**values, "most": CAP + 1})
    if len(few) <= CAP:  # the filters leave little: look for the words there
        query = (
            "SELECT v.id FROM verdicts v WHERE v.id IN (SELECT value FROM json_each(:few)) AND v.example_id IN "
            "(SELECT rowid FROM examples_fts WHERE examples_fts MATCH :words) LIMIT :most"
        )
        return _ids(db, query, {"few": json.dumps(few), "words": words, **limit})
    query = (
        "SELECT v.id FROM examples_fts f CROSS JOIN verdicts v INDEXED BY verdicts_by_example "
        f"ON v.example_id = f.rowid WHERE examples_fts MATCH :words AND {where} ORDER BY f.rowid DESC LIMIT :most"
    )
    return _ids(db, query, {**values, "words": words, **limit})


def verdicts_of(db: Database, ids: Sequence[int]) -> Iterator[dict[str, Any]]:
    """These verdicts joined with their examples (`example`, `split`, `state`), some at a time."""
    for start in range(0, len(ids), CHUNK):
        for row in db.query(
            "SELECT v.*, e.fields, e.split, e.state FROM verdicts v JOIN examples e ON e.id = v.example_id "
            "WHERE v.id IN (SELECT value FROM json_each(?))",
            [json.dumps(ids[start : start + CHUNK])],
        ):
            yield {**row, "example": json.loads(row["fields"])}


def save_view(db: Database, name: str, filters: Filters, sort: str, *, by: str) -> None:
    """Keeps filters and order under a name that everybody sees; one's own view of that name is replaced.

    Raises ValueError where it is somebody else's.
    """
    require("flag")
    name = clean_text(name)
    if not name or len(name) > 80:
        raise ValueError("Expected a name of 1 to 80 characters for the view.")
    with writing(db):
        _own_view(db, name, sign(by))
        view = {"name": name, "who": sign(by), "filters": json.dumps({**dataclasses.asdict(filters), "sort": sort})}
        db["saved_views"].upsert({**view, "created_at": now()}, pk="name")


def saved_views(db: Database, task: str | None = None) -> dict[str, dict[str, Any]]:
    """By name the filters of each view, with `sort` and `who`; those of one task where it is named."""
    rows = db.query("SELECT name, who, filters FROM saved_views ORDER BY name")
    found = {row["name"]: {**json.loads(row["filters"]), "who": row["who"]} for row in rows}
    return {name: view for name, view in found.items() if task in (None, view["task"])}


def remove_view(db: Database, name: str, *, by: str) -> None:
    with writing(db):
        _own_view(db, name, sign(by))
        db.execute("DELETE FROM saved_views WHERE name = ?", [name])


def _own_view(db: Database, name: str, who: str) -> None:
    found = db.execute("SELECT who FROM saved_views WHERE name = ?", [name]).fetchone()
    if found and found[0] != who and acting().name is not None:
        raise ValueError(f"The view {name!r} is {found[0]}'s; choose another name.")


def _walk(
    db: Database, filters: Filters, column: str, direction: str, limit: int, after: list[Any] | None
) -> list[tuple[Any, int]]:
    """(column, id) of the rows that follow `after`, in order, read from the rows themselves."""
    where, values, _ = conditions(db, filters)
    index = {"id": "verdicts_by_task", "updated_at": "verdicts_by_change", "confidence": "verdicts_by_confidence"}
    by = f"INDEXED BY {index[column]}" if not filters.archived else ""
    order = f"v.id {direction}" if column == "id" else f"v.{column} {direction}, v.id {direction}"
    if after is not None:
        mark = "<" if direction == "DESC" else ">"
        if column == "id":
            where += f" AND v.id {mark} :after_id"
        else:
            where += f" AND (v.{column}, v.id) {mark} (:after, :after_id)"
        values = {**values, "after": after[0], "after_id": after[1]}
    if column == "confidence":
        where += " AND v.confidence IS NOT NULL"
    query = f"SELECT v.{column}, v.id FROM verdicts v {by} WHERE {where} ORDER BY {order} LIMIT :limit"
    return [tuple(row) for row in db.execute(query, {**values, "limit": limit})]


def _ordered(db: Database, ids: list[int], column: str, direction: str) -> list[tuple[Any, int]]:
    """(column, id) of these verdicts in order; those without a value last."""
    if column == "id":
        keys: list[tuple[Any, int]] = [(verdict_id, verdict_id) for verdict_id in ids]
    else:
        query = f"SELECT {column}, id FROM verdicts WHERE id IN (SELECT value FROM json_each(?))"
        keys = [tuple(row) for row in db.execute(query, [json.dumps(ids)])]
    known = sorted((key for key in keys if key[0] is not None), reverse=direction == "DESC")
    return known + sorted(key for key in keys if key[0] is None)


def _is_before(key: tuple[Any, int], after: list[Any], direction: str) -> bool:
    if key[0] is None or after[0] is None:
        return key[0] is not None
    return key >= tuple(after) if direction == "DESC" else key <= tuple(after)


def _ids(db: Database, query: str, values: dict[str, Any]) -> list[int]:
    return [row[0] for row in db.execute(query, values)]
