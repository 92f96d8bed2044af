"""The suite in somebody else's scripts: each check of the foreign project is a test here."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

Reports = Callable[..., dict[str, str]]


def checks(script: str) -> list[str]:
    """The names of a script's checks."""
    text = (Path(__file__).parent / "project" / script).read_text()
    return re.findall(r"^@check\ndef (\w+)", text, re.MULTILINE)


@pytest.mark.parametrize("name", checks("scripts.py"))
def test_a_script_around_lightning(name: str, reports: Reports) -> None:
    assert reports("scripts.py")[name] == "ok"


@pytest.mark.parametrize("name", checks("deploying.py"))
def test_another_process(name: str, reports: Reports) -> None:
    assert reports("deploying.py", "training.py")[name] == "ok"


@pytest.mark.parametrize("name", checks("ranks.py"))
def test_two_processes_without_a_trainer(name: str, reports: Reports) -> None:
    assert reports("ranks.py", result="ranks?.json")[name] == "ok"
