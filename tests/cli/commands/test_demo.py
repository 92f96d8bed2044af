"""What `demo` refuses, each in one message; none of it needs Gradio."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture
def _gradio(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the package were installed."""
    monkeypatch.setitem(sys.modules, "gradio", ModuleType("gradio"))


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


def test_the_missing_package(fails: Callable[..., str], monkeypatch: pytest.MonkeyPatch, mine: Path) -> None:
    monkeypatch.setitem(sys.modules, "gradio", None)
    assert "pip install 'pretune[demo]'" in fails("demo", "--config", mine)


@pytest.mark.usefixtures("_gradio")
class TestRefusals:
    def test_a_taken_port(self, fails: Callable[..., str], mine: Path, taken: int) -> None:
        said = fails("demo", "--config", mine, "--port", taken)
        assert f"--port {taken} is taken; another one, or 0 for any free one, would work." in said

    def test_a_host_of_others(self, fails: Callable[..., str], mine: Path) -> None:
        assert "cannot be had at 192.0.2.1" in fails("demo", "--config", mine, "--host", "192.0.2.1", "--port", 7899)

    def test_no_display(self, fails: Callable[..., str], mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("DISPLAY", raising=False)
        monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
        monkeypatch.setattr(sys, "platform", "linux")
        assert "this machine has no display" in fails("demo", "--config", mine, "--browser", "true")

    def test_no_weights(self, fails: Callable[..., str], mine: Path) -> None:
        assert "train first" in fails("demo", "--config", mine, "--port", 0)
        Path("runs/empty/version_0").mkdir(parents=True)
        Path("runs/empty/version_0/config.yaml").write_text(mine.read_text())
        assert "runs/empty holds no weights" in fails("demo", "runs/empty", "--port", 0)
        assert "There is no run or export runs/none" in fails("demo", "runs/none", "--port", 0)
        assert not Path("runs/mine").exists()

    def test_nothing_to_show(self, fails: Callable[..., str], encoder: Path, corpus: Path) -> None:
        options = ["--data=CorpusDataModule", f"--data.train_files={corpus}", "--port=0"]
        said = fails("demo", "--model=ReplacedTokenDetection", f"--model.backbone={encoder}", *options)
        assert "predicts nothing of its own" in said

    def test_three_models(self, fails: Callable[..., str]) -> None:
        assert "one model, or two side by side; these are 3" in fails("demo", "a", "b", "--against", "c")

    def test_an_export_of_something_else(self, fails: Callable[..., str]) -> None:
        Path("other").mkdir()
        Path("other/config.json").write_text('{"architectures": ["ViTForImageClassification"]}')
        Path("other/model.safetensors").write_bytes(b"")
        assert "is of the class ViTForImageClassification" in fails("demo", "other", "--port", 0)
