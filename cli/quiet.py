"""What a command says while it works: warnings and messages in a line each, without what nobody can act on.

A library has no business with its users' warnings: all of this is set by the command line alone, and put back.
"""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..text.visible import shown_path, visible
from .terminal import TerminalHandler, laid_out, without_bar

ROOT = Path(__file__).parents[1]
ROOMS = ("cli", "datamodules", "modules", "storage", "text", "checkpoints.py", "moved.py")
"""Where warnings come from that are ours."""

UNNEEDED_WARNINGS = (
    r".*does not have many workers.*",  # batches come from mapped memory: 0 workers is right
    r".*LightningCLI's args parameter is intended.*",  # main(args) is the interface of the tests
    r".*Couldn't infer the batch indices.*",  # our batches carry their index
    r".*Be aware that when using `ckpt_path`, callbacks.*",  # evaluation needs none of training's callbacks
    r".*`gradient_checkpointing_enable` is deprecated.*",  # the successor is missing in older versions
    r".*treespec, LeafSpec.*",  # Lightning's own use of torch
    r".*The variance of predictions or target is close to zero.*",  # early in training; the score is then 0
    r".*is smaller than the logging interval.*",
    r".*Checkpoint directory .* exists and is not empty.*",  # a resumed run goes on in its folder
)
UNNEEDED_MESSAGES = (
    "Tip:",
    "litlogger",
    "Loading `train_dataloader` to estimate",
    "has Tensor Cores",  # bf16-mixed uses them
    "GPU available:",  # that there is one and it is not used is a warning of its own
    "TPU available:",
    "HPU available:",
    "CUDA_VISIBLE_DEVICES: [",
    "Initializing distributed: GLOBAL_RANK",  # how many processes there are says our first line
    "distributed_backend=",
    "Time limit reached.",  # that training stopped for it is told
    "Seed set to",  # config.yaml says it
    "` was configured so 1 ",  # such as limit_val_batches, which the user set
    "`Trainer.fit` stopped:",  # a line of ours says why
    "`weights_only` was not set",
    "/.lr_find",  # checkpoints of the range test, which it removes
    "Restoring states from the checkpoint path at",  # and that they are restored says the next line
    "Loaded model weights from the checkpoint",  # we have said which, or were told
    "Mixed Precision (AMP)",  # a line of ours says how numbers are computed
)


@contextmanager
def quiet() -> Iterator[None]:
    """Say in a line each what there is to say, for as long as a command runs.

    What `python -W` or `PYTHONWARNINGS` asks for comes before what is left out here.
    """
    from transformers.utils import logging as transformers_logging

    transformers_logging.set_verbosity_error()  # our own report says which weights are new
    transformers_logging.disable_progress_bar()
    loggers = [logging.getLogger(f"lightning.{name}") for name in ("pytorch", "fabric")]
    plain_handlers = {log: list(log.handlers) for log in loggers}
    speaking = [
        logging.getLogger(n) for n in ("lightning.pytorch.utilities.rank_zero", "lightning.fabric.utilities.seed")
    ]
    format_before = warnings.formatwarning
    try:
        for log in speaking:
            log.addFilter(_harmless)
        for log in loggers:
            # Only where Lightning speaks for itself: what someone has set up instead is left alone.
            log.handlers = [_terminal() if type(h) is logging.StreamHandler else h for h in log.handlers]
        with warnings.catch_warnings():
            for message in UNNEEDED_WARNINGS:
                warnings.filterwarnings("ignore", message=message, append=bool(sys.warnoptions))
            warnings.formatwarning = WarningLines()
            yield
    finally:
        warnings.formatwarning = format_before
        for log in loggers:
            log.handlers = plain_handlers[log]
        for log in speaking:
            log.removeFilter(_harmless)


class WarningLines:
    """A warning as a line `warning: ...`, once; of other people's code with its category and where it comes from.

    Formats, and shows nothing itself: whoever records warnings gets them as they are.
    """

    def __init__(self) -> None:
        self._lines: set[str] = set()

    def __call__(
        self, message: Any, category: type[Warning], filename: str, lineno: int, line: str | None = None
    ) -> str:
        """Return the line with its end, or nothing where it would tell the user nothing."""
        place = Path(filename)
        installed = "site-packages" in place.parts
        text = " ".join(visible(str(message)).split("\n"))
        if not _is_ours(place):
            text += f" ({_origin(place, lineno)}: {category.__name__})"
        text = laid_out(f"warning: {text}")
        if not sys.warnoptions:
            outdated = issubclass(category, FutureWarning | DeprecationWarning | PendingDeprecationWarning)
            if text in self._lines or (outdated and installed and not _is_ours(place)) or not _is_first():
                return ""
        self._lines.add(text)
        return f"{without_bar()}{text}\n"


def _is_first() -> bool:
    """Return whether this is the first of several processes, or the only one: all of them would say the same."""
    from lightning_utilities.core.rank_zero import rank_zero_only

    return not getattr(rank_zero_only, "rank", 0)


def _is_ours(place: Path) -> bool:
    return place.is_relative_to(ROOT) and place.relative_to(ROOT).parts[0] in ROOMS


def _origin(place: Path, lineno: int) -> str:
    """Return the package that a warning comes from, or the line of the user's file."""
    if "site-packages" in place.parts:
        return Path(*place.parts[place.parts.index("site-packages") + 1 :]).parts[0].removesuffix(".py")
    return f"{shown_path(str(place))}:{lineno}"


def _terminal() -> logging.Handler:
    handler = TerminalHandler()
    handler.addFilter(_worth_reading)
    return handler


def _worth_reading(record: logging.LogRecord) -> bool:
    text = record.getMessage()
    return not any(part in text for part in UNNEEDED_MESSAGES)


def _harmless(record: logging.LogRecord) -> bool:
    """Show control characters, which may come with any label or name, as their codes."""
    text = record.getMessage()
    if (shown := visible(text)) != text:
        record.msg, record.args = shown, ()
    return True
