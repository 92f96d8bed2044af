"""Bars in a terminal, lines anywhere else, and nothing of what is over soon."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import time
from pathlib import Path

import pytest
from lightning_utilities.core.rank_zero import rank_zero_only

from pretune.text import progress as module
from pretune.text.progress import Bar, Rounds, progress, spoken, working

SCRIPT = """
import time
from pretune.text import progress as module
module.PATIENCE = 0.1
for row in module.progress(["text"] * 8, "tokenizing train", total=8):
    time.sleep(0.1)
with module.working("training the tokenizer"):
    time.sleep(0.6)
print("done")
"""


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, as a test sets it."""
    now = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return now


def test_nothing_of_what_is_over_soon(clock: list[float], caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        for _ in progress(range(29), "tokenizing", total=29):
            clock[0] += 0.1
    assert caplog.messages == []


def test_lines_now_and_then(clock: list[float], caplog: pytest.LogCaptureFixture) -> None:
    """What is done, what is left, and how long: after three seconds, each half minute, and at the end."""
    with caplog.at_level("INFO"):
        for _ in progress(range(100), "packing train", total=100):
            clock[0] += 1
    assert caplog.messages == [
        "packing train: 3 of 100 (3%) documents, 3 s so far, about 97 s left.",
        "packing train: 33 of 100 (33%) documents, 33 s so far, about 67 s left.",
        "packing train: 63 of 100 (63%) documents, 63 s so far, about 37 s left.",
        "packing train: 93 of 100 (93%) documents, 93 s so far, about 7 s left.",
        "packing train: done, 100 of 100 (100%) documents, in 2 min.",
    ]


def test_texts_are_counted_in_characters(clock: list[float], caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        for _ in progress(["x" * 500_000] * 5, "tokenizing train"):
            clock[0] += 1
    assert caplog.messages[0] == "tokenizing train: 3 documents, 1.5 M characters, 3 s so far."


def test_other_processes_are_silent(
    clock: list[float], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rank_zero_only, "rank", 1, raising=False)
    with caplog.at_level("INFO"):
        for _ in progress(range(100), "tokenizing"):
            clock[0] += 1
    assert caplog.messages == []


def test_a_failure_says_nothing_of_an_end(clock: list[float], caplog: pytest.LogCaptureFixture) -> None:
    def breaks() -> None:
        with Bar("packing", 9) as bar:
            clock[0] = 5
            bar.advance()
            raise ValueError("broken")

    with caplog.at_level("INFO"), pytest.raises(ValueError, match="broken"):
        breaks()
    assert len(caplog.messages) == 1


def test_a_work_that_tells_nothing(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.05)
    with caplog.at_level("INFO"), working("training the tokenizer"):
        time.sleep(0.5)
    assert caplog.messages[0] == "training the tokenizer: 0 s so far."
    assert caplog.messages[1].startswith("training the tokenizer: done, in ")


def test_what_counts_goes_before_what_tells_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """While a tokenizer still reads its documents, these are shown."""
    monkeypatch.setattr(module, "PATIENCE", 0.3)
    with caplog.at_level("INFO"), working("training the tokenizer"):
        for _ in progress(range(8), "reading for the tokenizer"):
            time.sleep(0.1)
    assert [message.partition(":")[0] for message in caplog.messages] == ["reading for the tokenizer"] * 2


@pytest.mark.parametrize(("seconds", "words"), [(48.2, "48 s"), (170, "3 min"), (7500, "2 h 5 min")])
def test_times(seconds: float, words: str) -> None:
    assert spoken(seconds) == words


def in_terminal(columns: int) -> str:
    """What a person would see, raw."""
    master, slave = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": str(columns)}
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT], stdin=slave, stdout=slave, stderr=slave, env=environment, cwd=Path.cwd()
    )
    os.close(slave)
    content = b""
    while True:
        try:
            part = os.read(master, 4096)
        except OSError:  # closed at the other end
            break
        if not part:
            break
        content += part
    os.close(master)
    assert process.wait() == 0, content
    return content.decode()


def test_a_bar_in_a_terminal() -> None:
    """It is drawn, tells what is left, and goes when the work is done."""
    text = in_terminal(100)
    assert "tokenizing train" in text
    assert "/8" in text
    assert "left" in text
    assert "training the tokenizer" in text
    assert "so far" not in text  # no lines beside it
    assert "\x1b[2K" in text  # rubbed out
    assert text.rstrip().splitlines()[-1].endswith("done")


def test_no_terminal_no_control_characters() -> None:
    found = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    assert found.stdout == "done\n"
    assert "\x1b" not in found.stderr


def test_rounds(clock: list[float]) -> None:
    """The time that is left is that of those that were worked on."""
    rounds = Rounds(4)
    assert rounds.next() == "1 of 4"
    clock[0] = 60
    rounds.stop()
    rounds.skip()
    clock[0] = 65
    assert rounds.next() == "3 of 4, about 2 min left"
