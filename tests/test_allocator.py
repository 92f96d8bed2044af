"""Freed memory is kept: an array that is made again and again is the same pages, which nobody clears anew."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

FAULTS = """
import resource, numpy
from pretune.allocator import keep_freed_memory
done = keep_freed_memory()
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
def step():
    numpy.ones(10_000_000)
for _ in range(3):
    step()
before = faults()
for _ in range(3):
    step()
print(int(done), faults() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's own")
@pytest.mark.parametrize("switches", [{}, {"PRETUNE_KEEP_MEMORY": "0"}, {"MALLOC_TOP_PAD_": "1000"}])
def test_pages_are_cleared_once(switches: dict[str, str]) -> None:
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("MALLOC_", "LD_PRELOAD"))}
    run = [sys.executable, "-c", FAULTS]
    shown = subprocess.run(
        run, env={**clean, "NUMPY_MADVISE_HUGEPAGE": "0", **switches}, capture_output=True, text=True, check=True
    ).stdout
    done, faults = map(int, shown.split())
    if switches:
        assert not done
        assert faults > 5_000
    elif done:
        assert faults < 500
