"""Several corpora as one, each with its share of training."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from .batch_plan import MANY, MIXED
from .interleaving import Interleaved
from .loader import BatchedDataset
from .permutation import Order
from .whole_batches import WholeBatches


class Mixture(WholeBatches):
    """Examples of several corpora, numbered through.

    Args:
        parts: the corpora.
        weights: of the corpora in training; relative to each other.
    """

    def __init__(self, parts: list[Any], weights: list[float]) -> None:
        self.parts: list[BatchedDataset] = parts
        self.weights = weights
        self.ends = np.cumsum([len(part) for part in parts])

    def __len__(self) -> int:
        return int(self.ends[-1])

    def batch(self, indices: list[int]) -> dict[str, Tensor]:
        """Return a batch of some examples."""
        numbers = np.asarray(indices)
        which = np.searchsorted(self.ends, numbers, side="right")
        begins = self.ends - [len(part) for part in self.parts]
        batches = [self.parts[p][(numbers[which == p] - begins[p]).tolist()] for p in np.unique(which)]
        return join(batches)

    def order(self, seed: int, epoch: int, made: int = MIXED) -> Order:
        """Return the examples of an epoch in their order; of many it is computed where it is read.

        An epoch has as many examples as all corpora together, shared out by weight. Each corpus is gone through in
        random orders, one after the other, and goes on in the next epoch where it stopped: small ones are repeated
        whole, and nothing of a large one is left out for good.

        Args:
            seed: of the order.
            epoch: its number.
            made: less than `MIXED`: as it was before orders of mixtures were computed.
        """
        own = any(getattr(part, "window", None) is not None for part in self.parts)
        if own or (len(self) > MANY and made >= MIXED):
            return Interleaved(self.parts, self.weights, seed, epoch)
        return self._drawn(seed, epoch)[np.random.default_rng([seed, epoch]).permutation(len(self))]

    def _drawn(self, seed: int, epoch: int) -> np.ndarray:
        """Return the examples of an epoch, before they are shuffled."""
        shares = np.array(self.weights) / sum(self.weights)
        counts = np.diff(np.round(np.cumsum(shares) * len(self)), prepend=0).astype(np.int64)
        chosen = []
        for number, (part, count) in enumerate(zip(self.parts, counts, strict=True)):
            size = len(part)
            places = epoch * count + np.arange(count)
            for turn in np.unique(places // size):
                order = np.random.default_rng([seed, number, turn]).permutation(size)
                chosen.append(self.ends[number] - size + order[places[places // size == turn] % size])
        return np.concatenate(chosen)


def join(batches: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    """Return several batches as one, rows or packed documents one after the other."""
    packed = "cu_seq_lens" in batches[0]
    joined = {
        key: torch.cat([batch[key] for batch in batches], dim=1 if packed else 0)
        for key in batches[0]
        if key != "cu_seq_lens"
    }
    if packed:
        lengths = torch.cat([batch["cu_seq_lens"].diff() for batch in batches])
        joined["cu_seq_lens"] = torch.nn.functional.pad(lengths.cumsum(0), (1, 0)).int()
    return joined
