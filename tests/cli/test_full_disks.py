"""Disks that are full or cannot be written, in each verb: one message, with the place and a cure that is true."""

from __future__ import annotations

import errno
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from pretune.cli.callbacks.prediction_files import GrowingFile
from pretune.cli.callbacks.predictions import PredictionWriter

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


class Full:
    """A binary file on a disk that has no room after so many writes."""

    def __init__(self, file: Any, room: int) -> None:
        self.file, self.room = file, room

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)

    def write(self, content: bytes) -> int:
        self.room -= 1
        if self.room < 0:
            full()
        return int(self.file.write(content))


@pytest.fixture
def no_room(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Lets files of predictions have room for so many writes."""
    usual = GrowingFile.open

    def limit(room: int) -> None:
        def opened(self: GrowingFile, size: int = 0) -> None:
            usual(self, size)
            self._file = Full(self._file, room)  # type: ignore[assignment]

        monkeypatch.setattr(GrowingFile, "open", opened)

    return limit


def test_predictions_name_their_own_file_and_go_on(
    trained: Path, run: Run, fails: Fails, no_room: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ("predict", "--config", trained, "--data.predict_files=reviews.csv", "--trainer.accelerator=cpu")
    run(*options, "--predictions_file", "whole.jsonl")
    monkeypatch.setattr(PredictionWriter, "save_every", 0.0)
    for room in (0, 60):
        no_room(room)
        message = fails(*options, "--predictions_file", "disk/o.jsonl")
        assert message == "error: No space left on device: disk/o.jsonl. Make room, then the same command goes on."
        assert not Path("disk/o.jsonl").exists()
    no_room(1000)
    run(*options, "--predictions_file", "disk/o.jsonl")
    assert Path("disk/o.jsonl").read_bytes() == Path("whole.jsonl").read_bytes()
    assert [path.name for path in Path("disk").iterdir()] == ["o.jsonl"]


def test_a_test_says_once_that_its_disk_is_full(trained: Path, fails: Fails, monkeypatch: pytest.MonkeyPatch) -> None:
    of_threads: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", of_threads.append)
    monkeypatch.setattr("tensorboard.summary.writer.record_writer.RecordWriter.write", full)
    message = fails("test", "--config", trained, "--data.test_files=reviews.csv", "--trainer.accelerator=cpu")
    assert message == (
        "error: No space left on device (writing to runs/mine/version_0). Make room, then the same command."
    )
    assert of_threads == []


def test_predictions_that_cannot_be_written_say_so(trained: Path, fails: Fails) -> None:
    options = ("predict", "--config", trained, "--data.predict_files=reviews.csv", "--trainer.accelerator=cpu")
    message = fails(*options, "--predictions_file", "/proc/y.jsonl")
    assert message.startswith("error: --predictions_file /proc/y.jsonl cannot be written (")
    assert message.endswith(": /proc): another --predictions_file would work.")


def test_evaluations_leave_files_only_of_what_they_log(trained: Path, run: Run) -> None:
    folder = Path("runs/mine/version_0")
    files = len(list(folder.glob("events.*")))
    run("predict", "--config", trained, "--data.predict_files=reviews.csv")
    assert len(list(folder.glob("events.*"))) == files
    run("test", "--config", trained, "--data.test_files=reviews.csv")
    (new,) = sorted(folder.glob("events.*"))[files:]
    assert b"hparams" not in new.read_bytes()
    assert b"test/accuracy" in new.read_bytes()
