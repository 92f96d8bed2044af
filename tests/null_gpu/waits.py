"""Runs the command line and lists where a training or a validation step waits for the GPU; see `build.py`."""

from __future__ import annotations

import collections
import sys
import traceback
import warnings
from collections.abc import Callable
from typing import Any

import torch
from lightning.pytorch.loops.evaluation_loop import _EvaluationLoop
from lightning.pytorch.loops.training_epoch_loop import _TrainingEpochLoop

from pretune.main import main

WARM = 3
"""Steps before waiting counts: the first ones make what is kept."""
found: collections.Counter[str] = collections.Counter()


def note(message: Any, *_: Any, **__: Any) -> None:
    """Takes a warning of torch's down, by the last place of this suite that led to it."""
    if "synchroniz" not in str(message):
        return
    stack = [frame for frame in traceback.extract_stack() if "warnings.py" not in frame.filename][:-1]
    ours = [frame for frame in stack if "/pretune/" in frame.filename and "null_gpu" not in frame.filename]
    for frame in ours[-1:]:
        found[f"{frame.filename.rpartition('/pretune/')[2]}:{frame.lineno}: {frame.line}  <- {stack[-1].line}"] += 1


def watched(step: Callable[..., Any], mode: str = "warn") -> Callable[..., Any]:
    """A step during which torch warns of waiting, or raises an `error`."""
    calls = 0

    def run(*args: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        torch.cuda.set_sync_debug_mode(mode if calls >= WARM else "default")
        try:
            return step(*args, **options)
        finally:
            torch.cuda.set_sync_debug_mode("default")

    return run


if __name__ == "__main__":
    torch.backends.cuda.enable_cudnn_sdp(False)  # a part of cuDNN that is no shared library asks more than is there
    _TrainingEpochLoop.advance = watched(_TrainingEpochLoop.advance)  # type: ignore[method-assign]
    _EvaluationLoop._evaluation_step = watched(_EvaluationLoop._evaluation_step)  # type: ignore[method-assign]
    warnings.simplefilter("always")
    warnings.showwarning = note
    main(sys.argv[1:])
    for place, count in found.most_common():
        print(f"{count:6} x {place}")
    print(f"{sum(found.values())} waits")
