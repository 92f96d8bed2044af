"""The ready configurations of public data sets, on a few hand-made rows of the Hub's shape, through every verb."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from datasets import ClassLabel
from public_sets import CASES, CHINESE, NLI, Case, make, texts
from test_combinations import BACKBONES  # type: ignore[import-not-found]
from tests_support import sentence

import pretune

CONFIGS = Path(pretune.__file__).parent / "configs/finetune"
FOLDERS = ("glue", "clue", "datasets")
OVERLAYS = {"glue/mnli_mismatched", "glue/diagnostics"}
ALL = sorted(str(p.relative_to(CONFIGS).with_suffix("")) for f in FOLDERS for p in (CONFIGS / f).glob("*.yaml"))
SHORT = (
    "--trainer.max_steps=2",
    "--trainer.limit_val_batches=2",
    "--trainer.val_check_interval=2",
    "--trainer.num_sanity_val_steps=0",
    "--data.batch_size=4",
    "--data.max_length=48",
)


def write(case: Case, rows: int = 24) -> None:
    """A folder in place of the data set."""
    make(case, rows).save_to_disk(case.at)


@pytest.fixture(scope="module")
def backbones(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders in place of the models of the Hub: tiny, untrained."""
    from pretune.modules import Backbone
    from pretune.text.tokenizer import load_tokenizer
    from pretune.text.train_tokenizer import TrainTokenizer, train_tokenizer

    root = tmp_path_factory.mktemp("hub")
    some = [*map(sentence, range(99)), *CHINESE]
    train_tokenizer(TrainTokenizer("wordpiece", 400, min_frequency=1), iter(some), root / "words")
    tokenizer: Any = load_tokenizer(str(root / "words"))
    bert = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    for name, auto, config in (
        ("bert-base-uncased", "AutoModelForMaskedLM", {"model_type": "bert", **bert}),
        ("bert-base-cased", "AutoModelForMaskedLM", {"model_type": "bert", **bert}),
        ("bert-base-chinese", "AutoModelForMaskedLM", {"model_type": "bert", **bert}),
        ("facebook/bart-base", "AutoModelForSeq2SeqLM", {"model_type": "bart", **BACKBONES["bart"][1]}),
        ("Qwen/Qwen3-0.6B-Base", "AutoModelForCausalLM", {"model_type": "qwen3", **BACKBONES["qwen3"][1]}),
    ):
        torch.manual_seed(0)
        room = {"max_position_embeddings": 64 if config["model_type"] == "bert" else 300}
        model, _ = Backbone(config={**config, **room}).build(auto, tokenizer)
        model.save_pretrained(root / name)
        tokenizer.save_pretrained(root / name)
    return root


@pytest.fixture(autouse=True)
def _hub(backbones: Path, tmp_path: Path) -> None:
    for folder in backbones.iterdir():  # data sets may lie beside a model, under the same owner
        shutil.copytree(folder, tmp_path / folder.name)


def test_every_config_has_its_rows() -> None:
    assert sorted({*CASES, *OVERLAYS}) == ALL


@pytest.mark.parametrize("name", CASES)
def test_data_configs(name: str, run: Callable[..., Any], fails: Callable[..., str]) -> None:
    case, config = CASES[name], CONFIGS / f"{name}.yaml"
    write(case)
    short = (*SHORT, *case.more)
    cli = run("fit", "--config", config, *short)
    assert cli.trainer.global_step == 2
    monitor = yaml.safe_load(config.read_text())["model"]["init_args"]["monitor"]
    assert cli.model.monitor == monitor
    assert cli.trainer.checkpoint_callback.best_model_score is not None
    assert (cli.run.folder / "export/model.safetensors").is_file()
    label = case.features.get("label")
    names = case.labels or (list(label.names) if isinstance(label, ClassLabel) else None)
    if cli.model.labels is None:
        names = None
    if names is not None:
        assert cli.model.labels == names
    folder = cli.run.folder
    assert monitor in run("validate", "--config", config, *short).trainer.callback_metrics
    if case.hidden is None and case.tested:
        assert case.tested in run("test", "--config", config, *short).trainer.callback_metrics
    else:
        why = "there is no label" if case.hidden else "nothing to test on"
        assert why in fails("test", "--config", config, *short, "--trainer.accelerator=cpu")
    run("predict", "--config", config, *short, *([case.asked] if case.asked else []))
    rows = [json.loads(line) for line in (folder / "predictions.jsonl").read_text().splitlines()]
    assert len(rows) == (1 if case.asked else 24)
    if names is not None and len(names) > 1:
        assert {row["prediction"] for row in rows} <= set(names)


def test_mnli_on_other_genres_and_diagnostics(run: Callable[..., Any]) -> None:
    write(CASES["glue/mnli"])
    write(texts("nyu-mll/glue/ax", "premise hypothesis", NLI, splits=("test",)), rows=5)
    mnli = ("--config", CONFIGS / "glue/mnli.yaml")
    folder = run("fit", *mnli, *SHORT).run.folder
    other = run("validate", *mnli, "--config", CONFIGS / "glue/mnli_mismatched.yaml", *SHORT)
    assert other.datamodule.source.name("validation") == "nyu-mll/glue/mnli (validation)"
    assert other.datamodule.source.splits["validation"] == "validation_mismatched"
    assert other.run.folder == folder
    run("predict", *mnli, "--config", CONFIGS / "glue/diagnostics.yaml", *SHORT)
    assert len((folder / "predictions.jsonl").read_text().splitlines()) == 5
