"""Named entities: which stretches of the text name a person, a place, an organisation or something else?"""

from data.tasks.base import Field
from data.tasks.spans import SpanTask

TASK = SpanTask(
    name="ner",
    title="Entities",
    fields=(Field("text", "Text", lines=4, placeholder="A sentence with names in it"),),
    labels=(),
    head="token_classification",
    text_pairs=lambda example: [(example["text"], None)],
    split_field="text",
    prompt="",
    types=("PER", "LOC", "ORG", "MISC"),
    categories=(
        "lower case",
        "ambiguous names",
        "nested titles",
        "unseen names",
        "possessives",
        "lists",
        "boundary",
        "type",
        "missed",
        "invented",
        "other",
    ),
)
