"""What holds for every objective: micro-batches, batch sizes, workers, processes and resuming change nothing."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback, Trainer
from test_combinations import BACKBONES, OBJECTIVES, make  # type: ignore[import-not-found]
from tests_support import capitalized  # type: ignore[import-not-found]
from torch import Tensor
from torch.utils.data import DataLoader

from pretune.cli import pretune_cli as cli
from pretune.datamodules import CorpusDataModule, SentencePairDataModule

USUAL = {"CausalLanguageModeling": "llama", "SpanDenoising": "t5", "ReplacedTokenDetection": "electra"}
CASES = [*((name, USUAL.get(name, "bert")) for name in OBJECTIVES), ("NextSentencePrediction", "roberta")]
QUIET: dict[str, Any] = {
    "accelerator": "cpu",
    "logger": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
}


def rows(pairs: bool, count: int) -> list[dict[str, Tensor]]:
    """Examples of unequal length, so that a mean of means is not the mean."""
    generator = torch.Generator().manual_seed(1)

    def words(length: int) -> Tensor:
        return torch.randint(5, 90, (length,), generator=generator)

    if pairs:
        return [
            {key: words(3 + (i * step) % 9) for key, step in (("segment_a", 5), ("segment_b", 7), ("segment_other", 4))}
            for i in range(count)
        ]
    found = [words(6 + (i * 5) % 13) for i in range(count)]
    return [{"input_ids": ids, "attention_mask": torch.ones_like(ids)} for ids in found]


def collate(batch: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    pad = torch.nn.utils.rnn.pad_sequence
    return {
        key: pad([row[key] for row in batch], batch_first=True, padding_value=-1 if "segment" in key else 0)
        for key in batch[0]
    }


def step_once(
    case: tuple[str, str], tokenizer: Any, batch_size: int, accumulate: int, **where: Any
) -> dict[str, Tensor]:
    """The change of the weights in one optimizer step over 16 examples."""
    model = make(*case, tokenizer, learning_rate=1.0, optimizer="sgd", schedule="constant", warmup=0.0)
    model.build()
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    data = rows("segment_a" in model.batch_keys, 16)
    loader = DataLoader(data, batch_size=batch_size, collate_fn=collate)  # type: ignore[arg-type]
    options = {**QUIET, **where, "accumulate_grad_batches": accumulate, "max_steps": 1, "enable_checkpointing": False}
    Trainer(**options).fit(model, loader)
    return {name: p.detach().cpu() - before[name] for name, p in model.named_parameters()}


@pytest.mark.parametrize("case", CASES)
def test_gradient_does_not_depend_on_micro_batches(case: tuple[str, str], tokenizer: Any) -> None:
    whole = step_once(case, tokenizer, 16, 1)
    largest = max(change.abs().max() for change in whole.values())
    assert largest > 1e-3
    for batch_size, accumulate in ((8, 2), (4, 4), (5, 4)):
        parts = step_once(case, tokenizer, batch_size, accumulate)
        for name, change in whole.items():
            torch.testing.assert_close(
                parts[name],
                change,
                atol=float(2e-6 + 2e-6 * largest),
                rtol=1e-4,
                msg=f"{name} {batch_size}x{accumulate}",
            )


@pytest.mark.parametrize("case", CASES)
def test_the_loss_logged_in_training_is_that_of_the_window(case: tuple[str, str], tokenizer: Any) -> None:
    """Masks are drawn by step, not by micro-batch: the loss of 16 examples is one number."""
    seen = []
    for batch_size, accumulate in ((16, 1), (4, 4)):
        model = make(*case, tokenizer)
        model.build()
        loader = DataLoader(rows("segment_a" in model.batch_keys, 16), batch_size, collate_fn=collate)  # type: ignore[arg-type]
        trainer = Trainer(accumulate_grad_batches=accumulate, max_steps=1, enable_checkpointing=False, **QUIET)
        trainer.fit(model, loader)
        seen.append(float(trainer.callback_metrics["train/loss"]))
    assert seen[0] == pytest.approx(seen[1], rel=1e-5)


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    """Documents of several sentences, with an empty line between them."""
    path = tmp_path / "texts.txt"
    path.write_text("\n\n".join(" ".join(capitalized(7 * i + j) for j in range(3 + i % 4)) for i in range(60)))
    return path


def data_for(model: Any, texts: Path, tokenizer_folder: Path, **options: Any) -> Any:
    pairs = "segment_a" in model.batch_keys
    kind: Any = SentencePairDataModule if pairs else CorpusDataModule
    length = {"max_length" if pairs else "block_size": 24}
    shared = {"documents": "paragraph", "tokenizer": str(tokenizer_folder), "validation_fraction": 0.4}
    return kind(str(texts), **length, **shared, **options)


@pytest.mark.parametrize("case", CASES)
def test_validation_is_a_fixed_function_of_the_data(
    case: tuple[str, str], texts: Path, tokenizer_folder: Path, tokenizer: Any
) -> None:
    found = []
    for batch_size, workers in ((1, 0), (7, 0), (64, 0), (7, 2)):
        model = make(*case, tokenizer)
        data = data_for(model, texts, tokenizer_folder, batch_size=batch_size, num_workers=workers)
        found.append(Trainer(**QUIET).validate(model, data, verbose=False)[0])
    for other in found[1:]:
        assert other == pytest.approx(found[0], rel=1e-5)


PACKED = [(name, backbone) for name, backbone in CASES if "Sentence" not in name]


@pytest.mark.parametrize(
    "case", [*PACKED, ("MaskedLanguageModeling", "deberta-v2"), ("CausalLanguageModeling", "gpt2")]
)
def test_packing_changes_no_loss(case: tuple[str, str], texts: Path, tokenizer_folder: Path, tokenizer: Any) -> None:
    """Packed documents give the loss of documents in rows of their own, with the same corruption."""
    data = data_for(make(*case, tokenizer), texts, tokenizer_folder, batch_size=2, packing=True)
    data.prepare_data()
    data.setup("fit")
    model = make(*case, tokenizer)
    model.build()
    model.eval()
    for packed in data.val_dataloader():
        starts = packed["cu_seq_lens"].tolist()
        documents = [packed["input_ids"][0, a:b] for a, b in pairwise(starts)]
        padded = collate([{"input_ids": ids, "attention_mask": torch.ones_like(ids)} for ids in documents])
        found, expected = (model.step(batch, "val") for batch in (packed, padded))
        if not isinstance(found, dict):
            found, expected = {"": found}, {"": expected}
        for part, output in found.items():
            assert output.count == expected[part].count
            torch.testing.assert_close(output.loss, expected[part].loss, rtol=1e-5, atol=1e-4)


# ---------------------------------------------------------------------- resuming


class Kill(Callback):
    """Kills its process without warning before a batch."""

    def __init__(self, at: int) -> None:
        self.at = at

    def on_train_batch_start(self, trainer: Any, *args: Any) -> None:
        if trainer.fit_loop.epoch_loop.total_batch_idx == self.at:
            os.kill(os.getpid(), signal.SIGKILL)


def killed(run: Callable[..., Any], at: int, *args: str) -> None:
    """Runs a command in a process that is killed before a batch."""
    child = os.fork()
    if child == 0:
        usual = cli.PretuneCLI._callbacks
        cli.PretuneCLI._callbacks = lambda self: [*usual(self), Kill(at)]  # type: ignore[method-assign]
        try:
            run(*args)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def weights(name: str) -> dict[str, Tensor]:
    newest = sorted(Path("runs", name).glob("version_*"))[-1]
    state: dict[str, Tensor] = torch.load(newest / "checkpoints/last.ckpt", weights_only=True)["state_dict"]
    return state


PACKED_MIXTURE = ("--data.packing=true", "--data.num_workers=2")


@pytest.mark.parametrize(
    ("case", "more"),
    [
        *(pytest.param(case, (), marks=[pytest.mark.slow] if case is not CASES[1] else []) for case in CASES),
        pytest.param(CASES[0], PACKED_MIXTURE, marks=pytest.mark.slow),
    ],
)
def test_killed_and_resumed_is_uninterrupted(
    case: tuple[str, str], more: tuple[str, ...], texts: Path, tokenizer_folder: Path, run: Callable[..., Any]
) -> None:
    objective, backbone = case
    pairs = "Sentence" in objective
    config = {"config": {"model_type": backbone, **BACKBONES[backbone][1]}, "dropout": 0.1}
    source = f"--data.train_files={texts}"
    if more:
        other = {"files": "corpus.txt", "weight": 2}
        source = f"--data.sources={json.dumps([{'files': str(texts), 'documents': 'paragraph'}, other])}"
        Path("corpus.txt").write_text("\n".join(capitalized(i, 4 + i % 9) for i in range(90)))
    options = (
        "fit",
        f"--model={objective}",
        f"--model.backbone={json.dumps(config)}",
        f"--data={'SentencePairDataModule' if pairs else 'CorpusDataModule'}",
        source,
        "--data.documents=paragraph",
        f"--data.{'max_length' if pairs else 'block_size'}=24",
        f"--data.tokenizer={tokenizer_folder}",
        "--data.batch_size=4",
        "--trainer.max_epochs=2",
        "--trainer.precision=32-true",
        "--trainer.accumulate_grad_batches=2",
        "--checkpoint.every_n_steps=2",
        "--model.learning_rate=1e-3",
        *more,
    )
    per_epoch = run(*options, "--name=whole").trainer.num_training_batches
    assert per_epoch > 10
    expected = weights("whole")
    for kills in ((per_epoch // 2 + 1,), (per_epoch,), (7, per_epoch + 5)):  # within, at the edge, in epoch 2; twice
        name = "killed-" + "-".join(map(str, kills))
        for number, at in enumerate(kills):
            killed(run, at, *options, f"--name={name}", *(["--ckpt_path=last"] if number else []))
        run(*options, f"--name={name}", "--ckpt_path=last")
        found = weights(name)
        assert all(torch.equal(value, found[key]) for key, value in expected.items()), kills
