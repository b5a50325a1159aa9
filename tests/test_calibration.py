"""Probabilities that mean what they say."""

import numpy as np
import pytest
import torch

from models.calibration import expected_calibration_error, fit_temperature, reliability


def sharpened(temperature, rows=4000, seed=0):
    """Logits `temperature` times too sharp for labels that are drawn from their softmax."""
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(rows, 3, generator=generator) * 1.5
    labels = torch.multinomial(logits.softmax(-1), 1, generator=generator).squeeze(1)
    return [row * temperature for row in logits], labels.tolist()


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_temperature_that_sharpened_the_logits_is_found(temperature):
    assert fit_temperature(*sharpened(temperature)) == pytest.approx(temperature, rel=0.08)


def test_examples_may_differ_in_their_number_of_choices():
    logits = [torch.tensor([4.0, 0.0]), torch.tensor([0.0, 4.0, 0.0]), torch.tensor([4.0, 0.0])]
    assert fit_temperature(logits, [0, 1, 1]) > 1


def test_the_fitted_temperature_lowers_the_calibration_error():
    logits, labels = sharpened(3.0)
    fitted = fit_temperature(logits, labels)

    def error(temperature):
        p = torch.stack(logits).div(temperature).softmax(-1)
        top, predicted = p.max(-1)
        return expected_calibration_error(top.tolist(), (predicted == torch.tensor(labels)).tolist())

    assert error(fitted) < 0.03 < error(1.0)


def test_calibration_error_is_the_distance_of_confidence_from_share_right():
    assert expected_calibration_error([0.9] * 10, [True] * 9 + [False]) == pytest.approx(0)
    assert expected_calibration_error([0.9] * 10, [True] * 5 + [False] * 5) == pytest.approx(0.4)
    assert expected_calibration_error([], []) == 0


def test_reliability_leaves_empty_bins_out_and_counts_every_example():
    rows = reliability(np.linspace(0.5, 1.0, 50), [True] * 50, bins=10)
    assert len(rows) == 5
    assert sum(count for *_, count in rows) == 50


def test_nothing_to_fit_on_is_said():
    with pytest.raises(ValueError, match="found none"):
        fit_temperature([], [])
