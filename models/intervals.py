"""How sure a count is: intervals of a share, and of the difference between two versions on the same rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

RESAMPLES = 2000


def share_interval(hits: int, rows: int) -> tuple[float, float]:
    """95 % interval of hits / rows (Wilson 1927); (0, 1) where there are no rows."""
    if not rows:
        return 0.0, 1.0
    from scipy.stats import binomtest

    found = binomtest(hits, rows).proportion_ci(0.95, method="wilson")
    return float(found.low), float(found.high)


def difference_interval(before: Sequence[bool], after: Sequence[bool], seed: int = 0) -> tuple[float, float]:
    """95 % interval of mean(after) - mean(before) over the same rows, by paired bootstrap (percentiles).

    (0, 0) where there are no rows. Raises ValueError where the lengths differ.
    """
    if len(before) != len(after):
        raise ValueError(f"Expected both versions' answers to the same rows; found {len(before)} and {len(after)}.")
    change = np.asarray(after, float) - np.asarray(before, float)
    if not len(change):
        return 0.0, 0.0
    drawn = np.random.default_rng(seed).integers(0, len(change), (RESAMPLES, len(change)))
    low, high = np.quantile(change[drawn].mean(axis=1), (0.025, 0.975))
    return float(low), float(high)


def mcnemar(fixed: int, broken: int) -> float:
    """Exact two-sided p-value of McNemar's test: that fixes and breaks are equally likely (1 where neither is)."""
    if not fixed + broken:
        return 1.0
    from scipy.stats import binomtest

    return float(binomtest(fixed, fixed + broken, 0.5).pvalue)
