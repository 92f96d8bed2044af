"""Whether all processes of a run hold the same tokenizer and the same data, before the first of them trains on it."""

from __future__ import annotations

import platform
from typing import Any

import torch.distributed as dist

from ...errors import InputError


def require_agreement(held: dict[str, str]) -> None:
    """Compare what the processes of a run hold; each calls it at the same time. Nothing happens in a single one.

    Args:
        held: hashes, by what they are of.

    Raises:
        InputError: in all processes, naming those that differ from the first.
    """
    if not (dist.is_available() and dist.is_initialized()) or dist.get_world_size() == 1:
        return
    everyone: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(everyone, (platform.node(), held))
    if message := difference(everyone):
        raise InputError(message)


def difference(everyone: list[tuple[str, dict[str, str]]]) -> str | None:
    """Return what to say of processes that differ, or None.

    Args:
        everyone: by rank, the machine and what it holds.
    """
    first_machine, first = everyone[0]
    names = {name: None for _, held in everyone for name in held}
    for name in names:  # the tokenizer first: data that it made differ with it
        others = [rank for rank, (_, held) in enumerate(everyone) if held.get(name) != first.get(name)]
        if others:
            machines = ", ".join(dict.fromkeys(everyone[rank][0] for rank in others))
            ranks = f"{'rank' if len(others) == 1 else 'ranks'} {_spans(others)} ({machines})"
            return (
                f"The processes of this run do not have the same data: the {name} of {ranks} is another one than that "
                f"of rank 0 ({first_machine}). Give all machines the same files, and one cache (data.cache_dir on a "
                "disk that they share), or a tokenizer that is trained already (data.tokenizer: its folder)."
            )
    return None


def _spans(ranks: list[int]) -> str:
    """Return `0-3, 7` for 0, 1, 2, 3, 7."""
    spans: list[list[int]] = []
    for rank in ranks:
        if spans and rank == spans[-1][-1] + 1:
            spans[-1][1:] = [rank]
        else:
            spans.append([rank])
    return ", ".join("-".join(map(str, span)) for span in spans)
