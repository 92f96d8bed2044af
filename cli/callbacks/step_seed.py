"""What a batch of a prediction draws, where texts are sampled, depends on the batch, not on where the run began."""

from __future__ import annotations


def step_seed(seed: int, name: tuple[int, int], rank: int) -> int:
    """Return the seed of a batch.

    Args:
        seed: of the run.
        name: of the batch (`PredictStep.name`).
        rank: of the process.
    """
    first, number = name
    return (seed * 1_000_003 + first * 1_009 + number * 101 + rank) % (1 << 63)
