"""Disks that are full or cannot be written, in each verb: one message, with the place and a cure that is true."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

Run = Callable[..., Any]
Fails = Callable[..., str]


def full(*args: Any, **options: Any) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def full_in_rust(*args: Any, **options: Any) -> None:
    raise RuntimeError("Error while serializing: I/O error: No space left on device (os error 28)")


@pytest.fixture
def trained(mine: Path, run: Run) -> Path:
    run("fit", "--config", mine, "--trainer.max_steps=2", "--data.test_files=reviews.csv")
    return mine


def test_an_export_says_that_the_disk_is_full_and_where(
    trained: Path, fails: Fails, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = r"error: No space left on device: ox. Make room, then the same command."
    monkeypatch.setattr("transformers.modeling_utils.safe_save_file", full_in_rust)
    assert fails("export", "runs/mine", "--format", "safetensors", "--output", "ox") == told
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    monkeypatch.setattr("torch.onnx.export", full)
    assert fails("export", "runs/mine", "--output", "ox") == told
    assert [path.name for path in Path().glob("*ox*")] == [".ox.lock"]


def test_an_export_to_what_cannot_be_written_is_refused_before_anything_is_read(
    trained: Path, fails: Fails, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("pretune.cli.commands.export.refuse_missing_packages", lambda: None)
    for form in ("onnx", "safetensors"):
        capsys.readouterr()
        message = fails("export", "runs/mine", "--format", form, "--output", "/proc/new/oo")
        assert message.startswith("error: /proc/new/oo cannot be written (")
        assert message.endswith(": /proc): another --output would work.")
        assert "validation" not in capsys.readouterr().out
    monkeypatch.setitem(sys.modules, "gradio", ModuleType("gradio"))
    assert "/proc/page cannot be written (" in (said := fails("demo", "runs/mine", "--save", "/proc/page"))
    assert said.endswith("another --save would work.")
