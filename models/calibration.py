"""How far a version's probabilities can be trusted, and the temperature that mends them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

BINS = 15


def fit_temperature(logits: Sequence[torch.Tensor], labels: Sequence[int]) -> float:
    """The temperature that makes the labels most likely (Guo et al. 2017), between 0.2 and 10.

    `logits` holds for each example a tensor of shape (label,). Raises ValueError where there is none.
    """
    from scipy.optimize import minimize_scalar

    if not len(logits):
        raise ValueError("Expected validation examples to fit a temperature on; found none.")
    padded = torch.nn.utils.rnn.pad_sequence([row.double() for row in logits], True, float("-inf"))
    target = torch.tensor(labels)

    def negative_log_likelihood(log_temperature: float) -> float:
        return float(torch.nn.functional.cross_entropy(padded / float(np.exp(log_temperature)), target))

    found = minimize_scalar(negative_log_likelihood, bounds=(np.log(0.2), np.log(10)), method="bounded")
    return float(np.exp(found.x))


def reliability(
    confidences: Sequence[float], right: Sequence[bool], bins: int = BINS
) -> list[tuple[float, float, int]]:
    """For each bin of equal width that is not empty: mean confidence, share right, and how many fell in."""
    confidence, hit = np.asarray(confidences, float), np.asarray(right, float)
    number = np.minimum((confidence * bins).astype(int), bins - 1)
    return [
        (float(confidence[number == b].mean()), float(hit[number == b].mean()), int((number == b).sum()))
        for b in range(bins)
        if (number == b).any()
    ]


def expected_calibration_error(confidences: Sequence[float], right: Sequence[bool], bins: int = BINS) -> float:
    """Mean distance of confidence from share right, over the bins, each weighed by its size; 0 where empty."""
    rows = reliability(confidences, right, bins)
    total = sum(count for *_, count in rows)
    return sum(abs(mean - share) * count for mean, share, count in rows) / total if total else 0.0
