"""A temperature is the one that makes what is right likeliest; errors are those of a reference written out here."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from pretune.modules.calibration.temperature import Calibration, calibration_error, fit_temperature, likelihood


def drawn(classes: int, temperature: float, rows: int = 20_000) -> tuple[torch.Tensor, torch.Tensor]:
    """Return logits that are too sure by a factor, and targets drawn by the true probabilities."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(rows, classes, generator=generator)
    return logits * temperature, torch.multinomial(logits.softmax(-1), 1, generator=generator).squeeze(1)


def reference(sure: np.ndarray, right: np.ndarray, bins: int = 15) -> float:
    """Return the calibration error as Guo et al. write it: bins of equal width, weighted by what lies in them."""
    error = 0.0
    for low in range(bins):
        inside = (sure > low / bins) & (sure <= (low + 1) / bins)
        if inside.any():
            error += inside.mean() * abs(right[inside].mean() - sure[inside].mean())
    return error


@pytest.mark.parametrize("temperature", [0.4, 1.0, 2.5, 8.0])
@pytest.mark.parametrize("classes", [2, 5])
def test_a_known_temperature_is_found(classes: int, temperature: float) -> None:
    logits, targets = drawn(classes, temperature)
    found = fit_temperature(logits, targets)
    assert found is not None
    assert found.temperature == pytest.approx(temperature, rel=0.05)
    assert found.targets == len(logits)
    grid = [likelihood(logits.double() / (found.temperature * by), targets) for by in (0.9, 0.99, 1.01, 1.1)]
    assert found.nll_after < min(grid)
    assert found.nll_after <= found.nll_before
    assert found.ece_after < 0.02
    if temperature > 2:
        assert found.ece_before > 5 * found.ece_after


def test_a_known_temperature_of_several_labels_and_of_choices() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(5_000, 4, generator=generator)
    targets = torch.bernoulli(logits.sigmoid(), generator=generator)
    found = fit_temperature(logits * 3, targets)
    assert found is not None
    assert found.temperature == pytest.approx(3, rel=0.05)
    wide, right = drawn(3, 2.0)
    padded = torch.cat((wide, torch.full((len(wide), 2), -torch.inf)), 1)
    assert fit_temperature(padded, right) == fit_temperature(wide, right)


def test_errors_are_those_of_the_reference() -> None:
    logits, targets = drawn(4, 2.0, 3_000)
    sure, chosen = (values.numpy() for values in logits.double().softmax(-1).max(-1))
    assert calibration_error(logits.double(), targets) == pytest.approx(
        reference(sure, chosen == targets.numpy()), abs=1e-6
    )
    several = (torch.rand(3_000, 4, generator=torch.Generator().manual_seed(1)) < 0.3).long()
    yes = logits.double().sigmoid().flatten().numpy()
    assert calibration_error(logits.double(), several) == pytest.approx(
        reference(yes, several.flatten().numpy()), abs=1e-6
    )
    rows = torch.tensor([[math.log(0.9), math.log(0.1)]] * 10, dtype=torch.double)
    assert calibration_error(rows, torch.tensor([0] * 6 + [1] * 4)) == pytest.approx(0.3)
    assert likelihood(rows, torch.zeros(10)) == pytest.approx(-math.log(0.9))


def test_nothing_is_made_up_where_no_temperature_is_best() -> None:
    logits = torch.tensor([[3.0, 0.0], [0.0, 1.0]] * 50)
    assert fit_temperature(logits, torch.tensor([0, 1] * 50)) is None  # the surest would be best
    assert fit_temperature(logits, torch.tensor([1, 0] * 50)) is None  # the least sure
    assert fit_temperature(logits, torch.tensor([0, 1, 0, 0] * 25)) is not None


def test_a_calibration_error_that_rises_is_told_with_both_numbers() -> None:
    worse = Calibration(0.8, 62, 0.6123, 0.6001, 0.0965, 0.1774).worsened()
    assert worse is not None
    assert worse.startswith(
        "The temperature made the negative log likelihood better (0.6123 -> 0.6001), which is what is fitted, and the "
        "calibration error by 15 bins worse (0.0965 -> 0.1774), on the rows that it was fitted on; 62 targets, 4 a "
        "bin, are few to tell by. "
    )
    many = Calibration(0.8, 6000, 0.6123, 0.6001, 0.01, 0.02).worsened()
    assert many is not None
    assert "few" not in many
    assert Calibration(0.8, 62, 0.6123, 0.6001, 0.0965, 0.09652).worsened() is None  # the same in what is shown
    assert Calibration(0.8, 62, 0.6123, 0.6001, 0.2, 0.1).worsened() is None


def test_likelihood_can_be_better_where_the_calibration_error_is_not() -> None:
    """Ten rows of 0.7, of which seven are right, have no error; one that is sure and wrong draws all down."""
    odds = math.log(0.7 / 0.3)
    logits = torch.tensor([[odds, 0.0]] * 50 + [[6.0, 0.0]] * 2)
    targets = torch.tensor(([0] * 7 + [1] * 3) * 5 + [1] * 2)
    found = fit_temperature(logits, targets)
    assert found is not None
    assert found.nll_after < found.nll_before
    assert (found.worsened() is not None) == (found.ece_after > found.ece_before)
    assert found.worsened() is not None
