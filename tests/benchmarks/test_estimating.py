"""The benchmark of `estimate`: it runs, and tiny networks are not far off."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

FILE = Path(__file__).resolve().parents[2] / "benchmarks" / "estimating.py"
spec = importlib.util.spec_from_file_location("estimating", FILE)
assert spec is not None
assert spec.loader is not None
estimating: Any = importlib.util.module_from_spec(spec)
sys.modules["estimating"] = estimating  # its dataclasses look there
spec.loader.exec_module(estimating)


@pytest.mark.slow
def test_tiny_networks(capsys: pytest.CaptureFixture[str]) -> None:
    found = estimating.main(["--smoke", "--precisions", "bf16-mixed", "--steps", "2"])
    assert list(found) == [(name, "bf16-mixed") for name in estimating.SMOKE]
    for of in found.values():
        assert of["estimated"] == pytest.approx(of["allocated"], rel=0.1)
        assert of["resident"] > of["allocated"] / 2
        assert of["seconds"] > 0
    assert capsys.readouterr().out.count("| bf16-mixed |") == 2


def test_the_first_of_a_kind_gives_the_speed() -> None:
    case = estimating.Case("masked", "MaskedLanguageModeling", {}, 1, 1)
    of = {"estimated": 1e6, "allocated": 2e6, "process": 1e6, "resident": 4e6, "flops": 1e9, "seconds": 1.0}
    found = {("a", "32-true"): of, ("b", "32-true"): {**of, "flops": 3e9, "seconds": 2.0}}
    lines = estimating.table(found, {"a": case, "b": case}).splitlines()
    assert lines[2].endswith("| given | 1000 | |")
    assert lines[3] == "| b | 32-true | 1 | 2 | -50% | 1 | 4 | -75% | 3000 | 2000 | +50% |"
