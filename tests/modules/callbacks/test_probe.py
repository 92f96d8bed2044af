"""A probe while pretraining: it sees what there is to see, and changes nothing."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from test_combinations import BACKBONES  # type: ignore[import-not-found]
from tests_support import sentence  # type: ignore[import-not-found]

from pretune.datamodules import TextClassificationDataModule
from pretune.errors import InputError
from pretune.modules import Backbone, CausalLanguageModeling, MaskedLanguageModeling, SpanDenoising
from pretune.modules.callbacks import Probe

Run = Callable[..., Any]


@pytest.fixture
def task() -> dict[str, Any]:
    """A word at a random place tells the labels apart."""
    rows = [{"text": f"{sentence(i, 4)} {'good' if i % 2 else 'bad'}", "label": i % 2} for i in range(60)]
    for name, part in (("probe.jsonl", rows[:40]), ("probe-val.jsonl", rows[40:])):
        Path(name).write_text("\n".join(map(json.dumps, part)))
    return {"train_files": "probe.jsonl", "validation_files": "probe-val.jsonl", "batch_size": 16}


@pytest.fixture
def args(task: dict[str, Any], corpus: Path, encoder: Path) -> list[str]:
    probe = {
        "class_path": "Probe",
        "init_args": {"data": {"class_path": "TextClassificationDataModule", "init_args": task}},
    }
    return [
        "fit", "--model=MaskedLanguageModeling", f"--model.backbone={encoder}", "--data=CorpusDataModule",
        "--data.train_files=corpus.txt", "--data.block_size=32", "--data.batch_size=16", "--trainer.precision=32-true",
        "--trainer.max_epochs=2", "--name=probed", f"--trainer.callbacks+={json.dumps(probe)}",
    ]  # fmt: skip


def test_nothing_of_the_training_changes(args: list[str], run: Run) -> None:
    with_ = load_file(run(*args).run.folder / "export/model.safetensors")
    without = load_file(run(*args[:-1], "--name=plain").run.folder / "export/model.safetensors")
    assert all(torch.equal(value, without[name]) for name, value in with_.items())


def test_pretraining_stops_on_it(args: list[str], run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Scripted transfer dictates when, and which weights are kept."""
    scores, kept = iter([0.5, 0.9, 0.7, 0.8, 0.1]), []

    def score(self: Any, module: Any) -> float:
        kept.append({name: value.clone() for name, value in module.model.state_dict().items()})
        return next(scores)

    monkeypatch.setattr(Probe, "score", score)
    cli = run(*args, "--model.monitor=probe/accuracy", "--early_stopping.patience=2", "--trainer.max_epochs=9")
    assert len(kept) == 4
    assert all(torch.equal(value, kept[1][name]) for name, value in cli.model.model.state_dict().items())
    assert any(not torch.equal(value, kept[3][name]) for name, value in kept[1].items())


def test_it_is_logged_and_can_be_monitored(args: list[str], run: Run) -> None:
    cli = run(*args, "--model.monitor=probe/accuracy", "--early_stopping.patience=1", "--trainer.max_epochs=6")
    rows = list(csv.DictReader((cli.run.folder / "metrics.csv").read_text().splitlines()))
    scores = [float(row["probe/accuracy"]) for row in rows if row.get("probe/accuracy")]
    assert 2 <= len(scores) <= 6
    best = cli.trainer.checkpoint_callback
    assert best.monitor == "probe/accuracy"
    assert best.mode == "max"
    assert float(best.best_model_score) == pytest.approx(max(scores))
    probe = next(c for c in cli.trainer.callbacks if isinstance(c, Probe))
    assert probe.score(cli.model) == pytest.approx(max(scores))  # of the best weights, which were loaded back


@pytest.mark.parametrize("family", ["bert", "llama", "t5", "bart"])
def test_every_family_gives_features(family: str, task: dict[str, Any], tokenizer: Any) -> None:
    kinds: dict[str, Any] = {"bert": MaskedLanguageModeling, "llama": CausalLanguageModeling}
    torch.manual_seed(0)
    module = kinds.get(family, SpanDenoising)(Backbone(config={"model_type": family, **BACKBONES[family][1]}))
    module.tokenizer = tokenizer
    if family in ("t5", "bart"):
        module.check_tokenizer = lambda tokenizer: None  # whose words are no matter here
    module.build()
    probe = Probe(TextClassificationDataModule(**task))
    probe.data.use_tokenizer(tokenizer)
    probe.data.prepare_data()
    probe.data.setup("fit")
    state = torch.get_rng_state()
    score = probe.score(module)
    assert score == probe.score(module)
    assert torch.equal(state, torch.get_rng_state())
    assert module.model.training
    assert all(p.grad is None for p in module.model.parameters())
    assert score > 0.6  # a good or a bad word among five is in the mean of untrained states, too


def test_numbers_are_refused(task: dict[str, Any], args: list[str], run: Run) -> None:
    for name in ("probe.jsonl", "probe-val.jsonl"):
        rows = [json.loads(line) for line in Path(name).read_text().splitlines()]
        Path(name).write_text("\n".join(json.dumps({**row, "label": row["label"] + 0.5}) for row in rows))
    with pytest.raises(SystemExit, match=r"Probe tells texts with single labels apart, .* are regression"):
        run(*args)


def test_wrong_data_are_refused_before_training(
    args: list[str], task: dict[str, Any], fails: Callable[..., str]
) -> None:
    def said(data: dict[str, Any]) -> str:
        probe = {"class_path": "Probe", "init_args": {"data": data}}
        return fails(*args[:-1], f"--trainer.callbacks+={json.dumps(probe)}")

    corpus = {"class_path": "CorpusDataModule", "init_args": {"train_files": "corpus.txt", "block_size": 32}}
    assert "its data (CorpusDataModule) are not labeled so: a TextClassificationDataModule would work" in said(corpus)
    Path("names.conll").write_text("the O\nold B-X\n\nfilm B-X\nends O\n\n" * 9)
    tags = {"class_path": "TokenClassificationDataModule", "init_args": {"train_files": "names.conll"}}
    assert "its data (TokenClassificationDataModule) are not labeled so" in said(tags)
    alone = {"train_files": "probe.jsonl", "validation_fraction": 0}
    message = said({"class_path": "TextClassificationDataModule", "init_args": alone})
    assert "Probe's data have nothing to score on" in message


def test_only_our_modules() -> None:
    from lightning.pytorch import LightningModule, Trainer

    with pytest.raises(InputError, match="a module of this suite"):
        Probe(TextClassificationDataModule(train_files="x")).on_fit_start(Trainer(logger=False), LightningModule())
