"""The tests of the device: `python correctness.py SPEC.json` runs `tests/gpu` in several processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "speed")]
import turn  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
PROCESSES = 8


def run(spec: dict[str, Any]) -> dict[str, Any]:
    """Runs the tests; what failed is part of the result, and no failure of the run."""
    report = Path(spec["folder"], "tests.xml")
    processes = max(1, min(PROCESSES, (os.cpu_count() or 1) // 2))
    around = dict(os.environ)
    if spec["device"] == "cpu":
        around["PRETUNE_GPU_TESTS"] = "cpu"
    options = ["-q", "-n", str(processes), f"--junitxml={report}", *spec.get("tests", [])]
    command = [sys.executable, "-m", "pytest", *options, "tests/gpu"]
    done = subprocess.run(command, cwd=ROOT, env=around, check=False)
    if not report.is_file():
        raise SystemExit(done.returncode or 1)
    suite = next(ET.parse(report).getroot().iter("testsuite"))
    counts = {key: int(suite.get(key, 0)) for key in ("tests", "failures", "errors", "skipped")}
    wrong = [
        f"{case.get('classname', '').rpartition('.')[2]}::{case.get('name')}"
        for case in suite.iter("testcase")
        if case.find("failure") is not None or case.find("error") is not None
    ]
    passed = counts["tests"] - counts["failures"] - counts["errors"] - counts["skipped"]
    return {"value": passed, "failed": wrong, "skipped": counts["skipped"]}


if __name__ == "__main__":
    given = json.loads(Path(sys.argv[1]).read_text())
    turn.wait_for_go(given)
    Path(given["result"]).write_text(json.dumps(run(given)))
