"""How many processes a machine without accelerators can be asked for."""

from __future__ import annotations

import os
from typing import Any

from lightning.pytorch.utilities.rank_zero import rank_zero_warn

from ...errors import InputError

CROWD = 4
"""Processes for each core, above which a machine does nothing but change between them."""
ALWAYS = 8
"""As many are let through, for trials."""


def check_processes(devices: Any) -> None:
    """Say so where a CPU has fewer cores than processes are asked for, and refuse many times as many.

    Args:
        devices: `trainer.devices`, of a CPU.

    Raises:
        InputError: naming the cores.
    """
    if not str(devices).isdigit():  # auto, or a list, which a CPU does not take
        return
    asked, cores = int(devices), os.cpu_count() or 1
    if asked > max(CROWD * cores, ALWAYS):
        raise InputError(
            f"trainer.devices is {asked}, and on a CPU each is a process: there are {cores} cores, so up to {cores} "
            "would work."
        )
    if asked > cores:
        rank_zero_warn(
            f"trainer.devices is {asked}, and on a CPU each is a process: more than the {cores} cores slow it down."
        )
