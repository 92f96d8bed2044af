"""An overlay that is given before its base."""

from __future__ import annotations

from pathlib import Path

import pytest

from pretune.cli.mistakes.overlays import undone
from pretune.main import main


def test_what_a_base_replaces(capsys: pytest.CaptureFixture[str]) -> None:
    Path("base.yaml").write_text("model: {class_path: A, init_args: {b: 1}}\ntrainer: {max_epochs: 5, devices: 1}\n")
    Path("overlay.yaml").write_text("trainer: {max_epochs: 1, devices: 1, precision: 32-true}\n")
    Path("other.yaml").write_text("trainer: {accelerator: cpu}\n")
    assert list(undone(["fit", "--config", "overlay.yaml", "--config=base.yaml"])) == [
        "base.yaml replaces trainer.max_epochs of overlay.yaml, which is given before it: --config base.yaml --config "
        "overlay.yaml would apply them."
    ]
    for order in (["base", "overlay"], ["other", "base"], ["base", "base"], ["overlay", "overlay"], ["base"], []):
        assert not list(undone(["fit", *(f"--config={name}.yaml" for name in order)])), order
    with pytest.raises(SystemExit):
        main(["fit", "--config", "overlay.yaml", "--config", "base.yaml"])
    assert "Note: base.yaml replaces trainer.max_epochs of overlay.yaml" in capsys.readouterr().err
