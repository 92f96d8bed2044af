"""Checks of options that every level shares."""

from __future__ import annotations

import math

import pytest

from pretune.errors import InputError, check_range


def test_what_is_in_its_range_passes() -> None:
    check_range("data.batch_size", 1, least=1)
    check_range("data.validation_fraction", 0.0, least=0, below=1)
    check_range("data.short_fraction", 1.0, least=0, most=1)
    check_range("data.tokens_per_batch", None, least=1)


@pytest.mark.parametrize(
    ("value", "bounds", "said"),
    [
        (0, {"least": 1}, "at least 1"),
        (1.0, {"least": 0, "below": 1}, "at least 0 and below 1"),
        (-0.1, {"least": 0, "below": 1}, "at least 0 and below 1"),
        (0.0, {"above": 0, "most": 1}, "above 0 and at most 1"),
        (1.5, {"above": 0, "most": 1}, "above 0 and at most 1"),
        (math.nan, {"least": 0}, "at least 0"),
    ],
)
def test_what_is_outside_is_named(value: float, bounds: dict[str, float], said: str) -> None:
    with pytest.raises(InputError) as error:
        check_range("model.some", value, **bounds)
    assert str(error.value) == f"model.some is {value}; it must be {said}."
