"""What the store says in English of its own accord, in the language of the page: origins, rules and reasons."""

from __future__ import annotations

import re

from components.languages import t

JOINTS = re.compile(r"(\+| (?=throughout$))")
"""Between the names of which a rule's is made, as in "names+verbs"."""
SHAPES = (
    "sibling of verdict {number}: {rule}",
    "contrast of verdict {number}: {rule}",
    "counterfactual: {rule}",
    "suite {suite}",
    "general accuracy on the retention set fell by {fall} points (at most {budget})",
    "accuracy on contrasts of the corrections fell by {fall} points (at most {budget})",
    "rollback of {version}",
    "{version} cannot be loaded",
)
"""Texts that name something."""


def rule_text(rule: str) -> str:
    """A rule's name in the language that is spoken."""
    return "".join(t(part) for part in JOINTS.split(rule))


def stored_text(text: str) -> str:
    """An origin or reason as the store has it, in the language that is spoken; another text stays as it is."""
    for shape in SHAPES:
        if made := re.fullmatch(re.sub(r"\\{(\w+)\\}", r"(?P<\1>.+)", re.escape(shape)), text):
            values = made.groupdict()
            return t(shape, **{name: rule_text(value) if name == "rule" else value for name, value in values.items()})
    return t(text)
