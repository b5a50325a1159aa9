"""Sentiment: is the text negative, neutral or positive?"""

from data.tasks.base import Field, Task

TASK = Task(
    name="sentiment",
    title="Sentiment",
    fields=(Field("text", "Text", lines=5, placeholder="A sentence or a review"),),
    labels=("negative", "neutral", "positive"),
    head="sequence_classification",
    text_pairs=lambda example: [(example["text"], None)],
    split_field="text",
    prompt="{text}\nThe feeling of this text is",
    answers=("negative", "neutral", "positive"),
)
