"""Nothing from outside reaches a terminal, a log or a spreadsheet as a command; messages stay short."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pretune.cli.quiet import quiet
from pretune.datamodules.sources import Files
from pretune.text.visible import from_cell, shown_path, shown_paths, to_cell, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\tb\nc", "a\tb\nc"),
        ("\x1b[31mred\x07\r", "\\x1b[31mred\\x07\\x0d"),
        ("\x9b2J", "\\x9b2J"),
        ("abc\u202etxt.exe", "abc\\u202etxt.exe"),
        ("\ud800", "\\ud800"),
        ("ελ 中文 שלום ก้ 👩\u200d💻", "ελ 中文 שלום ก้ 👩\u200d💻"),
    ],
)
def test_control_characters_are_shown(text: str, shown: str) -> None:
    assert visible(text) == shown


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("@user", "'@user"),
        ("+49 30", "'+49 30"),
        ("- Hello", "'- Hello"),
        ("\tx", "'\tx"),
        ("'=1", "''=1"),
        ("-1.5", "-1.5"),
        ("+3e2", "+3e2"),
        ("'tis", "'tis"),
        ("a=b", "a=b"),
        ("", ""),
    ],
)
def test_no_cell_is_a_formula(text: str, cell: str) -> None:
    assert to_cell(text) == cell
    assert from_cell(cell) == text


def test_many_files_are_a_few_words() -> None:
    Path("data").mkdir()
    for number in range(1000):
        Path(f"data/{number:04}.csv").touch()
    name = Files({"train": os.path.abspath("data/*.csv")}).name("train")
    assert name == "data/0000.csv, data/0001.csv, data/0002.csv and 997 more files"
    assert shown_path("/else/where/data/a.csv") == "data/a.csv"
    assert shown_path("s3://bucket/a.csv") == "s3://bucket/a.csv"
    assert shown_paths(["a", "b\x1b", "c"]) == "a, b\\x1b, c"


def test_logs_of_the_command_line(caplog: pytest.LogCaptureFixture) -> None:
    log = logging.getLogger("lightning.pytorch.utilities.rank_zero")
    with quiet(), caplog.at_level(logging.INFO, log.name):
        log.info("label %s", "\x1b[2J")
    assert caplog.messages == ["label \\x1b[2J"]


def test_messages_of_the_command_line(reviews: Path, encoder: Path, fails: Callable[..., str]) -> None:
    args = ["--model=TextClassification", f"--model.backbone={encoder}", "--data=TextClassificationDataModule"]
    message = fails("fit", *args, f"--data.train_files={reviews}", "--data.text_column=a\x1b[31m")
    assert "\x1b" not in message
    assert "a\\x1b[31m" in message
    assert "\x1b" not in fails("fit", "--no_such\x1b[31m=1")
