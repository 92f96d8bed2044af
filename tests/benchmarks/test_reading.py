"""The benchmark of reading works; its figures are nobody's business here."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

FILE = Path(__file__).resolve().parents[2] / "benchmarks" / "reading.py"


@pytest.mark.slow
def test_both_tables() -> None:
    done = subprocess.run([sys.executable, str(FILE), "--smoke"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    rows = [line.strip("| ").split(" | ") for line in done.stdout.splitlines() if line.startswith("| ")]
    assert [row[0] for row in rows] == [
        "blocks",
        "1,000,000",
        "10,000,000",
        "store",
        "disk",
        "HTTP",
        "HTTP, 50 ms away",
    ]
    assert all(float(row[1].replace(",", "")) > 0 for row in rows[4:])
