"""The command line says in a line each what there is to say, and changes nothing for anyone else."""

from __future__ import annotations

import logging
import os
import pty
import re
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

import pretune
from pretune.cli.quiet import ROOT, WarningLines, quiet

MODULE = """
import warnings
from pretune.modules import TextClassification

class Mine(TextClassification):
    def step(self, batch, stage):
        warnings.warn("my own concern", RuntimeWarning)
        return super().step(batch, stage)
"""
SITE = "/usr/lib/python3/site-packages/torch/nn/functional.py"


def line(text: str, category: type[Warning] = UserWarning, file: str = str(ROOT / "modules" / "base.py")) -> str:
    return WarningLines()(category(text), category, file, 7)


def test_warnings_are_lines() -> None:
    assert line("Rows were\nleft out.") == "warning: Rows were left out.\n"
    assert line("odd \x1b[2J") == "warning: odd \\x1b[2J\n"
    Path("mine.py").touch()
    assert line("odd", RuntimeWarning, os.path.abspath("mine.py")) == "warning: odd (mine.py:7: RuntimeWarning)\n"
    assert line("odd", UserWarning, SITE) == "warning: odd (torch: UserWarning)\n"
    beside = str(ROOT / "mine.py")  # somebody's own module in a clone
    assert line("odd", UserWarning, beside).endswith("mine.py:7: UserWarning)\n")


def test_what_only_a_library_can_mend_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    assert line("old", FutureWarning, SITE) == ""
    assert line("old", FutureWarning, "mine.py") == "warning: old (mine.py:7: FutureWarning)\n"
    assert line("old", FutureWarning) == "warning: old\n"
    monkeypatch.setattr(sys, "warnoptions", ["default"])
    assert line("old", FutureWarning, SITE) == "warning: old (torch: FutureWarning)\n"


def test_once_and_by_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    from lightning.pytorch.utilities.rank_zero import rank_zero_only

    lines = WarningLines()
    assert [bool(lines("again", UserWarning, SITE, n)) for n in (1, 2)] == [True, False]
    monkeypatch.setattr(rank_zero_only, "rank", 1)
    assert line("from all of them") == ""


def test_nothing_is_left_behind() -> None:
    logs = [logging.getLogger(f"lightning.{name}") for name in ("pytorch", "pytorch.utilities.rank_zero", "fabric")]

    def state() -> list[object]:
        known = [(list(log.handlers), list(log.filters)) for log in logs]
        return [known, warnings.formatwarning, warnings.showwarning, list(warnings.filters)]

    before = state()
    with quiet():
        assert state() != before
    assert state() == before


def test_warnings_are_recorded_as_they_are(recwarn: pytest.WarningsRecorder) -> None:
    with quiet():
        warnings.warn("plain", stacklevel=1)
        warnings.warn("The dataloader does not have many workers which may be a bottleneck", stacklevel=1)
    assert [str(each.message) for each in recwarn] == ["plain"]


def in_terminal(columns: int, *args: str) -> tuple[int, str]:
    """The exit code of a command, and what it wrote to a terminal; messages in lines of their own."""
    code = (
        "import fcntl, struct, sys, termios\n"
        f"fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack('HHHH', 40, {columns}, 0, 0))\n"
        f"sys.argv = {['main.py', *args]!r}\nfrom pretune.main import main\nmain(sys.argv[1:])"
    )
    place = {
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
        "TERM": "xterm",
        "PYTHONPATH": str(Path(pretune.__file__).parent.parent),
    }
    drop = ("COLUMNS", "LINES", "NO_COLOR", "PYTHONWARNINGS")
    environment = {name: value for name, value in os.environ.items() if name not in drop}
    main, side = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=side, stdout=side, stderr=side, env={**environment, **place}, close_fds=True
    )
    os.close(side)
    written = b""
    while True:
        try:
            part = os.read(main, 65536)
        except OSError:  # the other side is closed
            break
        if not part:
            break
        written += part
    os.close(main)
    return process.wait(timeout=60), written.decode()


@pytest.mark.parametrize("columns", [80, pytest.param(200, marks=pytest.mark.slow)])
def test_a_run_in_a_terminal(columns: int, reviews: Path, encoder: Path) -> None:
    Path("mine.py").write_text(MODULE)
    args = ["fit", "--model=mine.Mine", f"--model.backbone={encoder}", "--data=TextClassificationDataModule"]
    args += [f"--data.train_files={reviews}", "--trainer.accelerator=cpu", "--trainer.max_epochs=1", "--name=a"]
    code, written = in_terminal(columns, *args)
    assert code == 0, written
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", written)
    lines = re.split(r"[\r\n]+", shown)
    assert not [one for one in lines if ".py:" in one and not one.lstrip().endswith("RuntimeWarning)")]
    assert "rank_zero_warn" not in shown
    for noise in ("GPU available", "TPU available", "Trainer.fit", "Seed set", os.getcwd()):
        assert noise not in shown
    assert not [one for one in lines if len(one) > columns and " " in one.strip()]
    said = " ".join(part.strip() for part in lines)
    for message in (
        "Training in runs/a/version_0 on CPU, precision ", "step 0, before training: validation loss ",
        "Training stopped: trainer.max_epochs (1) reached.", "(runs/a/version_0/checkpoints/best.ckpt)",
        "Exported to runs/a/version_0/export: ",
    ):  # fmt: skip
        assert message in said
    assert said.count("my own concern (mine.py:7: RuntimeWarning)") == 1
    # Nothing rubs a message out: after each, the cursor goes up no further than the bar's one line.
    assert not re.search(r"\x1b\[1A\x1b\[2K\x1b\[1A\x1b\[2K", written)


def test_what_w_error_says_is_done(reviews: Path, encoder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "warnoptions", ["error::UserWarning"])
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        with quiet(), pytest.raises(UserWarning, match="many workers"):
            warnings.warn("does not have many workers", stacklevel=1)
