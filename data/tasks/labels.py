"""Any labels: which of a person's own labels fits a text? An inference model needs no training for it."""

from data.tasks.base import Field, Task

TASK = Task(
    name="labels",
    title="Own labels",
    fields=(
        Field("text", "Text", lines=5, placeholder="A sentence, a message, a paragraph"),
        Field("choices", "Label", kind="choices"),
    ),
    labels=(),
    head="multiple_choice",
    text_pairs=lambda example: [(example["text"], choice) for choice in example["choices"]],
    split_field="text",
    prompt="{text}\nThe text above is about",
    claim="This text is about {label}.",
)
