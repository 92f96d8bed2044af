"""Freed memory is kept: an array that is made again and again is the same pages, which nobody clears anew.

Kernels are not: a process that meets shape after shape does not grow with each.
"""

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


SHAPES = """
import sys
from pretune.allocator import bound_kernels
if sys.argv[1] == "bounded":
    bound_kernels()
import torch
weight = torch.nn.Linear(768, 3072)
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096 / 1e6
sizes = []
for rows in range(200, 500):
    with torch.autocast("cpu", torch.bfloat16):
        weight(torch.zeros(rows, 768)).sum().backward()
    if rows % 100 == 99:
        sizes.append(resident())
print(sizes[-1] - sizes[0])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_shapes_do_not_pile_up() -> None:
    clean = {key: value for key, value in os.environ.items() if "CACHE_CAPACITY" not in key}
    grown = []
    for kind in ("bounded", "unbounded"):
        run = [sys.executable, "-c", SHAPES, kind]
        shown = subprocess.run(run, env={**clean, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, check=True)
        grown.append(float(shown.stdout))
    if grown[1] < 200:
        pytest.skip("this processor computes with kernels that hold no memory")
    assert grown[0] < grown[1] / 2


def test_the_command_line_bounds_them_before_torch_comes() -> None:
    code = (
        "import atexit, os, sys\nfrom pretune.main import main\n"
        "assert 'torch' not in sys.modules\nsys.argv[1:] = ['fit', '--help']\n"
        "names = 'LRU_CACHE_CAPACITY', 'ONEDNN_PRIMITIVE_CACHE_CAPACITY'\n"
        "atexit.register(lambda: print(*map(os.environ.get, names)))\n"
        "main()"
    )
    clean = {key: value for key, value in os.environ.items() if "CACHE_CAPACITY" not in key}
    run = [sys.executable, "-c", code]
    shown = subprocess.run(run, env={**clean, "LRU_CACHE_CAPACITY": "7"}, capture_output=True, text=True, check=True)
    assert shown.stdout.splitlines()[-1] == "7 128"  # the first is the user's
