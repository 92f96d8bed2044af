"""Weights & Biases without a network: the files that it would send are read back."""

from __future__ import annotations

import json
import struct
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from pretune.cli.trackers.tracking import KEPT

pytestmark = pytest.mark.skipif(
    find_spec("wandb") is None, reason="Weights & Biases is not installed (pip install wandb)"
)

BLOCK = 32_768
OFFLINE = "{name: wandb, offline: true, project: films}"


def records(folder: Path) -> Iterator[Any]:
    """What the runs of a folder would send, in its order."""
    from wandb.proto.wandb_internal_pb2 import Record

    for file in sorted(folder.glob("wandb/offline-run-*/*.wandb")):
        found: list[Any] = []
        until = time.monotonic() + 30
        while not any(record.HasField("exit") for record in found) and time.monotonic() < until:
            found = [Record.FromString(data) for data in chunks(file.read_bytes())]  # its service writes the last later
            time.sleep(0.1)
        yield from found


def chunks(content: bytes) -> Iterator[bytes]:
    """The records of such a file: LevelDB's log format, after seven bytes; each may lie in several blocks."""
    assert content.startswith(b":W&B")
    at, parts = 7, b""
    while at + 7 <= len(content):
        if (left := BLOCK - at % BLOCK) < 7:
            at += left
            continue
        _, length, kind = struct.unpack("<IHB", content[at : at + 7])
        if kind == 0:
            return
        parts += content[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # whole, or its last part
            yield parts
            parts = b""


def runs_in(folder: Path) -> list[Any]:
    return [record.run for record in records(folder) if record.HasField("run")]


def artifacts_in(folder: Path) -> dict[str, set[str]]:
    """The names of what each artifact holds, by its type."""
    kinds = [record.artifact for record in records(folder) if record.HasField("artifact")]
    kinds += [r.request.log_artifact.artifact for r in records(folder) if r.request.HasField("log_artifact")]
    return {one.type: {entry.path for entry in one.manifest.contents} for one in kinds}


def history(folder: Path, name: str) -> list[tuple[int, float]]:
    """A metric by its step."""
    rows = []
    for record in records(folder):
        if record.HasField("history"):
            row = {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in record.history.item}
            if name in row:
                rows.append((row["trainer/global_step"], row[name]))
    return rows


def test_a_run_without_a_network(
    tracked: Callable[..., Any], caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    cli = tracked("fit", OFFLINE)
    folder = Path("runs/mine/version_0")
    run = runs_in(folder)[0]
    assert (run.project, run.display_name) == ("films", "mine/version_0")
    kept = json.loads((folder / KEPT).read_text())["wandb"]
    assert run.run_id == kept["id"]
    assert [step for step, _ in history(folder, "train/loss")] == [0, 1, 2, 3]
    assert history(folder, "val/loss")[-1][1] == pytest.approx(float(cli.trainer.callback_metrics["val/loss"]))
    found = artifacts_in(folder)
    assert found["run"] == {"config.yaml", "summary.json", "curves.png", "report.html"}
    assert {"model.safetensors", "config.json", "tokenizer.json"} <= found["model"]
    assert f"`wandb sync {folder.absolute()}/wandb/offline-run-" in caplog.text
    assert "wandb:" not in capfd.readouterr().err


def test_a_run_goes_on_as_the_same(tracked: Callable[..., Any]) -> None:
    tracked("fit", OFFLINE)
    tracked("fit", OFFLINE, "--ckpt_path=last", "--trainer.max_steps=6")
    folder = Path("runs/mine/version_0")
    assert len({run.run_id for run in runs_in(folder)}) == 1
    assert [step for step, _ in history(folder, "train/loss")] == [0, 1, 2, 3, 4, 5]


def test_seeds_are_a_run_each_in_one_group(tracked: Callable[..., Any]) -> None:
    """Also in one process, where Weights & Biases would go on writing into the first."""
    tracked("fit", "{name: wandb, offline: true, export: false}", "--seeds=1,2")
    runs = [run for seed in (1, 2) for run in runs_in(Path(f"runs/mine/seed_{seed}/version_0"))]
    assert len({run.run_id for run in runs}) == 2
    assert {run.run_group for run in runs} == {"mine"}
    assert "model" not in artifacts_in(Path("runs/mine/seed_1/version_0"))


def test_nobody_is_logged_in(fails: Callable[..., str], mine: Path) -> None:
    """Told before data are read, with what works without a network."""
    Path("reviews.csv").write_text("nothing\n")
    message = fails("fit", "--config", mine, "--logger", "wandb")
    assert "nobody is logged in on this machine: `wandb login`, or WANDB_API_KEY, would work" in message
    assert "{name: wandb, offline: true}" in message
    assert not Path("runs").exists()


def test_an_option_that_there_is_not(fails: Callable[..., str], mine: Path) -> None:
    message = fails("fit", "--config", mine, "--logger", "{name: wandb, entiti: us}")
    assert "wandb has no option 'entiti' (did you mean entity" in message


def test_the_bare_line_in_yaml(mine: Path, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """`logger: wandb` as it stands in the issue of most users, offline by their own variable; the key stays a name."""
    monkeypatch.setenv("WANDB_MODE", "offline")
    mine.write_text(mine.read_text() + "logger: wandb\n")
    run("fit", "--config", mine, "--trainer.max_steps=2", "--export_check=false")
    folder = Path("runs/mine/version_0")
    assert runs_in(folder)[0].project == "pretune"
    assert "logger: wandb\n" in (folder / "config.yaml").read_text()
    run("predict", "--config", mine, "--data.predict_files=reviews.csv")  # shows nothing to anybody
    assert len(list(folder.glob("wandb/offline-run-*"))) == 1
    run("fit", "--config", mine, "--trainer.fast_dev_run=true")
    assert not Path("runs/mine/version_1/wandb").exists()
