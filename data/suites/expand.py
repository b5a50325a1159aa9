"""From a suite to rows: balanced over templates, split by words and templates, judged against answers."""

from __future__ import annotations

import json
import random
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

from data.suites.base import Suite, render_row, word_of

MISSES_BEFORE_EMPTY = 200
"""A template that gives this many known rows in a row has no new one left (or too few to wait for)."""
SLACK = 0.01
"""How far a probability may move the wrong way before a direction counts as missed; saturated answers jitter."""


def expand(
    suite: Suite,
    count: int,
    seed: int,
    kind: str = "templates",
    template_ids: Collection[str] | None = None,
    fewer: bool = False,
) -> list[dict[str, Any]]:
    """`count` different rows, the templates taking turns; the same rows for the same arguments.

    A row has `example`, `label` (an index, or spans; None without one), `category`, `suite`, `template`; under `same`
    and `direction` also `second` (an example), and under `direction` `direction`: (label index, "up" or "down").
    Raises ValueError where a template is unknown or the words do not give `count` rows; `fewer` takes what there are.
    """
    templates = suite.of_kind(kind)
    if template_ids is not None:
        if unknown := set(template_ids) - {template.id for template in templates}:
            known = ", ".join(template.id for template in templates)
            raise ValueError(f"Suite {suite.name!r} has among its {kind} {known}; found {sorted(unknown)[0]!r}.")
        templates = tuple(template for template in templates if template.id in template_ids)
    rows: list[dict[str, Any]] = []
    draws = dict.fromkeys((template.id for template in templates), 0)
    seen: set[str] = set()
    open_templates = list(templates)
    while len(rows) < count and open_templates:
        for template in list(open_templates):
            if len(rows) == count:
                break
            row = None
            for _ in range(MISSES_BEFORE_EMPTY):
                candidate = render_row(suite, template, f"{seed}:{draws[template.id]}")
                draws[template.id] += 1
                if (content := _content(candidate)) not in seen:
                    row = candidate
                    seen.add(content)
                    break
            if row is None:
                open_templates.remove(template)
            else:
                rows.append(row)
    if len(rows) < count and not fewer:
        raise ValueError(
            f"Suite {suite.name!r}: expected {count} different rows of its {kind}; its words give only about "
            f"{len(rows)}. Ask for fewer, or give it more words or templates."
        )
    return rows


def passes(
    row: dict[str, Any], first: Sequence[float], second: Sequence[float] | None = None, answer: Any = None
) -> bool:
    """Whether the probabilities of a row's example (and of its `second`) meet its expectation.

    `answer` is what was said, where the likeliest label's index does not tell (spans).
    """
    if answer is None:
        answer = max(range(len(first)), key=first.__getitem__)
    if "second" not in row:
        return answer == row["label"]
    if second is None:
        raise ValueError(f"Row of template {row['template']!r} expects probabilities of its second example too.")
    if "direction" in row:
        label, change = row["direction"]
        moved = second[label] - first[label]
        return (moved if change == "up" else -moved) >= -SLACK
    return answer == max(range(len(second)), key=second.__getitem__)


def split_words(suite: Suite, seed: int) -> tuple[Suite, Suite]:
    """The suite twice, with no word in common: each list is halved, a word of several lists falls on one side.

    Raises ValueError where half a list is too short for a template.
    """
    rng = random.Random(f"{suite.name}:words:{seed}")
    side_of: dict[str, int] = {}
    for name in sorted(suite.slots):
        words = [word_of(entry) for entry in suite.slots[name]]
        taken = [sum(side_of.get(word) == side for word in words) for side in (0, 1)]
        fresh = [word for word in words if word not in side_of]
        rng.shuffle(fresh)
        for word in fresh:
            side = int(taken[1] < taken[0])
            side_of[word] = side
            taken[side] += 1
    halves = []
    for side in (0, 1):
        slots = {n: [e for e in entries if side_of[word_of(e)] == side] for n, entries in suite.slots.items()}
        halves.append(replace(suite, slots=slots))
        for template in (*suite.templates, *suite.contrasts):
            try:
                render_row(halves[-1], template, seed)
            except ValueError as error:
                raise ValueError(
                    f"Suite {suite.name!r}: with its lists halved, template {template.id!r}: {error}"
                ) from error
    return halves[0], halves[1]


def split_suite(suite: Suite, seed: int) -> tuple[Suite, Suite]:
    """The suite twice, with neither a word nor a template in common: for corrections, and for unseen siblings.

    Templates and contrasts are dealt in turn within each expectation, so that both sides know each label where
    it has two templates. Raises ValueError where there is only one template, or half a list is too short.
    """
    rng = random.Random(f"{suite.name}:templates:{seed}")
    dealt = {}
    for kind in ("templates", "contrasts"):
        templates = list(suite.of_kind(kind))
        if len(templates) == 1 or not (templates or kind == "contrasts"):
            raise ValueError(f"Suite {suite.name!r}: expected two or more {kind} to split; found {len(templates)}.")
        rng.shuffle(templates)
        templates.sort(key=lambda t: str(t.label if suite.task.labels else t.label is None))
        dealt[kind] = [tuple(templates[::2]), tuple(templates[1::2])]
    first, second = split_words(suite, seed)
    return (
        replace(first, templates=dealt["templates"][0], contrasts=dealt["contrasts"][0]),
        replace(second, templates=dealt["templates"][1], contrasts=dealt["contrasts"][1]),
    )


def _content(row: dict[str, Any]) -> str:
    """What makes a row the same as another: its examples, whatever the order of their choices."""
    parts = []
    for example in (row["example"], row.get("second", {})):
        parts.append({k: sorted(v) if isinstance(v, list) else v for k, v in example.items()})
    return json.dumps(parts, sort_keys=True)
