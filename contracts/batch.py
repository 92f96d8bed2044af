"""What all batches have in common: the label of what has none, and what is known of them before they are moved."""

from __future__ import annotations

from typing import Any

IGNORED = -100
"""The label of a place that has none, as in torch's `cross_entropy`."""

# ------------------------------------------------------------------ hints

FULL = "full"
"""Whether nothing in the batch is padding: then no mask is needed, and attention has faster ways without one."""
LONGEST = "longest"
"""Tokens of the longest row, or of the longest document in a packed batch."""
TOKENS = "tokens"
"""Of rows of which some are padded, and none is empty: how many tokens they hold."""
CAPACITY = "capacity"
"""The most places that a batch of these data has, where they come in one shape: blocks, and packs but for their end."""
TARGETS = "targets"
"""How many places of a batch have a label."""
HINTS = {FULL, LONGEST, TOKENS, CAPACITY, TARGETS}


def with_hints(batch: Any) -> Any:
    """Return a batch of tensors with plain facts beside them, if it is of the kind that the datamodules give.

    Args:
        batch: before it is moved; what holds no `attention_mask` or `cu_seq_lens` comes back as it is.
    """
    if not isinstance(batch, dict):
        return batch
    mask, bounds, labels = batch.get("attention_mask"), batch.get("cu_seq_lens"), batch.get("labels")
    hints: dict[str, Any] = {}
    if mask is not None and mask.ndim >= 2 and not mask.is_cuda:
        choice_mask = batch.get("choice_mask")
        if choice_mask is not None:  # of endings, of which the network is given these alone
            mask = mask[choice_mask.bool()]
        lengths, full = mask.bool().sum(-1), bool(mask.all())
        if mask.ndim == 2 and choice_mask is None:
            hints[FULL] = full
        if not full and bool(lengths.all()):
            hints |= {TOKENS: int(lengths.sum()), LONGEST: int(lengths.max())}
    if bounds is not None and not bounds.is_cuda:
        hints[LONGEST] = int(bounds.diff().max())
    if labels is not None and labels.ndim == 2 and not labels.is_cuda and not labels.is_floating_point():
        hints[TARGETS] = int((labels >= 0).sum())  # those without one have a negative number
    return {**batch, **hints}


def without_hints(batch: dict[str, Any]) -> dict[str, Any]:
    """Return a batch without hints: for whoever changes its rows, mask or labels after it was moved.

    Args:
        batch: with hints or without.
    """
    return {key: value for key, value in batch.items() if key not in HINTS}


def known_targets(batch: dict[str, Any]) -> int | None:
    """Return how many places of a batch have a label, if that was counted before it went to the device."""
    count: int | None = batch.get(TARGETS)
    return count
