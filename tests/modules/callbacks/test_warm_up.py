"""Short inputs and small batches first: no token is lost, and an interruption changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback, Trainer

from pretune.datamodules import CorpusDataModule
from pretune.errors import InputError
from pretune.modules import CausalLanguageModeling
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


def test_windows_grow(corpus: Path, tokenizer: Any) -> None:
    options: dict[str, Any] = {"accumulate_grad_batches": 4, "max_steps": 8}
    seen = fit(corpus, tokenizer, BatchSizeWarmup(tokens=8 * 64, start=1), **options)
    ends = [number + 1 for number, step in enumerate(seen.steps) if step != ([0, *seen.steps])[number]]
    assert [b - a for a, b in zip([0, *ends], ends, strict=False)][:8] == [1, 1, 1, 1, 2, 2, 4, 4]


@pytest.mark.parametrize("kind", ["SequenceLengthWarmup", "BatchSizeWarmup"])
def test_interrupted_or_not(kind: str, corpus: Path, run: Callable[..., Any]) -> None:
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
        f"--trainer.callbacks.tokens={6 * 64}",
        "--trainer.accumulate_grad_batches=2",
        "--trainer.accelerator=cpu",
    ]
    whole = run("fit", *args, "--name=whole", "--trainer.max_steps=6").model
    run("fit", *args, "--name=parts", "--trainer.max_steps=3")
    parts = run("fit", *args, "--name=parts", "--trainer.max_steps=6", "--ckpt_path=last").model
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
