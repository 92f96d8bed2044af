"""A command line that is divided by its options."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pretune.cli.arguments import check_letters, split_arguments, values_of, without
from pretune.errors import InputError


def test_each_keeps_its_order() -> None:
    args = [
        "--config", "a.yaml", "--model.backbone", "x", "--overrides.data.seed=1", "--seeds=1,2", "--config=b.yaml",
        "--seeds+", "3", "--data.train_files=[a, -b]", "--trainer.max_steps", "-1", "stray",
    ]  # fmt: skip
    own, others = split_arguments(args, ["config", "overrides", "seeds"])
    assert own == ["--config", "a.yaml", "--overrides.data.seed", "1", "--seeds", "1,2", "--config", "b.yaml",
                   "--seeds+", "3"]  # fmt: skip
    assert others == ["--model.backbone", "x", "--data.train_files=[a, -b]", "--trainer.max_steps", "-1", "stray"]


def test_names_that_only_begin_alike() -> None:
    args = ["--name=mine", "--names=x", "--trainer.default_root_dir", "runs", "--trainer.default_root", "x"]
    assert without(args, "name", "trainer.default_root_dir") == ["--names=x", "--trainer.default_root", "x"]


def test_values() -> None:
    assert values_of(["--name", "a", "--name=b=c", "--names=x"], "name") == ["a", "b=c"]
    assert without(["--name"], "name") == []


def test_bytes_that_are_no_letters() -> None:
    check_letters(["--name", "名字", "--data.predict_texts=['😀']"])
    with pytest.raises(InputError, match=r"^caf\ufffd\.csv holds bytes that are no UTF-8"):
        check_letters(["--name", "mine", os.fsdecode(b"caf\xe9.csv")])


def test_an_environment_without_utf8_says_what_to_set(mine: Path) -> None:
    command = [sys.executable, "-m", "pretune.main", "predict", "--config", str(mine), "--data.predict_texts=[电影]"]
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = subprocess.run(command, env={**os.environ, **plain}, capture_output=True, text=True, timeout=100)
    assert done.returncode == 1
    assert "error: Python reads the command line as ascii here" in done.stderr
    assert "PYTHONUTF8=1 in the environment would work." in done.stderr.replace("\n", " ")
