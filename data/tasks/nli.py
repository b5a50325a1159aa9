"""Natural language inference: does the premise entail the hypothesis?"""

from data.tasks.base import Field, Task

TASK = Task(
    name="nli",
    title="Inference",
    fields=(
        Field("premise", "Premise", lines=3, placeholder="What is known to be true"),
        Field("hypothesis", "Hypothesis", placeholder="What may or may not follow from it"),
    ),
    labels=("entailment", "neutral", "contradiction"),
    head="sequence_classification",
    text_pairs=lambda example: [(example["premise"], example["hypothesis"])],
    split_field="premise",
    prompt="{premise}\nQuestion: {hypothesis} Yes, no or maybe?\nAnswer:",
    answers=("yes", "maybe", "no"),
)
