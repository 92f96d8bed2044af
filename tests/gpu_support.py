"""What the tests in `tests/gpu` share: the device, and comparisons that one which computes nothing leaves out."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Trainer
from torch import Tensor

ON_CPU = os.environ.get("PRETUNE_GPU_TESTS") == "cpu"
"""The device is the CPU, so that the tests themselves are tested."""
NULL = os.environ.get("PRETUNE_NULL_GPU") == "1"
"""The device is the one of `tests/null_gpu`, on which every line runs and no number means anything."""
ACCELERATOR = "cpu" if ON_CPU else "gpu"
DEVICE = torch.device("cpu") if ON_CPU else torch.device("cuda", 0)
COUNTED = (
    "NextSentence",
    "SentenceOrder",
    "SpanDenoising",
    "next_sentence",
    "sentence_order",
    "span_denoising",
    "stsb",
)
"""Of tests of objectives whose shapes are counted on the device, and of Spearman's ranks."""
ROUNDING = 1e-5
"""Of float32, as a share of the largest value of a tensor or gradient."""


def holds(fact: bool | Tensor, message: Any = "") -> None:
    """Asserts what is true on a device that computes."""
    assert NULL or fact, message


def same(found: Any, expected: Any, share: float = 0.0, name: str = "") -> None:
    """Asserts that tensors on any devices are equal, or that they differ by a share of the largest value at most.

    Args:
        found: a tensor, or several by name or number.
        expected: the same.
        share: 0 means bit for bit.
        name: for the message.
    """
    if isinstance(expected, Tensor):
        first, second = found.detach().cpu(), expected.detach().cpu()
        assert first.dtype == second.dtype, name
        holds(first.shape == second.shape, (name, first.shape, second.shape))
        if NULL:
            return
        if not share:
            assert torch.equal(first, second), f"{name}: {(first != second).sum()} of {first.numel()} differ"
        elif first.numel():
            difference, largest = float((first - second).abs().max()), float(second.abs().max())
            assert difference <= share * largest, f"{name}: {difference} of {largest}"
        return
    keys: Iterable[Any] = expected.keys() if isinstance(expected, dict) else range(len(expected))
    assert len(found) == len(expected), name
    if share:  # one scale for all: a gradient of next to nothing is rounding alone
        found, expected = (
            torch.cat([part[key].detach().cpu().flatten() for key in keys]) for part in (found, expected)
        )
        same(found, expected, share, name)
        return
    for key in keys:
        same(found[key], expected[key], name=f"{name} {key}")


def flat(gradients: Sequence[Tensor]) -> Tensor:
    """All in one, on the CPU."""
    return torch.cat([gradient.detach().float().cpu().flatten() for gradient in gradients])


def on_device(batch: dict[str, Any], device: torch.device = DEVICE) -> dict[str, Any]:
    """A batch with its hints, which stay on the host."""
    return {key: value.to(device) if isinstance(value, Tensor) else value for key, value in batch.items()}


def trainer(accelerator: str = ACCELERATOR, **options: Any) -> Trainer:
    """One that writes nothing down."""
    quiet: dict[str, Any] = {
        "devices": 1,
        "logger": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "enable_checkpointing": False,
        "num_sanity_val_steps": 0,
    }
    return Trainer(accelerator=accelerator, **{**quiet, **options})


def some(cases: Sequence[Any], on_cpu: Sequence[Any], many: bool = False) -> list[Any]:
    """All cases on a GPU; on the CPU those that are not named are slow tests.

    Args:
        cases: values of one parameter, or tuples of several.
        on_cpu: those that are cheap and tell most.
        many: whether they are of several.
    """
    slow = pytest.mark.slow if ON_CPU else ()
    return [pytest.param(*(case if many else (case,)), marks=() if case in on_cpu else slow) for case in cases]


def options_of(kind: str, config: dict[str, Any], tokenizer: Path, data: Sequence[str]) -> list[str]:
    """What a run of the command line is told of a module and its data, in batches of four.

    Args:
        kind: the module.
        config: of its backbone.
        tokenizer: a folder.
        data: options of a datamodule that are this run's own.
    """
    classes = {"TextClassification": "TextClassificationDataModule"}
    usual = "SentencePairDataModule" if "Sentence" in kind else "CorpusDataModule"
    return [
        "fit",
        f"--model={kind}",
        f"--model.backbone={json.dumps(config)}",
        f"--data={classes.get(kind, usual)}",
        *data,
        f"--data.tokenizer={tokenizer}",
        "--data.batch_size=4",
        "--data.num_workers=0",
    ]


def labeled(reviews: Path) -> list[str]:
    """Options of a datamodule for the table of reviews."""
    return [f"--data.train_files={reviews}", "--data.text_column=review", "--data.label_column=stars"]
