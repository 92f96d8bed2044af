"""The benchmark of tokenizing: both sides work, runs are interleaved, and the table tells medians."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import Any

import pytest

FILE = Path(__file__).resolve().parents[2] / "benchmarks" / "tokenizing.py"
spec = importlib.util.spec_from_file_location("tokenizing", FILE)
assert spec is not None
assert spec.loader is not None
tokenizing: Any = importlib.util.module_from_spec(spec)
spec.loader.exec_module(tokenizing)


def test_both_sides_work(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRETUNE_PROCESSES", "1")  # which the benchmark sets
    found = {}

    def run(side: str, spec: dict[str, Any]) -> dict[str, float]:
        found[side] = tokenizing.one(side, {**spec, "processes": 1})
        return found[side]

    assert tokenizing.main(["--smoke", f"--folder={tmp_path}"], run) > 0
    assert os.environ["PRETUNE_PROCESSES"] == "1"
    assert "| datasets |" in capsys.readouterr().out
    # The other side begins each line with a token more, and drops an incomplete block of every thousand lines.
    assert 0.9 < found["pretune"]["blocks"] / found["datasets"]["blocks"] < 1.02
    assert not list(tmp_path.glob("tmp*"))


def test_runs_are_interleaved(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.txt").write_text("one two three\n" * 50)
    seconds = iter([1.0, 8.0, 6.0, 2.0, 1.0, 7.0, 9.0, 3.0])
    order = []

    def run(side: str, spec: dict[str, Any]) -> dict[str, float]:
        order.append(side)
        assert spec["files"] == [str(tmp_path / "a.txt")]
        assert Path(spec["tokenizer"], "tokenizer.json").is_file()
        return {"seconds": next(seconds), "core_seconds": 1.0, "blocks": 1}

    assert tokenizing.main([str(tmp_path), "--rounds=2", "--vocabulary=100"], run) == 7.5 / 1.5
    assert order == ["pretune", "datasets", "datasets", "pretune"] * 2
    assert "| pretune | 1.5 | 1.0, 2.0, 1.0, 3.0 | 0.0 | 1.0 | 5.00 |" in capsys.readouterr().out


def test_words_never_run_out(tmp_path: Path) -> None:
    tokenizing.generate(tmp_path / "c.txt", 0.5)
    words = (tmp_path / "c.txt").read_text().lower().split()
    half = len(words) // 2
    assert len({*words} - {*words[:half]}) > 0.05 * half
    assert tokenizing.spelled(7) != tokenizing.spelled(len(tokenizing.SYLLABLES))
