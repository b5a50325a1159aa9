"""How a task is put to a model that was not made for it: as a prompt for a language model, with words that answer
it, or as claims about a text for an inference model. A version keeps its own wording."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from string import Formatter
from typing import Any

from data.tasks.base import GUIDANCE, Example, Task, clean_text

MAX_CHARS = 20_000


@dataclass(frozen=True)
class Template:
    """A prompt with a slot `{name}` for each text field, and the words that stand for each label.

    A version keeps its own; `Task.prompt` and `Task.answers` are what a version begins with.
    """

    prompt: str
    answers: tuple[str, ...]
    """In the order of the task's labels; empty where a choice answers with its own text."""
    calibrated: bool = True
    """Whether an answer's score is taken relative to its score after the prompt with nothing in its slots."""

    def render(self, example: Example) -> tuple[str, dict[str, tuple[int, int]]]:
        """The prompt for an example, and where in it each field's text stands.

        A line whose slots are all empty is left out, but where every slot of the prompt is. Guidance stands first.
        """
        lines = [list(Formatter().parse(line)) for line in self.prompt.split("\n")]
        is_blank = not any(example.get(name) for line in lines for _, name, _, _ in line if name)
        text, places = (f"{example[GUIDANCE]}\n" if example.get(GUIDANCE) else ""), {}
        kept = [line for line in lines if is_blank or _says_something(line, example)]
        for number, line in enumerate(kept):
            text += "\n" if number else ""
            for literal, name, _, _ in line:
                text += literal
                if name:
                    places[name] = (len(text), len(text) + len(example.get(name) or ""))
                    text += example.get(name) or ""
        return text, places

    def continuations(self, task: Task, example: Example) -> list[str]:
        """What may follow the prompt, one text for each of `task.label_names(example)`."""
        gap = "" if self.prompt[-1:].isspace() else " "
        return [gap + words for words in (self.answers or task.label_names(example))]

    def to_dict(self, task: Task) -> dict[str, Any]:
        """As `version.json` keeps it and `parse_template` reads it."""
        answers = dict(zip(task.labels, self.answers, strict=True))
        return {"prompt": self.prompt, "answers": answers, "calibrated": self.calibrated}


@dataclass(frozen=True)
class Claim:
    """What an inference model is asked of a text: whether it entails a claim with `{label}` filled in."""

    claim: str
    answers: tuple[str, ...]
    """The words for each label, in the task's order; empty where choices are the labels."""

    def text(self, task: Task, example: Example) -> str:
        """The premise: the example's text fields."""
        return "\n".join(example[f.name] for f in task.fields if f.kind == "text" and example[f.name])

    def hypotheses(self, task: Task, example: Example) -> list[str]:
        """One for each of `task.label_names(example)`."""
        return [self.claim.replace("{label}", words) for words in (self.answers or task.label_names(example))]

    def to_dict(self, task: Task) -> dict[str, Any]:
        return {"claim": self.claim, "answers": dict(zip(task.labels, self.answers, strict=True))}


def parse_claim(task: Task, value: Mapping[str, Any] | None) -> Claim:
    """The claim of a version's card, or the task's own where it has none. Raises ValueError."""
    if value is None:
        return Claim(task.claim, task.labels)
    _check_object(value, "claim", ("answers",))
    if value["claim"].count("{label}") != 1:
        raise ValueError(
            f"The claim: expected the slot {{label}} once, as in {task.claim!r}; found {value['claim']!r}."
        )
    return Claim(value["claim"], _parse_answers(task, value.get("answers"), task.labels))


def default_template(task: Task) -> Template:
    return Template(task.prompt, task.answers)


def parse_template(task: Task, value: Mapping[str, Any] | None) -> Template:
    """The template of a version's card, or the task's own where it has none. Raises ValueError."""
    if value is None:
        return default_template(task)
    _check_object(value, "prompt", ("answers", "calibrated"))
    _check_slots(task, value["prompt"])
    words = _parse_answers(task, value.get("answers"), task.answers)
    return Template(value["prompt"], words, bool(value.get("calibrated", True)))


def _check_object(value: Any, main: str, others: tuple[str, ...]) -> None:
    """Raises ValueError unless `value` is a mapping with a text under `main` and nothing unknown."""
    if not isinstance(value, Mapping) or not isinstance(value.get(main), str):
        raise ValueError(f'The template: expected an object with "{main}" and "answers"; found {value!r:.80}.')
    unknown = sorted(set(value) - {main, *others})
    if unknown:
        raise ValueError(f"The template: expected {main}, {', '.join(others)}; found {', '.join(unknown)} too.")


def _parse_answers(task: Task, value: Any, own: tuple[str, ...]) -> tuple[str, ...]:
    """The words for each label, `own` where there is no value. Raises ValueError."""
    answers = value or dict(zip(task.labels, own, strict=True))
    if not isinstance(answers, Mapping) or set(answers) != set(task.labels):
        raise ValueError(
            f"The template's answers: expected words for {', '.join(task.labels) or 'none, choices are'}; "
            f"found them for {', '.join(map(str, answers)) or 'none'}."
        )
    words = tuple(clean_text(str(answers[label])) for label in task.labels)
    for label, word in zip(task.labels, words, strict=True):
        if not word or words.count(word) > 1:
            wrong = "none" if not word else f"{word!r} for more than one"
            raise ValueError(
                f"The template's answers: expected words of its own for each label; {label} has {wrong}."
            )
    return words


def _check_slots(task: Task, prompt: str) -> None:
    """Raises ValueError unless the prompt has a slot for each text field, and no other."""
    wanted = [field.name for field in task.fields if field.kind == "text"]
    shown = ", ".join(f"{{{name}}}" for name in wanted)
    if len(prompt) > MAX_CHARS:
        raise ValueError(f"The template: expected at most {MAX_CHARS:,} characters; found {len(prompt):,}.")
    try:
        slots = [tuple(slot) for _, *slot in Formatter().parse(prompt) if slot[0] is not None]
    except ValueError as error:
        raise ValueError(f"The template: {error}. Write {{{{ and }}}} for braces that are no slot.") from None
    found = [name for name, _, _ in slots]
    missing = [f"{{{name}}}" for name in wanted if name not in found]
    if missing:
        raise ValueError(f"The template of {task.name}: expected the slots {shown}; {', '.join(missing)} missing.")
    for name, spec, conversion in slots:
        if name not in wanted or spec or conversion:
            raise ValueError(
                f"The template of {task.name}: expected the slots {shown}; found {{{name}}}, which is no field."
            )
        if found.count(name) > 1:
            raise ValueError(f"The template of {task.name}: expected {{{name}}} once; found it more often.")


def _says_something(line: list[Any], example: Example) -> bool:
    names = [name for _, name, _, _ in line if name]
    return not names or any(example.get(name) for name in names)
