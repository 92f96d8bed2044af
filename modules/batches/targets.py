"""The places that have a target, as indices: what the costly head computes, and nothing else."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ...contracts import IGNORED

DEVIATIONS = 8
"""So many standard deviations above the mean, the number of targets is never found."""


@dataclass(frozen=True)
class Targets:
    """The places of a grid that have a target.

    Args:
        places: (targets,), int64, into the grid laid flat, in order; fillers, if there are any, come last.
        filled: (targets,), boolean: whether it is a place, and no filler; None: all are.
    """

    places: Tensor
    filled: Tensor | None = None

    def of(self, values: Tensor) -> Tensor:
        """Return (targets,), of values on the grid, (rows, length); `IGNORED` for fillers."""
        chosen = values.flatten()[self.places]
        return chosen if self.filled is None else chosen.masked_fill(~self.filled, IGNORED)

    def put(self, values: Tensor, grid: Tensor) -> Tensor:
        """Return the grid, (rows, length), with values, (targets,), at the places."""
        flat = torch.nn.functional.pad(grid.flatten(), (0, 1))  # with a place for what fillers put
        places = self.places if self.filled is None else self.places.where(self.filled, len(flat) - 1)
        return flat.scatter(0, places, values.to(flat.dtype))[:-1].view_as(grid)


def before(values: Tensor) -> Tensor:
    """Return what follows each place, (rows, length): 0 or False after the last one."""
    return torch.nn.functional.pad(values[:, 1:], (0, 1))


def after(values: Tensor) -> Tensor:
    """Return what is before each place, (rows, length): 0 or False before the first one."""
    return torch.nn.functional.pad(values[:, :-1], (1, 0))


def find_targets(chosen: Tensor, most: int | None = None) -> Targets:
    """Return the places where `chosen` holds.

    Args:
        chosen: (rows, length), boolean.
        most: how many there are at the most. Then the number of places is always this one, so that nobody has to wait
            for a GPU to count them, and shapes stay the same from step to step; null counts them.
    """
    flat = chosen.flatten()
    if most is None:
        return Targets(flat.nonzero().squeeze(1))
    places = torch.nonzero_static(flat, size=most, fill_value=-1).squeeze(1)
    return Targets(places.clamp(min=0), places >= 0)


def most_targets(places: int, rows: int, probability: float) -> int:
    """Return what the number of random targets, each chosen by itself, does not exceed, but for a chance of 10^-15.

    Args:
        places: that may become one.
        rows: each of them gets one target at least.
        probability: of a place.
    """
    spread = math.sqrt(places * probability * (1 - probability))
    most = places * probability + rows + DEVIATIONS * spread
    return min(places, 64 * math.ceil(most / 64))
