"""Freed memory is kept: an array that is made again and again is the same pages, which nobody clears anew.

Kernels are not kept without bound: a process that meets shape after shape does not grow with each.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pretune.cli import process

PROGRAM = """
import resource, sys, numpy
from pretune.cli.process import keep_freed_memory
keep_freed_memory()
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
def step():
    numpy.ones(10_000_000)
for _ in range(3):
    step()
before = faults()
for _ in range(3):
    step()
print(faults() - before, *sys.argv[1:])
"""

GROWTH = """
import random
from pretune.cli.process import bound_kernels, keep_freed_memory
keep_freed_memory()
bound_kernels()
import torch
from torch import nn
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096 / 1e6
network = nn.Sequential(*(layer for _ in range(6) for layer in (nn.Linear(256, 256), nn.GELU(), nn.LayerNorm(256))))
def step():
    network(torch.zeros(random.randrange(1000, 2000), 256)).mean().backward()
    network.zero_grad()
random.seed(0)
for _ in range(10):
    step()
before = resident()
for _ in range(50):
    step()
print(resident() - before)
"""

linux = pytest.mark.skipif(not process._is_glibc(), reason="glibc's own")


@pytest.fixture
def program(tmp_path: Path) -> Callable[..., str]:
    """Runs a script with arguments, and says what it printed."""

    def run(code: str, *args: str, **switches: str) -> str:
        script = tmp_path / "program.py"
        script.write_text(code)
        taken = ("MALLOC_", "LD_PRELOAD", "GLIBC_TUNABLES", process.SWITCH)
        clean = {name: value for name, value in os.environ.items() if not name.startswith(taken)}
        clean |= {"NUMPY_MADVISE_HUGEPAGE": "0", "OMP_NUM_THREADS": "1", **switches}
        run = [sys.executable, str(script), *args]
        return subprocess.run(run, env=clean, capture_output=True, text=True, check=True).stdout

    return run


@linux
@pytest.mark.parametrize("switches", [{}, {"PRETUNE_KEEP_MEMORY": "0"}, {"MALLOC_TOP_PAD_": "1000"}])
def test_pages_are_cleared_once(program: Callable[..., str], switches: dict[str, str]) -> None:
    faults, *arguments = program(PROGRAM, "fit", "--name=a b", **switches).split(" ", 1)
    assert arguments == ["fit --name=a b\n"]  # the process that begins anew is given the same
    assert int(faults) > 5_000 if switches else int(faults) < 500


@pytest.mark.slow
@linux
def test_tensors_of_many_sizes_leave_no_holes(program: Callable[..., str]) -> None:
    as_it_is = float(program(GROWTH, PRETUNE_KEEP_MEMORY="0"))
    if as_it_is < 20:
        pytest.skip("this C library fills its holes")
    assert float(program(GROWTH)) < as_it_is / 2


def test_only_a_process_that_does_what_its_command_line_says_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_is_glibc", lambda: True)
    monkeypatch.setattr(sys, "gettrace", lambda: None)
    monkeypatch.setattr(sys, "orig_argv", ["python", "-u", "main.py", "fit", "--name=x"])
    monkeypatch.setattr(sys, "argv", ["main.py", "fit", "--name=x"])
    assert process.wants_restart({})
    assert process.wants_restart({"LD_PRELOAD": ""})
    assert not process.wants_restart({"PRETUNE_KEEP_MEMORY": "0"})
    assert not process.wants_restart({"GLIBC_TUNABLES": process.TUNABLES})
    assert not process.wants_restart({"LD_PRELOAD": "libjemalloc.so"})
    monkeypatch.setattr(sys, "gettrace", lambda: print)
    assert not process.wants_restart({})
    monkeypatch.setattr(sys, "gettrace", lambda: None)
    monkeypatch.setattr(sys, "argv", ["main.py", "test"])  # a script that changed its arguments
    assert not process.wants_restart({})
    monkeypatch.setattr(sys, "orig_argv", ["python", "-"])  # what it reads is gone
    monkeypatch.setattr(sys, "argv", ["-"])
    assert not process.wants_restart({})


SHAPES = """
import sys
from pretune.cli.process import bound_kernels
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


@pytest.mark.slow
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
    assert shown.stdout.splitlines()[-1] == f"7 {process.KERNELS}"  # the first is the user's
