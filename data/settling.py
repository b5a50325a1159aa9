"""What people's verdicts on an example come to, kept beside the example so that no list has to work it out.

A flag is an example that somebody corrected. Its `state` is

claimed     one person's word
confirmed   two or more agree, and more of them than say otherwise: the claim holds
refuted     they agree on another label than the claim's
open        two differ: a third is asked
disputed    three or more, and no label has more voices than every other

Its `queue`, where it is claimed or open, is a JSON list: the state, whom it is assigned to (or ""), and who judged
it. There are few such lists among many examples, so that the next one for a person is found by skipping from list
to list.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from sqlite_utils import Database

CLAIMED, CONFIRMED, REFUTED, OPEN, DISPUTED = "claimed", "confirmed", "refuted", "open", "disputed"
STATES = (CLAIMED, CONFIRMED, REFUTED, OPEN, DISPUTED)
WAITING = (CLAIMED, OPEN)
CHUNK = 5000


def settle(labels: Sequence[str]) -> str | None:
    """The label that people agree on: all of them, or more of them than say any other; None where there is none."""
    (first, count), *others = Counter(labels).most_common()
    return first if not others or count > others[0][1] else None


def claim_of(voices: Iterable[dict[str, Any]]) -> dict[str, Any] | None:
    """The first correction among the newest verdicts of each annotator."""
    return min((v for v in voices if v["kind"] == "correction"), key=lambda v: v["id"], default=None)


def state_of(labels: Sequence[str], claimed: str) -> str:
    """Where a flag stands, by each annotator's newest label and the label of the claim."""
    if len(labels) == 1:
        return CLAIMED
    settled = settle(labels)
    if settled is None:
        return OPEN if len(labels) == 2 else DISPUTED
    return CONFIRMED if settled == claimed else REFUTED


def settle_examples(db: Database, example_ids: Iterable[int]) -> None:
    """Brings `state` and `queue` of the examples up to date with their verdicts; inside the caller's transaction."""
    newest: dict[int, dict[str, dict[str, Any]]] = {example_id: {} for example_id in example_ids}
    columns = ("id", "example_id", "annotator", "kind", "expected_label", "assigned_to")
    for values in db.execute(
        f"SELECT {', '.join(columns)} FROM verdicts INDEXED BY verdicts_by_example "
        "WHERE example_id IN (SELECT value FROM json_each(?)) AND archived_at IS NULL ORDER BY id",
        [json.dumps(list(newest))],
    ):
        row = dict(zip(columns, values, strict=True))
        newest[row["example_id"]][row["annotator"]] = row
    rows = []
    for example_id, voices in newest.items():
        claim, state, queue = claim_of(voices.values()), None, None
        if claim is not None:
            state = state_of([v["expected_label"] for v in voices.values()], claim["expected_label"])
            if state in WAITING:
                queue = json.dumps([state, claim["assigned_to"] or "", *sorted(voices)], ensure_ascii=False)
        rows.append((state, queue, example_id, state, queue))
    db.conn.executemany(
        "UPDATE examples SET state = ?, queue = ? WHERE id = ? AND (state IS NOT ? OR queue IS NOT ?)", rows
    )


def settle_verdicts(db: Database, verdict_ids: Sequence[int]) -> None:
    """`settle_examples` for the examples of these verdicts, some thousands at a time."""
    for start in range(0, len(verdict_ids), CHUNK):
        found = db.execute(
            "SELECT DISTINCT example_id FROM verdicts WHERE id IN (SELECT value FROM json_each(?))",
            [json.dumps(verdict_ids[start : start + CHUNK])],
        )
        settle_examples(db, [row[0] for row in found])
