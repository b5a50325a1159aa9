"""Intervals hold what they should, narrow with rows, and say nothing of nothing."""

import pytest

from models.intervals import difference_interval, mcnemar, share_interval


def test_share_interval_holds_the_share_and_narrows_with_more_rows():
    low, high = share_interval(8, 10)
    assert low < 0.8 < high
    assert share_interval(800, 1000)[0] > low
    assert share_interval(0, 0) == (0.0, 1.0)
    assert share_interval(0, 20)[0] == pytest.approx(0.0)


def test_difference_of_one_version_with_itself_is_nothing():
    assert difference_interval([True, False] * 30, [True, False] * 30) == (0.0, 0.0)
    assert difference_interval([], []) == (0.0, 0.0)


def test_difference_interval_is_paired_and_the_same_each_time():
    before = [True] * 50 + [False] * 50
    after = [True] * 50 + [False] * 40 + [True] * 10
    low, high = difference_interval(before, after)
    assert 0 < low < 0.1 < high < 0.2  # unpaired, it would reach below 0
    assert difference_interval(before, after) == (low, high)


def test_difference_of_unequal_lengths_is_refused():
    with pytest.raises(ValueError, match="found 1 and 2"):
        difference_interval([True], [True, False])


def test_mcnemar_counts_only_what_changed():
    assert mcnemar(0, 0) == 1.0
    assert mcnemar(5, 5) == 1.0
    assert mcnemar(10, 0) == pytest.approx(2 / 2**10)
    assert mcnemar(0, 10) == mcnemar(10, 0)
