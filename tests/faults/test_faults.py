"""A handful of each kind of fault; `python tests/faults --help` tells how to try many."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import pretune

FEW = {"kills": 2, "signals": 2, "damages": 7, "races": 2, "full_disks": 2, "numbers": 4}


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    folder = tmp_path_factory.mktemp("faults")
    environment = {k: v for k, v in os.environ.items() if k not in ("PL_GLOBAL_SEED", "LOCAL_RANK", "PRETUNE_CACHE")}
    counts = [f"--{kind}={number}" for kind, number in FEW.items()]
    done = subprocess.run(
        [sys.executable, str(Path(__file__).parent), *counts, "--seed=1", f"--folder={folder}"],
        env={**environment, "PYTHONPATH": str(Path(pretune.__file__).parent.parent)},
        capture_output=True, text=True, timeout=1200,
    )  # fmt: skip
    lines = (folder / "results.jsonl").read_text().splitlines() if (folder / "results.jsonl").is_file() else []
    assert done.returncode in (0, 1), done.stderr
    assert lines, done.stderr
    found: dict[str, list[str]] = {kind: [] for kind in FEW}
    for entry in map(json.loads, lines):
        found[entry["kind"]].append(f"{entry['verdict']}: {entry['what']}")
    return found


@pytest.mark.slow
@pytest.mark.parametrize("kind", list(FEW))
def test_nothing_is_lost(kind: str, outcomes: dict[str, list[str]]) -> None:
    told = outcomes[kind]
    if not told or all(each.startswith("impossible") for each in told):
        pytest.skip("this machine cannot do it")
    assert not [each for each in told if not each.startswith(("right", "impossible"))]
