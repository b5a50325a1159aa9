"""What the parts under the page say in English of their own accord, in the page's language: origins, rules, reasons
and what is wrong with an input."""

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
    "CPU, {count} threads",
    "line {line}: {reason}",
    "and {count} more",
    "{field} is empty. Type or paste a text.",
    "{field}: expected text; found {found}.",
    "{field}: expected a list of texts; found {found}.",
    "{field}: expected at most {most} characters; found {found}. Shorten it.",
    "Expected as label {names}; found {found}.",
    "Expected as category one of {names}; found {found}.",
    "Expected as kind correction or confirmation; found {found}.",
    "expected an object with {names}; found {found}",
    "To {act} takes the role {roles}; you are {role}. Ask an admin.",
    "{count} rows are malformed: nothing was imported. Mend them, or allow it.",
)
"""Texts that name something."""


def rule_text(rule: str) -> str:
    """A rule's name in the language that is spoken."""
    return "".join(t(part) for part in JOINTS.split(rule))


def stored_text(text: str) -> str:
    """An origin, a reason or an error, in the language that is spoken; another text stays as it is."""
    for shape in SHAPES:
        if made := re.fullmatch(re.sub(r"\\{(\w+)\\}", r"(?P<\1>.+)", re.escape(shape)), text):
            return t(shape, **{name: SPOKEN.get(name, str)(value) for name, value in made.groupdict().items()})
    return t(text)


SPOKEN = {"rule": rule_text, "field": t, "reason": stored_text, "act": t, "role": t}
"""How what a shape names is said; else as it stands."""
