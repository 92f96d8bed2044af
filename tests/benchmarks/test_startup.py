"""The benchmark of start-up works; its figures are nobody's business here."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

FILE = Path(__file__).resolve().parents[2] / "benchmarks" / "startup.py"
spec = importlib.util.spec_from_file_location("startup_benchmark", FILE)
assert spec is not None
assert spec.loader is not None
startup: Any = importlib.util.module_from_spec(spec)
sys.modules["startup_benchmark"] = startup
spec.loader.exec_module(startup)


def test_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [line.split(" | ") for line in startup.main(["--smoke"]).splitlines()[2:]]
    assert [row[0].lstrip("| ") for row in rows] == [
        "python",
        "main.py --help",
        "main.py compare --help",
        "warm fit: sanity validation begins",
        "warm fit: sanity validation has ended",
        "warm fit: first optimizer step has ended",
    ]
    walls = [float(row[1]) for row in rows]
    assert all(wall > 0 for wall in walls)
    assert walls[3:] == sorted(walls[3:])
    assert "cores, Python 3" in capsys.readouterr().out


def test_medians() -> None:
    runs = [{"x": (wall, cpu)} for wall, cpu in ((3.0, 0.3), (1.0, 0.1), (2.0, 0.2))]
    assert startup.table(runs).splitlines()[-1] == "| x | 2.00 | 0.20 |"


def test_a_failing_command_says_why(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="no such thing"):
        startup.launch(["-c", "raise SystemExit('no such thing')"], tmp_path)
