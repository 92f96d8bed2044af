"""The benchmark of few labels: what is drawn, what a failed run is, and the table."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from tests_support import sentence

FILE = Path(__file__).resolve().parents[2] / "benchmarks" / "few_labels.py"
spec = importlib.util.spec_from_file_location("few_labels", FILE)
assert spec is not None
assert spec.loader is not None
few_labels: Any = importlib.util.module_from_spec(spec)
before, tasks = list(sys.path), sys.modules.pop("tasks", None)
spec.loader.exec_module(few_labels)
sys.path[:] = before


def test_every_label_is_drawn() -> None:
    rows = [{"text": f"{i}", "label": 0 if i == 7 else 1 + i % 2} for i in range(500)]
    for seed in range(5):
        found = few_labels.draw(rows, 20, seed)
        assert len(found) == 20 == len({row["text"] for row in found})
        assert set(Counter(row["label"] for row in found)) == {0, 1, 2}
        assert found == few_labels.draw(rows, 20, seed)
    assert few_labels.draw(rows, 20, 1) != few_labels.draw(rows, 20, 2)


def test_what_is_done_is_kept_and_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for part in ("train", "validation", "test"):
        rows = [{"sentence": sentence(i), "label": i % 2} for i in range(40)]
        path = tmp_path / "data" / "sst2" / f"{part}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(map(json.dumps, rows)))
    ran: list[tuple[str, int, int]] = []

    def runner(side: str, spec: dict[str, Any], log: Path) -> dict[str, Any] | None:
        ran.append((side, spec["seed"], len(Path(spec["files"]["train"]).read_text().splitlines())))
        assert ("options" in spec) == (side == "ours")
        if side == "trainer":
            assert spec["batch_size"] == 8
        score = 0.5 if side == "trainer" and spec["seed"] == 2 else 0.7
        return {"validation": score, "test": {"accuracy": score}, "seconds": 1.0, "cpu_seconds": 3.0}

    args = [str(tmp_path / "data"), "--tasks", "sst2:12", "--seeds", "1", "2", "--rows", "20", f"--model={tmp_path}"]
    args += ["--cases", "trainer", "few_labels"]
    assert few_labels.main(args, runner) == 0
    assert ran == [("trainer", 1, 12), ("ours", 1, 12), ("trainer", 2, 12), ("ours", 2, 12)]
    printed = capsys.readouterr().out
    assert "| sst2:12 accuracy | 60.0 ± 14.1 (3 s, 1 failed, 2) | 70.0 ± 0.0 (3 s, 2) |" in printed
    assert "| mean of 1 | 60.0 | 70.0 |" in printed
    ran.clear()
    few_labels.main(args, runner)
    assert ran == []
    with pytest.raises(SystemExit, match="no task other"):
        few_labels.main([str(tmp_path), "--tasks", "other:100"])
