"""What the store holds that is the same as an example, or has most of its words, found among a million in a blink.

Ranking every match by bm25 would read each row with a common word. Instead a few narrow questions are asked of the
full-text index: all of the words; all but one of a short text; a third of the words of a longer one, since a text
that differs in two words holds one of the thirds whole. Words that stand in every tenth row are left out of them.
"""

from __future__ import annotations

import json
import re
import sqlite3
import time
from collections.abc import Iterator
from typing import Any

from sqlite_utils import Database

from data.scripts import apart
from data.tasks import Example, Task

LIMIT_S = 0.06
"""After so long the questions that are left are not asked."""
STEPS = 2_000
"""So many steps of SQLite's machine lie between two looks at the clock."""
SAMPLE = 400
"""So many of the newest rows with a word tell how common it is."""
MOST_WORDS = 24
MOST_MATCHES = 200
COMMON = 0.1
SHORT = 7
THIRDS = 3
FEWEST_SHARED = 0.6

_IN_USE = """
    SELECT v.id, v.example_id, v.kind, v.expected_label, v.annotator, e.fields FROM verdicts v
    JOIN examples e ON e.id = v.example_id
    WHERE e.id = ? AND v.archived_at IS NULL ORDER BY v.id DESC LIMIT 1
"""


def same_flag(db: Database, task: Task, example: Example) -> dict[str, Any] | None:
    """The newest verdict in use on this very content, with its `example`; None where there is none."""
    found = db.execute(
        "SELECT id FROM examples WHERE task = ? AND content_hash = ?", [task.name, task.content_hash(example)]
    ).fetchone()
    return newest_verdict(db, found[0]) if found else None


def newest_verdict(db: Database, example_id: int) -> dict[str, Any] | None:
    """An example's newest verdict in use: `id`, `example_id`, `kind`, `expected_label`, `annotator`, `example`."""
    row = next(db.query(_IN_USE, [example_id]), None)
    return row and {**row, "example": json.loads(row.pop("fields"))}


def alike_examples(db: Database, task: Task, example: Example, *, limit: int = 8) -> list[tuple[int, str]]:
    """(id, text) of stored examples that share most words with this one, the likest first.

    Takes about 60 ms at most; where the time is up, what was found until then.
    """
    text = task.text_of(example)
    wanted = set(words_of(text))
    if not wanted:
        return []
    found: dict[int, str] = {}
    for query in _until(db, _queries(db, wanted)):
        for example_id, stored in query:
            found[example_id] = stored
    shared = {example_id: share_of_words(wanted, set(words_of(stored))) for example_id, stored in found.items()}
    near = sorted((i for i in found if shared[i] >= FEWEST_SHARED), key=lambda i: (-shared[i], -i))
    of_task = []
    for example_id in near:
        query = (
            "SELECT 1 FROM examples e WHERE id = ? AND task = ? AND EXISTS "
            "(SELECT 1 FROM verdicts WHERE example_id = e.id AND archived_at IS NULL)"
        )
        if db.execute(query, [example_id, task.name]).fetchone():
            of_task.append((example_id, found[example_id]))
        if len(of_task) == limit:
            break
    return of_task


def words_of(text: str) -> list[str]:
    """In lower case, as the index has them."""
    return re.findall(r"\w+", apart(text.lower()))


def share_of_words(one: set[str], other: set[str]) -> float:
    """What two sets of words have in common, from 0 to 1 (Dice)."""
    return 2 * len(one & other) / ((len(one) + len(other)) or 1)


def _queries(db: Database, words: set[str]) -> Iterator[Iterator[tuple[int, str]]]:
    """Cursors over (id, text), one for each question."""
    (last,) = db.execute("SELECT coalesce(max(id), 0) FROM examples").fetchone()
    shares = {
        word: _share_of_rows(db, word, last)
        for word in sorted(words, key=lambda word: (len(word), word))[-MOST_WORDS:]
    }
    known = sorted((word for word, share in shares.items() if share > 0), key=shares.__getitem__)
    rare = [word for word in known if shares[word] < COMMON or last < 10 * SAMPLE] or known[:THIRDS]
    if not rare:
        return
    groups = [rare]
    if len(rare) < SHORT:
        groups += [rare[:i] + rare[i + 1 :] for i in reversed(range(len(rare))) if len(rare) > 1]
    else:
        groups += [rare[start::THIRDS] for start in range(THIRDS)]
    for group in groups:
        match = " AND ".join(f'"{word}"' for word in group)
        yield db.execute(
            "SELECT e.id, e.text FROM examples_fts f JOIN examples e ON e.id = f.rowid WHERE examples_fts MATCH ? "
            "ORDER BY f.rowid DESC LIMIT ?",
            [match, MOST_MATCHES],
        )


def _share_of_rows(db: Database, word: str, last: int) -> float:
    """About which share of the rows holds the word, by how far back the newest ones reach; 0 where none does."""
    found = db.execute(
        "SELECT rowid FROM examples_fts WHERE examples_fts MATCH ? ORDER BY rowid DESC LIMIT ?", [f'"{word}"', SAMPLE]
    ).fetchall()
    if len(found) < SAMPLE:
        return len(found) / max(last, 1)
    return SAMPLE / (last - found[-1][0] + 1)


def _until(db: Database, queries: Iterator[Iterator[tuple[int, str]]]) -> Iterator[list[tuple[int, str]]]:
    """The rows of each question, until the time is up: what runs then is broken off."""
    end = time.monotonic() + LIMIT_S
    db.conn.set_progress_handler(lambda: time.monotonic() > end, STEPS)
    try:
        for query in queries:
            yield list(query)
    except sqlite3.OperationalError as error:
        if "interrupted" not in str(error):
            raise
    finally:
        db.conn.set_progress_handler(None, 0)
