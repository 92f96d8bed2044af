"""A run that was stopped anywhere and resumed ends in the same weights, bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from gpu_support import NULL, holds, labeled, options_of, same, some
from lightning.pytorch import Callback
from test_combinations import BACKBONES  # type: ignore[import-not-found]
from test_invariances import CASES, weights  # type: ignore[import-not-found]
from tests_support import capitalized

from pretune.cli import pretune_cli as cli


class Stopped(Exception):
    """Power is off."""


class Stop(Callback):
    """Ends the run without warning before a batch."""

    def __init__(self, at: int) -> None:
        self.at = at

    def on_train_batch_start(self, trainer: Any, *args: Any) -> None:
        if trainer.fit_loop.epoch_loop.total_batch_idx == self.at:
            raise Stopped


def stopped(run: Callable[..., Any], at: int, *args: str) -> None:
    """Runs a command that stops before a batch; a process that uses CUDA cannot be forked, and killed."""
    with pytest.MonkeyPatch.context() as patch:
        usual = cli.PretuneCLI._callbacks
        patch.setattr(cli.PretuneCLI, "_callbacks", lambda self: [*usual(self), Stop(at)])
        with pytest.raises(Stopped):
            run(*args)


RUNS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    **{"-".join(case): (*case, ()) for case in CASES},
    "packed": ("MaskedLanguageModeling", "bert", ("--data.packing=true",)),
    "packed-gpt2": ("CausalLanguageModeling", "gpt2", ("--data.packing=true", "--data.num_workers=2")),
    "modernbert": ("MaskedLanguageModeling", "modernbert", ()),
    "checkpointing": ("CausalLanguageModeling", "llama", ("--model.backbone.gradient_checkpointing=true",)),
    "muon": ("CausalLanguageModeling", "llama", ("--model.optimizer=muon",)),
    "ema": ("MaskedLanguageModeling", "bert", ("--trainer.callbacks+=EMAWeightAveraging",)),
    "labels": ("TextClassification", "bert", ()),
    "labels-llama": ("TextClassification", "llama", ("--model.r_drop=1.0",)),
}


EVERY = [(name, "bf16-mixed") for name in RUNS]
EXACT = [(name, "32-true") for name in ("MaskedLanguageModeling-bert", "packed-gpt2")]


@pytest.mark.parametrize(("name", "precision"), some([*EVERY, *EXACT, ("packed-gpt2", "16-mixed")], EXACT, many=True))
def test_stopped_and_resumed_is_uninterrupted(
    name: str, precision: str, reviews: Path, tokenizer_folder: Path, run: Callable[..., Any]
) -> None:
    kind, backbone, more = RUNS[name]
    Path("texts.txt").write_text(
        "\n\n".join(" ".join(capitalized(7 * i + j) for j in range(3 + i % 4)) for i in range(40))
    )
    config = {"config": {"model_type": backbone, **BACKBONES[backbone][1]}, "dropout": 0.1}
    length = "max_length" if "Sentence" in kind else "block_size"
    texts = ["--data.train_files=texts.txt", "--data.documents=paragraph", f"--data.{length}=24"]
    data = labeled(reviews) if kind == "TextClassification" else texts
    options = (
        *options_of(kind, config, tokenizer_folder, data),
        "--trainer.max_steps=8",
        f"--trainer.precision={precision}",
        "--trainer.accumulate_grad_batches=2",
        "--trainer.deterministic=true",
        "--trainer.num_sanity_val_steps=0",
        "--trainer.limit_val_batches=2",
        "--checkpoint.every_n_steps=2",
        "--model.learning_rate=1e-3",
        *more,
    )
    assert run(*options, "--name=whole").trainer.global_step == 8
    expected = weights("whole")
    stopped(run, 7, *options, "--name=cut")  # within an accumulation window, after the checkpoint of step 2
    stopped(run, 13, *options, "--name=cut", "--ckpt_path=last")
    assert run(*options, "--name=cut", "--ckpt_path=last").trainer.global_step == 8
    found = weights("cut")
    assert found.keys() == expected.keys()
    same(found, expected)
    start = weights_after(run, 2, *options)
    holds(NULL or any(not start[key].equal(value) for key, value in expected.items()))


def weights_after(run: Callable[..., Any], steps: int, *options: str) -> dict[str, Any]:
    """Of a shorter run, which differ."""
    run(*options, "--name=short", f"--trainer.max_steps={steps}")
    found: dict[str, Any] = weights("short")
    return found
