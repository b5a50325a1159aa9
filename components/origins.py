"""Where a row comes from, in the language of the page: the rule that made it, or what the store says of it."""

from __future__ import annotations

import re

from components.languages import t

JOINTS = re.compile(r"(\+| (?=throughout$))")
"""Between the names of which a rule's is made, as in "names+verbs"."""
MADE = (
    "sibling of verdict {number}: {rule}",
    "contrast of verdict {number}: {rule}",
    "counterfactual: {rule}",
    "suite {suite}",
)
"""Origins that name what the row was made from."""


def rule_text(rule: str) -> str:
    """A rule's name in the language that is spoken."""
    return "".join(t(part) for part in JOINTS.split(rule))


def origin_text(origin: str) -> str:
    """An origin as the store has it, in the language that is spoken; one that is not ours stays as it is."""
    for text in MADE:
        shape = re.sub(r"\\{(\w+)\\}", r"(?P<\1>.+)", re.escape(text))
        if made := re.fullmatch(shape, origin):
            values = made.groupdict()
            return t(text, **{name: rule_text(value) if name == "rule" else value for name, value in values.items()})
    return t(origin)
