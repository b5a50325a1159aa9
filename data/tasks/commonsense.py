"""Commonsense: which of two to five choices fits the context and the question?"""

from data.tasks.base import Example, Field, Task


def text_pairs(example: Example) -> list[tuple[str, str | None]]:
    first = " ".join(part for part in (example["context"], example["question"]) if part)
    return [(first, choice) for choice in example["choices"]]


TASK = Task(
    name="commonsense",
    title="Commonsense",
    fields=(
        Field("context", "Context", required=False, lines=3, placeholder="A scene; may be empty"),
        Field("question", "Question", required=False, placeholder="What is asked; may be empty"),
        Field("choices", "Choice", kind="choices"),
    ),
    labels=(),
    head="multiple_choice",
    text_pairs=text_pairs,
    split_field="context",
    prompt="{context}\n{question}\nAnswer:",
)
