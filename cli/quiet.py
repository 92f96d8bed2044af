"""Silences what a user of the command line cannot act on, each at its source and for a stated reason."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from typing import Any

from ..text.visible import visible


def silence() -> None:
    """Called by the command line only; a library has no business with its users' warnings."""
    from transformers.utils import logging as transformers_logging

    transformers_logging.set_verbosity_error()  # our own report says which weights are new
    transformers_logging.disable_progress_bar()
    for message in (
        r".*does not have many workers.*",  # batches come from mapped memory: 0 workers is right
        r".*LightningCLI's args parameter is intended.*",  # main(args) is the interface of the tests
        r".*Couldn't infer the batch indices.*",  # our batches carry their index
        r".*Be aware that when using `ckpt_path`, callbacks.*",  # evaluation needs none of training's callbacks
        r".*`gradient_checkpointing_enable` is deprecated.*",  # the successor is missing in older versions
        r".*treespec, LeafSpec.*",  # Lightning's own use of torch
        r".*The variance of predictions or target is close to zero.*",  # early in training; the score is then 0
        r".*is smaller than the logging interval.*",
        r".*Checkpoint directory .* exists and is not empty.*",  # a resumed run goes on in its folder
    ):
        warnings.filterwarnings("ignore", message=message)
    for name in ("lightning.pytorch.utilities.rank_zero", "lightning.fabric.utilities.seed"):
        logging.getLogger(name).addFilter(_worth_reading)
        logging.getLogger(name).addFilter(_harmless)
    warnings.showwarning = _show_harmless(warnings.showwarning)


def _worth_reading(record: logging.LogRecord) -> bool:
    text = record.getMessage()
    noise = ("Tip:", "litlogger", "Loading `train_dataloader` to estimate", "has Tensor Cores")  # bf16-mixed uses them
    return not any(part in text for part in noise)


def _harmless(record: logging.LogRecord) -> bool:
    """Shows control characters, which may come with any label or name, as their codes."""
    text = record.getMessage()
    if (shown := visible(text)) != text:
        record.msg, record.args = shown, ()
    return True


def _show_harmless(show: Callable[..., None]) -> Callable[..., None]:
    """The same for warnings; `silence` is called where what it sets is put back in the end."""

    def showwarning(message: Any, category: type[Warning], *more: Any, **options: Any) -> None:
        text = str(message)
        show(category(shown) if (shown := visible(text)) != text else message, category, *more, **options)

    return showwarning
