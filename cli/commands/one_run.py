"""One run of several that a process does one after another: each launches processes of its own, for itself alone."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from ..run_command import run_command

LAUNCH = ("MASTER_ADDR", "MASTER_PORT", "NODE_RANK", "LOCAL_RANK", "WORLD_SIZE")
"""What Lightning leaves in the environment, where it launches processes by the command line again."""
PATIENCE = 60.0
"""Seconds that launched processes get to end by themselves."""


def run_alone(args: Sequence[str]) -> Any:
    """Run a command in this process.

    The processes that its strategy launches read the arguments of this process: while it runs, these are the command's
    own, or each of them would begin with the first run of all. When it is done, nothing of the launch is left, or the
    next run would take itself for one of the launched.

    Args:
        args: a verb and its arguments.

    Returns:
        The command line object.
    """
    argv, before = sys.argv, {name: os.environ.get(name) for name in LAUNCH}
    sys.argv = [*argv[:1], *args]
    launched: list[subprocess.Popen[bytes]] = []
    try:
        cli = run_command(args)
        launched = getattr(cli.trainer.strategy.launcher, "procs", [])
        return cli
    finally:
        sys.argv = argv
        if before["LOCAL_RANK"] is None and "LOCAL_RANK" in os.environ:
            _end_launch(launched, before)


def _end_launch(launched: Sequence[subprocess.Popen[bytes]], before: dict[str, str | None]) -> None:
    import torch

    for process in launched:
        with suppress(subprocess.TimeoutExpired):
            process.wait(PATIENCE)
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
    for name, value in before.items():
        os.environ.pop(name, None)
        if value is not None:
            os.environ[name] = value
