"""Imports while another run measures, and waits for its turn before anything is computed."""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

POLL = 0.02
"""Seconds between two looks."""


def wait_for_turn(spec: dict[str, Any]) -> None:
    """Imports what every run needs, says so, and returns when it may begin.

    Args:
        spec: of the run; `turn` is a folder in which a file `ready` is made and a file `go` is waited for. Without it
            there is nothing to wait for.
    """
    import torch
    import transformers  # noqa: F401

    from pretune.modules.shortcuts import varlen_attention

    if spec.get("null"):  # the stand-in of tests/null_gpu has no cuDNN, and no figures to look at
        torch.backends.cuda.enable_cudnn_sdp(False)
        torch.Tensor.erfinv_ = lambda self: self  # type: ignore[assignment]  # a kernel that is made when asked for
        varlen_attention._dropout_fault = lambda device: None  # type: ignore[assignment]
    if is_cheap(spec):
        torch.compile = cheap_compiler(spec)  # type: ignore[assignment]
    wait_for_go(spec)


def wait_for_go(spec: dict[str, Any]) -> None:
    """The waiting alone.

    Raises:
        SystemExit: if the one who would say so is gone.
    """
    if not spec.get("turn"):
        return
    parent = spec.get("parent", os.getppid())  # it may have gone while this one imported
    Path(spec["turn"], "ready").touch()
    while not Path(spec["turn"], "go").exists():
        if os.getppid() != parent:
            raise SystemExit("nobody is left who would say that it is this one's turn")
        time.sleep(POLL)


def is_cheap(spec: dict[str, Any]) -> bool:
    """Whether compilers are to do as little as they can: their own work would take minutes of a smoke run."""
    return bool(spec.get("smoke")) and spec["device"] == "cpu"


def cheap_compiler(spec: dict[str, Any]) -> Callable[..., Any]:
    """In the place of `torch.compile`: traces what has one shape, and leaves alone what is traced anew at each step."""
    import torch

    if spec.get("task") == "classification":
        return lambda function, **_: function
    return functools.partial(torch.compile, backend="eager")
