"""Short inputs and small batches first: no token is lost, and an interruption changes nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.strategies import DDPStrategy

from pretune.contracts import FULL
from pretune.datamodules import CorpusDataModule, TextClassificationDataModule
from pretune.errors import InputError
from pretune.modules import CausalLanguageModeling, TextClassification
from pretune.modules.callbacks import BatchSizeWarmup, SequenceLengthWarmup

LLAMA = {
    "model_type": "llama",
    "hidden_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 64,
}


class Seen(Callback):
    """What each step gets."""

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []
        self.tokens: list[list[int]] = []
        self.steps: list[int] = []

    def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        self.shapes.append(tuple(batch["input_ids"].shape))
        self.tokens.append(batch["input_ids"][batch["attention_mask"].bool()].tolist())
        self.steps.append(trainer.global_step)


def fit(corpus: Path, tokenizer: Any, *callbacks: Callback, packing: bool = False, **options: Any) -> Any:
    torch.manual_seed(0)
    data = CorpusDataModule(
        train_files=str(corpus), validation_fraction=0.0, block_size=32, batch_size=2, packing=packing
    )
    data.use_tokenizer(tokenizer)
    data.prepare_data()  # a tokenizer that has worked hangs in a forked process
    module = CausalLanguageModeling({"config": LLAMA})
    seen = Seen()
    quiet: dict[str, Any] = {"enable_progress_bar": False, "enable_model_summary": False, "logger": False}
    options = {"max_steps": 8, "enable_checkpointing": False, **quiet, **options}
    trainer = Trainer(accelerator="cpu", callbacks=[*callbacks, seen], **options)
    trainer.fit(module, data)
    return seen


def test_blocks_are_cut_and_nothing_is_lost(corpus: Path, tokenizer: Any) -> None:
    plain = fit(corpus, tokenizer)
    cut = fit(corpus, tokenizer, SequenceLengthWarmup(tokens=4 * 64, start=8))
    assert cut.tokens == plain.tokens
    assert [length for _, length in cut.shapes] == [8, 8, 16, 16, 32, 32, 32, 32]
    assert all(rows * length <= 64 for rows, length in cut.shapes)


def test_pieces_of_padding_are_left_out(corpus: Path, tokenizer: Any) -> None:
    batch = {
        "input_ids": torch.arange(64).view(2, 32),
        "attention_mask": torch.tensor([[1] * 32, [1] * 9 + [0] * 23]),
        "other": torch.zeros(3),
    }
    SequenceLengthWarmup(10**6, start=8).on_train_batch_start(None, None, batch, 0)  # type: ignore[arg-type]
    assert batch["input_ids"].shape == (6, 8)
    assert batch["attention_mask"].sum(1).tolist() == [8, 8, 8, 8, 8, 1]
    assert batch["other"].shape == (3,)


def test_a_device_is_not_waited_for_where_nothing_is_padded() -> None:
    # On this device nothing can be read, so that a shape that depends on a value cannot be.
    ids = torch.zeros(2, 32, dtype=torch.long, device="meta")
    batch = {"input_ids": ids, "attention_mask": torch.ones_like(ids), FULL: True}
    SequenceLengthWarmup(10**6, start=8).on_train_batch_start(None, None, batch, 0)  # type: ignore[arg-type]
    assert batch["input_ids"].shape == batch["attention_mask"].shape == (8, 8)  # type: ignore[attr-defined]


def test_windows_grow(corpus: Path, tokenizer: Any) -> None:
    options: dict[str, Any] = {"accumulate_grad_batches": 4, "max_steps": 8}
    seen = fit(corpus, tokenizer, BatchSizeWarmup(tokens=8 * 64, start=1), **options)
    ends = [number + 1 for number, step in enumerate(seen.steps) if step != ([0, *seen.steps])[number]]
    assert [b - a for a, b in zip([0, *ends], ends, strict=False)][:8] == [1, 1, 1, 1, 2, 2, 4, 4]


class Uneven(BatchSizeWarmup):
    """Counts as if the second process had rows four times as long."""

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        rows = {"input_ids": torch.zeros(64, 1 + 3 * trainer.global_rank)}
        super().on_train_batch_end(trainer, pl_module, outputs, rows, batch_idx)
        steps = [*json.loads(self.notes(trainer).read_text()), trainer.global_step] if batch_idx else [1]
        self.notes(trainer).write_text(json.dumps(steps))

    def notes(self, trainer: Any) -> Path:
        return Path(f"{trainer.global_rank}.json")


def test_processes_with_rows_of_different_lengths_step_together(corpus: Path, tokenizer: Any) -> None:
    limit = timedelta(seconds=30)  # where one waits for what the other does not send
    strategy = DDPStrategy(start_method="fork", process_group_backend="gloo", timeout=limit)
    options: dict[str, Any] = {"accumulate_grad_batches": 4, "max_steps": 6, "devices": 2, "strategy": strategy}
    fit(corpus, tokenizer, Uneven(tokens=8 * 64, start=1), **options)
    # A batch has 2.5 times 64 tokens on average: two make a step from the third on, and four from the fifth.
    steps = json.loads(Path("0.json").read_text())
    assert steps == json.loads(Path("1.json").read_text()) == [1, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 6]


@pytest.mark.parametrize(
    ("kind", "final", "tokens", "stop", "steps"),
    [
        ("SequenceLengthWarmup", 2, 6 * 64, 3, 6),
        ("BatchSizeWarmup", 2, 6 * 64, 3, 6),
        # Stopped after 16 batches, where windows are to have 12 but have 4 up to the 24th.
        ("BatchSizeWarmup", 12, 15 * 64, 7, 10),
    ],
)
def test_interrupted_or_not(
    kind: str, final: int, tokens: int, stop: int, steps: int, corpus: Path, run: Callable[..., Any]
) -> None:
    args = [
        "--model=CausalLanguageModeling",
        f"--model.backbone={{config: {{{', '.join(f'{k}: {v}' for k, v in LLAMA.items())}}}}}",
        "--model.schedule=constant",
        "--data=CorpusDataModule",
        f"--data.train_files={corpus}",
        "--data.tokenizer={train: bytelevel, vocab_size: 300}",
        "--data.block_size=32",
        "--data.batch_size=2",
        f"--trainer.callbacks+={kind}",
        f"--trainer.callbacks.tokens={tokens}",
        f"--trainer.accumulate_grad_batches={final}",
        "--trainer.accelerator=cpu",
    ]
    whole = run("fit", *args, "--name=whole", f"--trainer.max_steps={steps}").model
    run("fit", *args, "--name=parts", f"--trainer.max_steps={stop}")
    parts = run("fit", *args, "--name=parts", f"--trainer.max_steps={steps}", "--ckpt_path=last").model
    for (name, one), other in zip(whole.model.named_parameters(), parts.model.parameters(), strict=True):
        assert torch.equal(one, other), name


def test_what_cannot_be_warmed_up(corpus: Path, tokenizer: Any) -> None:
    with pytest.raises(InputError, match=r"must divide data.block_size"):
        fit(corpus, tokenizer, SequenceLengthWarmup(100, start=5))
    with pytest.raises(InputError, match=r"packing: false"):
        fit(corpus, tokenizer, SequenceLengthWarmup(100), packing=True)
    with pytest.raises(InputError, match=r"must divide trainer.accumulate_grad_batches"):
        fit(corpus, tokenizer, BatchSizeWarmup(100, start=2), accumulate_grad_batches=3)
    with pytest.raises(InputError, match=r"set trainer.max_steps"):
        fit(corpus, tokenizer, BatchSizeWarmup(100), accumulate_grad_batches=2, max_steps=-1, max_epochs=1)
    with pytest.raises(InputError, match=r"tokens is 0"):
        SequenceLengthWarmup(0)


def test_lengths_are_warmed_up_on_blocks_alone(corpus: Path, reviews: Path, tokenizer: Any, tiny: Any) -> None:
    data = TextClassificationDataModule(str(reviews), text_column="review", label_column="stars", batch_size=4)
    data.use_tokenizer(tokenizer)
    trainer = Trainer(accelerator="cpu", callbacks=[SequenceLengthWarmup(100)], max_steps=1, logger=False)
    with pytest.raises(InputError, match="TextClassificationDataModule gives none: leave it out of"):
        trainer.fit(TextClassification({"config": tiny}), data)
    assert not trainer.val_dataloaders  # nothing was validated before
    batch = {"input_ids": torch.ones(2, 32), "labels": torch.zeros(2)}
    for wrong, message in ((batch, "have labels"), ({"segment_a": torch.ones(2, 32)}, "have no input_ids")):
        with pytest.raises(InputError, match=f"{message}: leave it out of trainer.callbacks"):
            SequenceLengthWarmup(100).on_train_batch_start(None, None, wrong, 0)  # type: ignore[arg-type]
