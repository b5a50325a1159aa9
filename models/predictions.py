"""What a version says of an example."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Prediction:
    probabilities: list[float]
    """In the order of `Task.label_names(example)`; they sum to 1. Of spans one: of all of them together."""
    tokens_dropped: int
    """How many tokens did not fit the model's window and were left out of the answer."""

    @property
    def label(self) -> Any:
        """Index of the most probable label."""
        return max(range(len(self.probabilities)), key=self.probabilities.__getitem__)

    @property
    def confidence(self) -> float:
        """How probable the answer is."""
        return max(self.probabilities)

    def probability(self, label: Any) -> float:
        """How probable that label is."""
        return self.probabilities[label]
