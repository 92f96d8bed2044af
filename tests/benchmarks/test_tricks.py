"""What was tried against overfitting: it does what its paper says, in training only."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Trainer, seed_everything
from tests_support import sentence

from pretune.datamodules import TextClassificationDataModule
from pretune.modules import TextClassification

FILE = Path(__file__).resolve().parents[2] / "benchmarks" / "finetune" / "tricks.py"
spec = importlib.util.spec_from_file_location("tricks", FILE)
assert spec is not None
assert spec.loader is not None
tricks: Any = importlib.util.module_from_spec(spec)
sys.modules["tricks"] = tricks
spec.loader.exec_module(tricks)


def fit(tiny: dict[str, Any], tokenizer: Any, callback: Any, dropout: float = 0.0) -> tuple[Any, list[float]]:
    rows = [f"{sentence(i)}\t{'good' if i % 2 else 'bad'}" for i in range(16)]
    Path("rows.tsv").write_text("\n".join(["text\tlabel", *rows]))
    seed_everything(1)
    data = TextClassificationDataModule(train_files="rows.tsv", validation_files="rows.tsv", batch_size=8)
    data.use_tokenizer(tokenizer)
    module = TextClassification({"config": tiny, "dropout": dropout}, learning_rate=1e-3)
    losses: list[float] = []
    step = module.training_step
    module.training_step = lambda *args: losses.append(step(*args)) or losses[-1]  # type: ignore[func-returns-value]
    options: dict[str, Any] = {"max_steps": 4, "accelerator": "cpu", "logger": False, "enable_checkpointing": False}
    options |= {"enable_progress_bar": False, "enable_model_summary": False}
    trainer = Trainer(callbacks=[callback] if callback else [], **options)
    trainer.fit(module, datamodule=data)
    (scores,) = trainer.validate(module, data, verbose=False)
    return module, [float(loss) for loss in losses] + [scores["val/loss"]]


@pytest.mark.parametrize(
    "callback",
    [tricks.Mixout(0.0), tricks.EmbeddingNoise(0.0), tricks.SMART(weight=0.0), tricks.FreeLB(1, size=0.0)],
    ids=lambda callback: type(callback).__name__,
)
def test_without_strength_nothing_changes(callback: Any, tiny: dict[str, Any], tokenizer: Any) -> None:
    assert fit(tiny, tokenizer, callback)[1] == pytest.approx(fit(tiny, tokenizer, None)[1], rel=1e-5)


@pytest.mark.parametrize("name", ["Mixout", "EmbeddingNoise", "SMART", "FreeLB"])
def test_training_changes_and_evaluation_does_not(name: str, tiny: dict[str, Any], tokenizer: Any) -> None:
    plain, losses = fit(tiny, tokenizer, None)
    module, others = fit(tiny, tokenizer, getattr(tricks, name)())
    assert losses[1:] != pytest.approx(others[1:], rel=1e-6)
    assert list(module.state_dict()) == list(plain.state_dict())
    twin, ids = plain.model, torch.tensor([[2, 7, 8, 9, 3]])
    twin.load_state_dict(module.model.state_dict())
    assert torch.equal(twin.eval()(ids).logits, module.model.eval()(ids).logits)


def test_adversaries_raise_the_loss(tiny: dict[str, Any], tokenizer: Any) -> None:
    (plain, *_), (smooth, *_) = fit(tiny, tokenizer, None)[1], fit(tiny, tokenizer, tricks.SMART(9.0, rate=1.0))[1]
    assert smooth > plain
    (ascended, *_) = fit(tiny, tokenizer, tricks.FreeLB(4, rate=1.0, size=0.0))[1]
    assert ascended > plain
