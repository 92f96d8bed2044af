"""What is said is laid out for the terminal that it stands in, and is as it is anywhere else."""

from __future__ import annotations

import io
import logging
import os
import sys
from pathlib import Path

import pytest

from pretune.cli import terminal
from pretune.cli.terminal import TerminalHandler, from_here, laid_out, say


@pytest.fixture
def columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal, "terminal_width", lambda stream: 40)


@pytest.mark.usefixtures("columns")
def test_lines_are_broken_between_words() -> None:
    text = "step 13, epoch 0: validation loss 0.6931, accuracy 0.5000, f1_binary 0.6667"
    assert laid_out(text) == "step 13, epoch 0: validation loss\n  0.6931, accuracy 0.5000, f1_binary\n  0.6667"
    assert laid_out("  in\n" + "x" * 50) == "  in\n" + "x" * 50  # paths stay whole
    assert laid_out("    " + "word " * 12).split("\n")[1].startswith("      word")


@pytest.mark.usefixtures("columns")
def test_tables_are_aligned_where_they_fit(capsys: pytest.CaptureFixture[str]) -> None:
    table = "| metric | mean |\n|---|---|\n| val/accuracy | 0.5 |"
    say(f"Scores:\n{table}")
    shown = "| metric       | mean |\n| ------------ | ---- |\n| val/accuracy | 0.5  |"
    assert capsys.readouterr().out == f"Scores:\n{shown}\n"
    wide = f"| {'a' * 30} | {'b' * 30} |"
    assert laid_out(wide) == wide


def test_nothing_changes_in_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    text = "| a | b |\n|---|---|\n" + "word " * 100 + f"{Path.cwd()}/x"
    say(text)
    assert capsys.readouterr().out == f"{text}\n"


def test_paths_are_from_here() -> None:
    here = os.getcwd()
    assert from_here(f"kept ({here}/runs/a/best.ckpt), {here}/b") == "kept (runs/a/best.ckpt), b"
    for other in (f"file://{here}/a", f"/else{here}/a", f"{here}-other/a"):
        assert from_here(other) == other


def test_messages_go_to_standard_error_as_it_is_now(monkeypatch: pytest.MonkeyPatch) -> None:
    handler, later = TerminalHandler(), io.StringIO()
    monkeypatch.setattr(sys, "stderr", later)
    handler.emit(logging.LogRecord("log", logging.INFO, "", 1, "%s rows", (3,), None))
    assert later.getvalue() == "3 rows\n"
