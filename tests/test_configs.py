"""Every YAML that is shipped, through every verb it is for; hub names are local folders of the same shape."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests_support import sentence

import pretune

CONFIGS = Path(pretune.__file__).parent / "configs"
ALL = sorted(str(path.relative_to(CONFIGS)) for path in CONFIGS.rglob("*.yaml"))
SHORT = (
    "--trainer.max_steps=3",
    "--trainer.limit_val_batches=2",
    "--trainer.val_check_interval=1.0",
    "--data.batch_size=4",
)
EXPERIMENTS = [name for name in ALL if name.split("/")[0] in ("quickstart", "pretrain", "finetune")]


@pytest.fixture(scope="session")
def docs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A few packages with docstrings."""
    roots = {}
    for number, package in enumerate(("python", "torch", "numpy")):
        folder = roots[package] = tmp_path_factory.mktemp("site") / package
        folder.mkdir()
        for i in range(60):
            (folder / f"m{i}.py").write_text(f'"""{sentence(60 * number + i, 14)} It is number {i} of {package}."""\n')
    return roots


@pytest.fixture
def world(
    tmp_path: Path, docs: dict[str, Path], reviews: Path, corpus: Path, encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A folder in which every shipped command finds what it names."""
    monkeypatch.setattr("pretune.datamodules.readers.installed_docs.installed_roots", lambda: docs)
    (tmp_path / "corpus").mkdir()
    shutil.copy(corpus, tmp_path / "corpus/a.txt")
    shutil.copytree(encoder, tmp_path / "bert-base-uncased")
    shutil.copy(reviews, "held_out.csv")
    Path("new.csv").write_text("review\n" + "\n".join(sentence(i) for i in range(5)))
    Path("nyu-mll/glue/sst2").mkdir(parents=True)
    for split in ("train", "validation", "test"):
        rows = [{"sentence": sentence(i), "label": i % 2, "idx": i} for i in range(40)]
        Path(f"nyu-mll/glue/sst2/{split}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return tmp_path


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_experiments(name: str, world: Path, run: Callable[..., Any]) -> None:
    config = str(CONFIGS / name)
    if name.startswith("quickstart/") and name != "quickstart/pretrain.yaml":
        run("fit", "--config", str(CONFIGS / "quickstart/pretrain.yaml"), *SHORT)
    cli = run("fit", "--config", config, *SHORT)
    assert cli.trainer.global_step == 3
    assert (cli.run.folder / "export/model.safetensors").is_file()
    folder = cli.run.folder
    run("validate", "--config", config, *SHORT)
    if name.startswith("pretrain/") or name == "quickstart/pretrain.yaml":
        return
    tested = "--data.test_files=held_out.csv" if name == "finetune/sentiment.yaml" else "--data.seed=0"
    run("test", "--config", config, tested, *SHORT)
    assert "test/accuracy" in json.loads((folder / "summary.json").read_text())["test"]
    run("predict", "--config", config, "--data.predict_texts=a good film", *SHORT)
    assert "prediction" in json.loads((folder / "predictions.jsonl").read_text())


@pytest.mark.parametrize("name", [name for name in ALL if name not in EXPERIMENTS])
def test_overlays(name: str, world: Path, run: Callable[..., Any], fails: Callable[..., str]) -> None:
    args = ["fit", "--config", CONFIGS / "finetune/sentiment.yaml", "--config", CONFIGS / name]
    if name.startswith("backbones/"):
        pytest.skip("with the objectives that they are for: test_backbones")
    if name == "trainers/cpu.yaml":
        assert run(*args, *SHORT).trainer.global_step == 3
    else:  # what needs a GPU says so, where there is none
        assert "GPU" in fails(*args) or "gpu" in fails(*args)
