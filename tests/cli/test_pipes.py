"""Configurations that come through a pipe."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from pretune.cli.arguments import run_name
from pretune.cli.pipes import without_pipes
from pretune.cli.recipes import with_recipe
from pretune.errors import InputError

TEXT = "name: piped\nseeds: [1, 2]\nrecipe: gentle\nmodel: {class_path: TextClassification}\n"


def piped(text: bytes) -> str:
    """A named pipe that somebody writes to once."""
    os.mkfifo("pipe")
    threading.Thread(target=Path("pipe").write_bytes, args=(text,), daemon=True).start()
    return "pipe"


@pytest.mark.parametrize("form", ["--config={}", "--config {}"])
def test_what_is_asked_before_parsing_is_found(form: str) -> None:
    args = without_pipes(["fit", *form.format(piped(TEXT.encode())).split(), "--trainer.max_steps=1"])
    assert run_name(args) == "piped"
    assert len(with_recipe(args)) == len(args) + 2
    assert args[-1] == "--trainer.max_steps=1"
    assert without_pipes(args) == args


def test_a_text_has_no_name() -> None:
    text = "model: {class_path: a.Mine}\n"
    assert run_name(["--config", text]) == "Mine"
    Path("mine.yaml").write_text(text)
    assert run_name(["--config", text, "--config=mine.yaml"]) == "mine"
    assert without_pipes(["fit", "--config", "mine.yaml"]) == ["fit", "--config", "mine.yaml"]


def test_what_is_no_configuration(fails: Callable[..., str]) -> None:
    with pytest.raises(InputError, match=r"^pipe:2:1: .* not YAML"):
        without_pipes(["fit", "--config", piped(b"a: [")])
    os.remove("pipe")
    assert "pipe:1: byte 0 (0xFF) is not utf-8" in fails("fit", "--config", piped(b"\xff"))
