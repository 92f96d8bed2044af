"""Stages of a training: how long each is, and what it does differently."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import InputError, check_range
from .batching.staged_plan import PlannedStage


@dataclass
class Stage:
    """A stage of training, such as long blocks or other shares of the corpora towards the end.

    What is null is as the other options say.

    Args:
        tokens: how long it lasts: tokens of all processes, padding included.
        block_size: tokens in a row; it divides data.block_size, and each block is cut into so many rows.
        batch_size: rows per batch and process; null: as many tokens as in the other stages.
        weights: of the sources.
        rate: factor on the learning rate that model.schedule gives.
    """

    tokens: float
    block_size: int | None = None
    batch_size: int | None = None
    weights: list[float] | None = None
    rate: float = 1.0


def planned_stages(
    stages: Sequence[Stage | dict[str, Any]], block_size: int, batch_size: int, packing: bool, weights: Sequence[float]
) -> list[PlannedStage]:
    """Return the stages in whole blocks.

    Args:
        stages: as the options have them.
        block_size: data.block_size.
        batch_size: data.batch_size.
        packing: data.packing.
        weights: of the sources, where a stage has none of its own.

    Raises:
        InputError: if a number is out of its range, or blocks cannot be cut like this.
    """
    planned, end = [], 0
    for number, option in enumerate(stages):
        name, stage = f"data.stages[{number}]", option if isinstance(option, Stage) else Stage(**option)
        check_range(f"{name}.tokens", stage.tokens, least=block_size)
        check_range(f"{name}.rate", stage.rate, above=0)
        check_range(f"{name}.block_size", stage.block_size, least=1)
        check_range(f"{name}.batch_size", stage.batch_size, least=1)
        length = stage.block_size or block_size
        if length != block_size and packing:
            raise InputError(f"{name}.block_size cuts blocks, and data.packing has none: leave one of them out.")
        if block_size % length:
            raise InputError(f"{name}.block_size is {length}, which must divide data.block_size ({block_size}).")
        pieces = block_size // length
        rows = stage.batch_size or batch_size * pieces
        if rows % pieces:
            raise InputError(
                f"{name}.batch_size is {rows} rows of {length} tokens, and a block of {block_size} gives {pieces} of "
                f"them: a multiple of {pieces} would work."
            )
        shares = list(stage.weights or weights)
        if len(shares) != len(weights) or min(shares) < 0 or not sum(shares):
            raise InputError(
                f"{name}.weights is {stage.weights}; it must be {len(weights)} numbers, one for each source, none of "
                "them below 0."
            )
        end += -(-int(stage.tokens) // block_size)
        planned.append(PlannedStage(end, rows // pieces, pieces, stage.rate, tuple(shares)))
    return planned
