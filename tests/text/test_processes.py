"""Helper processes: the same results in the same order, errors as they are, nothing left behind."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pretune.errors import InputError
from pretune.text import processes
from pretune.text.processes import helpers, in_order

# Of the standard library or of the package: a helper must be able to import what it is asked to do.


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[bytes]]:
    """Two processes from the second batch on; those that were started."""
    monkeypatch.setenv("PRETUNE_PROCESSES", "2")
    monkeypatch.setattr(processes, "ALONE", 1)
    started: list[subprocess.Popen[bytes]] = []
    start = processes._start
    monkeypatch.setattr(processes, "_start", lambda message: started.append(start(message)) or started[-1])
    return started


def test_order_is_kept_and_little_is_read_ahead(two: list[subprocess.Popen[bytes]]) -> None:
    read: list[float] = []

    def batches() -> Iterator[float]:
        for number in range(20):
            read.append(number)
            yield 0.02 * (number % 3)

    for done, _ in enumerate(in_order(time.sleep, batches())):
        assert len(read) <= done + 7
    assert len(read) == 20
    assert list(in_order(str, iter(range(30)))) == list(map(str, range(30)))
    assert len(two) == 4
    assert all(helper.returncode is not None for helper in two)


def test_few_batches_and_one_core_start_none(
    two: list[subprocess.Popen[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert list(in_order(str, iter([1]))) == ["1"]
    assert list(in_order(lambda x: x + 1, iter([1, 2, 3]))) == [2, 3, 4]  # which cannot be sent
    assert list(in_order(str, iter([1, 2, 3]), may=False)) == ["1", "2", "3"]
    monkeypatch.setenv("PRETUNE_PROCESSES", "1")
    assert list(in_order(str, iter([1, 2, 3]))) == ["1", "2", "3"]
    assert not two
    monkeypatch.setenv("PRETUNE_PROCESSES", "none")
    with pytest.raises(InputError, match="PRETUNE_PROCESSES is 'none'"):
        helpers()


def test_errors_are_raised_as_they_are(two: list[subprocess.Popen[bytes]]) -> None:
    found = in_order(int, iter(["1", "2", "x", *["3"] * 50]))
    assert [next(found), next(found)] == [1, 2]
    with pytest.raises(ValueError, match="invalid literal for int"):
        next(found)
    assert [helper.returncode is not None for helper in two] == [True, True]


def test_a_killed_helper_is_told(two: list[subprocess.Popen[bytes]]) -> None:
    with pytest.raises(InputError, match="PRETUNE_PROCESSES=1"):
        list(in_order(eval, iter(["1", *["__import__('os')._exit(0)"] * 9])))
    assert [helper.returncode is not None for helper in two] == [True, True]


def test_what_is_printed_does_no_harm(two: list[subprocess.Popen[bytes]]) -> None:
    assert list(in_order(eval, iter(["1", "print('x') or 2"]))) == [1, 2]
    assert len(two) == 2


def test_leaving_early_ends_them(two: list[subprocess.Popen[bytes]]) -> None:
    found = in_order(time.sleep, iter([0, 0, *[60] * 9]))
    next(found)
    next(found)
    began = time.monotonic()
    found.close()
    assert time.monotonic() - began < 20
    assert [helper.returncode is not None for helper in two] == [True, True]


def test_functions_of_users(
    two: list[subprocess.Popen[bytes]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They may use the package's public names; one that is not found there is told."""
    (tmp_path / "ours_of_users.py").write_text(
        "from pretune.datamodules import Cleaning\n\n"
        "def limit(x):\n    return Cleaning(max_characters=x).max_characters\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    limit = importlib.import_module("ours_of_users").limit
    assert list(in_order(limit, iter([1, 2, 3]))) == [1, 2, 3]
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path != str(tmp_path)])
    with pytest.raises(InputError, match=r"No module named 'ours_of_users'.*PRETUNE_PROCESSES=1"):
        list(in_order(limit, iter([1, 2, 3])))
    assert len(two) == 4
    assert all(helper.returncode is not None for helper in two)


def test_helpers_that_cannot_be_started(two: list[subprocess.Popen[bytes]], monkeypatch: pytest.MonkeyPatch) -> None:
    start = processes._start

    def once(message: bytes) -> subprocess.Popen[bytes]:
        if two:
            raise OSError("no more processes")
        return start(message)

    monkeypatch.setattr(processes, "_start", once)
    with pytest.raises(OSError, match="no more processes"):
        list(in_order(str, iter([1, 2, 3])))
    assert [helper.returncode is not None for helper in two] == [True]


def test_a_script_without_a_main_guard(tmp_path: Path) -> None:
    """It runs once, its own functions stay with it, and helpers load no more than they need."""
    script = tmp_path / "script.py"
    script.write_text(
        "import pretune.datamodules\n"
        "from pretune.text import processes\n"
        "processes.ALONE = 1\n"
        "print('begun')\n"
        'loaded = \'[name in __import__("sys").modules for name in ("torch", "lightning", "numpy")]\'\n'
        "print(list(processes.in_order(eval, iter([loaded] * 2))))\n"
        "def negative(x):\n"
        "    return -x\n"
        "print(list(processes.in_order(negative, iter([1, 2, 3]))))\n"
    )
    environment = {**os.environ, "PRETUNE_PROCESSES": "2", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.splitlines() == [
        "begun",
        "[[True, True, True], [False, False, False]]",
        "[-1, -2, -3]",
    ]


def test_helpers_are_without_the_options_of_a_command() -> None:
    own = {"GLIBC_TUNABLES": "ours", processes.ADDED: "ours", "HOME": "/"}
    assert processes.environment_of_helpers(own) == {"HOME": "/"}
    assert processes.environment_of_helpers({"GLIBC_TUNABLES": "theirs"}) == {"GLIBC_TUNABLES": "theirs"}
