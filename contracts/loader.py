"""What is asked of a loader of training batches."""

from __future__ import annotations

from typing import Any


class LoaderFacts:
    """What is asked of a loader of training batches."""

    plan: Any = None
    """Which batches there are, and what they are made of."""
    resumed_at: int | None = None
    """Where a checkpoint of other batches left off, in batches of an epoch as it is cut now."""
