"""What summary.json holds."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pretune.cli.callbacks.report import RunReport


def test_numbers_that_are_none_are_null(tmp_path: Path) -> None:
    """NaN is no JSON: whoever reads it strictly would fail."""
    trainer: Any = SimpleNamespace(is_global_zero=True, fast_dev_run=False)
    RunReport(tmp_path).add(trainer, "before", {"val/loss": float("nan"), "rows": [1, float("inf")], "name": "a"})
    found = json.loads((tmp_path / "summary.json").read_text(), parse_constant=lambda name: pytest.fail(name))
    assert found == {"before": {"val/loss": None, "rows": [1, None], "name": "a"}}
