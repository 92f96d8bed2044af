"""The gradient does not depend on how 16 examples are cut into batches."""

from __future__ import annotations

from typing import Any

import pytest
from gpu_support import ACCELERATOR, ROUNDING, same, some
from test_invariances import CASES, step_once  # type: ignore[import-not-found]


@pytest.mark.parametrize("case", some(CASES, [CASES[0], CASES[1]]), ids="-".join)
def test_16x1_is_8x2_is_4x4(case: tuple[str, str], tokenizer: Any) -> None:
    where = {"accelerator": ACCELERATOR, "devices": 1, "precision": "32-true"}
    whole = step_once(case, tokenizer, 16, 1, accelerator="cpu", precision="32-true")
    for batch_size, accumulate in ((16, 1), (8, 2), (4, 4), (5, 4)):
        found = step_once(case, tokenizer, batch_size, accumulate, **where)
        same(found, whole, ROUNDING, f"{batch_size} x {accumulate}")
