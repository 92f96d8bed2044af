"""Runs of version 0.1 (tests/data/runs-0.1) are evaluated, gone on with, and started from."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForMaskedLM, AutoModelForSequenceClassification, AutoTokenizer

from pretune.storage.cache import TokenStore
from pretune.storage.manifest import damage

OLD = Path(__file__).parent / "data" / "runs-0.1"


@pytest.fixture
def old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that they were made in, in another place."""
    for name in ("runs", "cache"):
        shutil.copytree(OLD / name, tmp_path / name, dirs_exist_ok=True)
    spec = importlib.util.spec_from_file_location("make", OLD / "make.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.write()
    return tmp_path


def summary(name: str, version: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path(f"runs/{name}/version_{version}/summary.json").read_text())
    return found


@pytest.mark.parametrize("name", ["classify", "adapt"])
def test_are_tested_and_predict(name: str, old: Path, run: Callable[..., Any]) -> None:
    config = f"runs/{name}/version_0/config.yaml"
    run("test", f"--config={config}", "--data.test_files=reviews.csv")
    found = summary(name)
    assert found["test"]["test/accuracy"] == pytest.approx(found["before"]["val/accuracy"], abs=0.1)
    run("predict", f"--config={config}", "--data.predict_files=reviews.csv")
    rows = Path(f"runs/{name}/version_0/predictions.jsonl").read_text().splitlines()
    assert len(rows) == 80
    assert {"prediction"} <= json.loads(rows[0]).keys()


@pytest.mark.parametrize(("name", "steps"), [("pretrain", 9), ("classify", 12)])
def test_are_gone_on_with(name: str, steps: int, old: Path, run: Callable[..., Any]) -> None:
    before = torch.load(f"runs/{name}/version_0/checkpoints/last.ckpt", weights_only=True)["state_dict"]
    args = ("--ckpt_path=last", f"--trainer.max_steps={steps}")
    cli = run("fit", f"--config=runs/{name}/version_0/config.yaml", *args)
    assert cli.trainer.global_step == steps
    assert cli.model.resumed["step"] < steps
    assert any(not value.equal(before[key]) for key, value in cli.model.state_dict().items() if key in before)


@pytest.mark.parametrize(
    "place", ["runs/pretrain", "runs/pretrain/version_0/export", "runs/pretrain/version_0/checkpoints/best.ckpt"]
)
def test_are_started_from(place: str, old: Path, run: Callable[..., Any]) -> None:
    cli = run("fit", "--config=classify.yaml", f"--model.backbone.name={place}", "--trainer.max_steps=2", "--name=new")
    assert len(cli.model.weight_report.loaded) > 10


def test_a_configuration_trains_anew(old: Path, run: Callable[..., Any]) -> None:
    """As each of its options is written there."""
    run("fit", "--config=runs/adapt/version_0/config.yaml")
    assert (Path("runs/adapt/version_1/export/model.safetensors")).is_file()


def test_exports_are_read_without_us(old: Path) -> None:
    for name, kind in (("pretrain", AutoModelForMaskedLM), ("classify", AutoModelForSequenceClassification)):
        folder = f"runs/{name}/version_0/export"
        inputs = AutoTokenizer.from_pretrained(folder)("the old film ends.", return_tensors="pt")
        assert kind.from_pretrained(folder)(**inputs).logits.isfinite().all()


def test_the_cache_is_read(old: Path) -> None:
    entries = [entry for entry in Path("cache").glob("*/*") if entry.is_dir()]
    assert {entry.parent.name for entry in entries} == {"corpora", "problems", "rows", "tokenizers"}
    assert [damage(entry, old / "mark") for entry in entries] == [None] * 4
    (corpus,) = Path("cache/corpora").iterdir()
    (tokenizer,) = Path("cache/tokenizers").iterdir()
    store, text = TokenStore(corpus, "train"), AutoTokenizer.from_pretrained(tokenizer)
    lines = Path("corpus.txt").read_text().splitlines()
    assert len(store) > 200
    assert {text.decode(store[i].tolist(), skip_special_tokens=True) for i in range(len(store))} <= set(lines)


def test_callbacks_are_found_by_their_former_names() -> None:
    from pretune.cli.callbacks import LearningCurves
    from pretune.modules import callbacks

    with pytest.warns(FutureWarning, match=r"LearningCurves lies in pretune\.cli\.callbacks now"):
        assert callbacks.LearningCurves is LearningCurves
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = callbacks.Nothing


def test_modules_are_found_by_their_former_names() -> None:
    """Each of them, as the same object, and with its own name."""
    from pretune.moved import MovedModules

    names = MovedModules().names
    assert len(names) > 100
    for former, now in names.items():
        sys.modules.pop(former, None)
        with pytest.warns(FutureWarning, match=f"{re.escape(former)} is {re.escape(now)} now"):
            found = importlib.import_module(former)
        assert found is importlib.import_module(now)
        assert found.__name__ == now
        assert found.__spec__ is not None
        assert found.__spec__.name == now
        del sys.modules[former]
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("pretune.experiments.nothing")


@pytest.mark.parametrize(
    ("package", "name"), [("backbone", "Backbone"), ("backbone", "in_body"), ("optimization", "OptimizedModule")]
)
def test_what_stood_in_a_file_that_is_a_package_now_is_found(package: str, name: str) -> None:
    room = importlib.import_module(f"pretune.modules.{package}")
    assert getattr(room, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = room.Nothing
