"""Tries examples of a strategy: few and always the same ones, or as many as there is time for."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import hypothesis
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

MINUTES = float(os.environ.get("PRETUNE_FUZZ_MINUTES", "0"))
"""For all tests together; 0 is the short form."""
SHARES = 85
"""Tests among which they are divided."""
SEED = int(os.environ.get("PRETUNE_FUZZ_SEED", "0"))
AT_ONCE = 100
"""Examples of one seed in the long form."""


def explore(strategy: st.SearchStrategy[Any], check: Callable[[Any], None], examples: int) -> None:
    """Runs a check on examples.

    Args:
        strategy: of the examples.
        check: raises where one goes wrong.
        examples: in the short form.
    """

    def run(seed: int, number: int) -> None:
        chosen = settings(
            max_examples=number, deadline=None, database=None, suppress_health_check=list(HealthCheck),
            phases=[Phase.generate, Phase.shrink], print_blob=False,
        )  # fmt: skip
        hypothesis.seed(seed)(chosen(hypothesis.given(strategy)(check)))()

    end = time.monotonic() + 60 * MINUTES / SHARES
    run(SEED, examples)
    seed = SEED
    while time.monotonic() < end:
        seed += 1
        print(f"seed {seed}", flush=True)
        run(seed, AT_ONCE)
