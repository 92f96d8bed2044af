"""Batches and steps that are larger than the data: they shrink, and that is said."""

from __future__ import annotations

from typing import Any

from lightning.pytorch.utilities.rank_zero import rank_zero_info


def tell_of_small_data(examples: int, batch_size: int | None, batches: int, share: Any, accumulated: int) -> None:
    """Say for which of the sizes that were asked for there are too few examples.

    Args:
        examples: of training.
        batch_size: of one process; None where tokens bound a batch.
        batches: of an epoch, as they are.
        share: of how many processes one trains.
        accumulated: batches that a step was to take.
    """
    together = (batch_size or 0) * share.of
    if examples < together:
        of = f" on each of {share.of} processes" if share.of > 1 else ""
        rank_zero_info(
            f"There are {examples:,} training examples, fewer than one batch of {batch_size:,}{of} (data.batch_size): "
            f"a batch takes all of them, {-(-examples // share.of):,}{of}."
        )
    if batches < accumulated:
        rank_zero_info(
            f"An epoch has {batches:,} {'batch' if batches == 1 else 'batches'}, fewer than "
            f"trainer.accumulate_grad_batches ({accumulated:,}): a step takes all of them, and none of the next epoch."
        )
