"""Which part of the data is this process's, where no trainer says so."""

from __future__ import annotations

import os
from typing import NamedTuple

import torch.distributed as dist

from ...errors import InputError


class Share(NamedTuple):
    """Every `of`-th example, from the one with the number `rank` on."""

    rank: int = 0
    of: int = 1

    def check(self) -> None:
        """Raise an `InputError` if processes were started after a loader was made for one alone."""
        if (share := share_of_process()) != self:
            raise InputError(
                f"This loader was made for process {self.rank} of {self.of}, and this is process {share.rank} "
                f"of {share.of}: make it after the processes are started (fabric.launch(), init_process_group()), hand "
                "the whole datamodule to a Trainer, or say data.take_share(rank, of) yourself."
            )


def share_of_process() -> Share:
    """Return what torch.distributed says, or torchrun before that is initialized; else everything."""
    if dist.is_available() and dist.is_initialized():
        return Share(dist.get_rank(), dist.get_world_size())
    if "TORCHELASTIC_RUN_ID" in os.environ:
        return Share(int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"]))
    return Share()
