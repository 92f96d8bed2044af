"""Comet without a network: the archive that it would send is read back."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from pretune.cli.trackers.tracking import KEPT

pytestmark = pytest.mark.skipif(find_spec("comet_ml") is None, reason="Comet is not installed (pip install comet-ml)")


def messages(archive: Path) -> list[dict[str, Any]]:
    with zipfile.ZipFile(archive) as content:
        return [json.loads(line) for line in content.read("messages.json").decode().splitlines()]


def test_a_run_without_a_network(
    tracked: Callable[..., Any], caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    tracked("fit", "{name: comet, offline: true, project: films}")
    folder = Path("runs/mine/version_0")
    key = json.loads((folder / KEPT).read_text())["comet"]["id"]
    (archive,) = folder.glob("comet/*.zip")
    assert archive.stem == key
    sent = [entry["payload"] for entry in messages(archive)]
    losses = [
        p["metric"] for p in sent if isinstance(p.get("metric"), dict) and p["metric"]["metricName"] == "train/loss"
    ]
    assert [point["step"] for point in losses] == [0, 1, 2, 3]
    names = {p.get("additional_params", {}).get("fileName") for p in sent}
    assert {"config.yaml", "summary.json", "curves.png"} <= names
    assert any(str(name).endswith("model.safetensors") for name in names)
    assert f"`comet upload {archive}` sends it" in caplog.text
    assert "COMET" not in capfd.readouterr().err


def test_there_is_no_key(fails: Callable[..., str], mine: Path) -> None:
    message = fails("fit", "--config", mine, "--logger", "comet")
    assert "there is no key: `comet login`, or COMET_API_KEY, would work" in message
    assert "{name: comet, offline: true}" in message
    assert not Path("runs").exists()
