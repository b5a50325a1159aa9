"""Variants of a text whose spans are known: other names of the same type, or the same names where they have another
one."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

from data.lexicon import entity_names, members
from data.tasks import Example
from data.tasks.spans import Span, Spans, SpanTask

SWAPPED = "entities of one type swapped"
FRAMED = "the same name as another type"
PERSON = "PER"
FRAMES = {
    "PER": (
        "{} was born in spring and learnt to read late.",
        "My neighbour {} has lost her keys.",
        "{} smiled and sat down again.",
        "I asked {} what he thought of it.",
    ),
    "LOC": (
        "The town of {} lies an hour to the north.",
        "We spent two nights in {} and then drove home.",
        "Heavy rain has flooded the streets of {}.",
        "The train to {} leaves at nine.",
    ),
    "ORG": (
        "Shares of {} fell by four percent.",
        "{} hired two hundred workers and opened a plant.",
        "The board of {} met on Monday.",
        "She works as an accountant at {}.",
    ),
    "MISC": (
        "The film {} was shown in two halls.",
        "Her second album, {}, sold well.",
        "The novel {} has four hundred pages.",
        "A new edition of the game {} is out.",
    ),
}
"""Sentences that say of what type the name is, whatever it is called."""

Row = tuple[Example, Spans]


def swaps(task: SpanTask, example: Example, spans: Spans, count: int, seed: int) -> list[Row]:
    """Up to `count` texts with every entity exchanged for another of its type, a repeated one each time for the same.

    Empty where no entity can be. Handles and hashtags stay as they are.
    """
    rng = random.Random(f"{seed} {task.content_hash(example)}")
    text = example[task.fields[0].name]
    names = {(text[s.start : s.end], s.label) for s in spans if not _is_mark(text, s)}
    if not names or count < 1:
        return []

    def draw() -> Row:
        chosen = {key: like(key[0], draw_name(key[1], key[0], rng)) for key in sorted(names)}
        return replaced(task, example, spans, chosen)

    return _different(task, example, draw, count)


def frames(task: SpanTask, example: Example, spans: Spans, count: int, seed: int) -> list[Row]:
    """Up to `count` sentences in which a one-word name of the example is of another type. May be empty."""
    rng = random.Random(f"{seed} frames {task.content_hash(example)}")
    text = example[task.fields[0].name]
    field = task.fields[0].name
    single = [s for s in spans if text[s.start : s.end].isalpha() and not _is_mark(text, s)]
    pairs = [(s, name, frame) for s in single for name in FRAMES if name != s.label for frame in FRAMES[name]]
    rng.shuffle(pairs)
    rows: list[Row] = []
    for span, name, frame in pairs[: max(count, 0)]:
        word, start = text[span.start : span.end], frame.index("{}")
        rows.append(({field: frame.format(word)}, (Span(start, start + len(word), name),)))
    return rows


def replaced(task: SpanTask, example: Example, spans: Spans, chosen: dict[tuple[str, str], str]) -> Row:
    """The example with other names, and the spans where they stand now. Raises ValueError as parsers do."""
    field = task.fields[0].name
    text, parts, moved, place, length = example[field], [], [], 0, 0
    for span in spans:
        old = text[span.start : span.end]
        new = chosen.get((old, span.label), old)
        parts += [text[place : span.start], new]
        length += span.start - place
        moved.append(Span(length, length + len(new), span.label))
        length, place = length + len(new), span.end
    changed = task.parse_example({**example, field: "".join([*parts, text[place:]])})
    return changed, task.parse_label(moved, changed)


def draw_name(label: str, old: str, rng: random.Random) -> str:
    """Another name of that type; a person has as many words as before, at most two."""
    if label != PERSON:
        return rng.choice([name for name in entity_names(label) if name.casefold() != old.casefold()])
    first, last = rng.choice(members(rng.choice(("female", "male")))), rng.choice(members("surname"))
    return f"{first} {last}" if " " in old else rng.choice((first, last))


def like(old: str, new: str) -> str:
    """The new name in the old one's case, where that is all small or all large."""
    if old.islower():
        return new.lower()
    return new.upper() if old.isupper() and len(old) > 4 else new


def _is_mark(text: str, span: Span) -> bool:
    return "@" in text[max(span.start - 1, 0) : span.end] or "#" in text[max(span.start - 1, 0) : span.end]


def _different(task: SpanTask, example: Example, draw: Callable[[], Row], count: int) -> list[Row]:
    """What `draw` gives, each content once; it is asked a few times for each."""
    rows: list[Row] = []
    seen = {task.content_hash(example)}
    for row in _tries(draw, 4 * count):
        if len(rows) == count:
            break
        if (key := task.content_hash(row[0])) not in seen:
            seen.add(key)
            rows.append(row)
    return rows


def _tries(draw: Callable[[], Row], count: int) -> Iterator[Row]:
    for _ in range(count):
        yield draw()
