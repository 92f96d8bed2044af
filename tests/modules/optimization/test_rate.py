"""What a trained module and its data take along to other processes, and leave out of checkpoints."""

from __future__ import annotations

import pickle
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from lightning.pytorch import Trainer

from pretune.datamodules import CorpusDataModule, TextClassificationDataModule
from pretune.modules import MaskedLanguageModeling, TextClassification
from pretune.modules.optimization.schedules import schedule


def trained(kind: Any, encoder: Path, data: Any, **options: Any) -> tuple[Any, Trainer]:
    module = kind(str(encoder))
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    trainer = Trainer(accelerator="cpu", max_steps=2, enable_checkpointing=False, **quiet, **options)
    trainer.fit(module, data)
    return module, trainer


@pytest.mark.parametrize("timed", [False, True])
def test_a_datamodule_can_be_pickled_after_a_fit(timed: bool, encoder: Path, corpus: Path, reviews: Path) -> None:
    options: dict[str, Any] = {"max_time": timedelta(minutes=5)} if timed else {}
    texts = CorpusDataModule(str(corpus), tokenizer=str(encoder), block_size=32, batch_size=4)
    labels = TextClassificationDataModule(
        str(reviews), text_column="review", label_column="stars", tokenizer=str(encoder), batch_size=4
    )
    for kind, data in ((MaskedLanguageModeling, texts), (TextClassification, labels)):
        module, trainer = trained(kind, encoder, data, **options)
        again = pickle.loads(pickle.dumps(data))
        assert len(again.datasets["train"]) == len(data.datasets["train"])
        factors = [each.lr_scheduler_configs[0].scheduler.lr_lambdas[0] for each in (trainer, again.trainer)]
        assert [factors[0](step) for step in range(3)] == [factors[1](step) for step in range(3)]
        assert pickle.loads(pickle.dumps(module)).total_steps == module.total_steps


def test_a_checkpoint_holds_no_factors(encoder: Path, corpus: Path) -> None:
    """As those of functions were: with the trainer, they would hold everything, and bring back what was asked then."""
    data = CorpusDataModule(str(corpus), tokenizer=str(encoder), block_size=32, batch_size=4)
    _, trainer = trained(MaskedLanguageModeling, encoder, data)
    scheduler = trainer.lr_scheduler_configs[0].scheduler
    state = scheduler.state_dict()
    assert state["lr_lambdas"] == [None] * len(scheduler.base_lrs)
    before = scheduler.lr_lambdas[0]
    scheduler.load_state_dict(state)
    assert scheduler.lr_lambdas[0] is before


def test_a_schedule_is_an_object() -> None:
    for name in ("constant", "linear", "cosine", "wsd"):
        factor = schedule(name, total=20, warmup=0.25)  # type: ignore[arg-type]
        again = pickle.loads(pickle.dumps(factor))
        assert [factor(step) for step in range(20)] == [again(step) for step in range(20)]
