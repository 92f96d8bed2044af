"""One loader for everything: whole batches by index, grouped by length, sharded, resumed exactly.

An epoch's order is a function of (seed, epoch) alone, so a position in it is two numbers, restored in the same
time whether ten or ten million examples were seen before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import torch
from torch.utils.data import DataLoader, DistributedSampler

from ..errors import InputError
from .ahead import ahead
from .share import Share


class BatchedDataset(Protocol):
    """A dataset that hands out whole batches."""

    def __len__(self) -> int: ...

    def __getitem__(self, indices: list[int]) -> dict[str, torch.Tensor]: ...


class BatchPlan(DistributedSampler[Any]):
    """Which examples make up which batch of which epoch.

    A `DistributedSampler` by type, so that Lightning leaves the sharding to it.

    Args:
        size: number of examples.
        batch_size: examples in a batch of one process.
        shuffle: draw a new order each epoch.
        seed: of that order.
        lengths: (size,), to group examples of similar length; None keeps the plain order.
        tokens: instead of `batch_size`, as many examples as fit into so many tokens of one process, padding counted.
            Batches are then cut at the same places of the sorted lengths in every epoch, so that their number never
            changes; which of the examples of equal length is where, and the order of the batches, does.
        draw: takes (seed, epoch) to the examples of a training epoch; None takes each once.
        rank: this process.
        world_size: number of processes. In training every process gets the same number of batches: where the last
            examples do not suffice, one is repeated. In evaluation nothing is.
    """

    def __init__(
        self,
        size: int,
        batch_size: int,
        *,
        shuffle: bool,
        seed: int = 0,
        lengths: np.ndarray | None = None,
        tokens: int | None = None,
        draw: Callable[[int, int], np.ndarray] | None = None,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        # The parent's __init__ would ask for a process group; only its type is wanted.
        self.size, self.batch_size, self.shuffle, self.seed = size, batch_size, shuffle, seed
        self.lengths, self.draw, self.rank, self.world_size = lengths, draw, rank, world_size
        self.cuts = _cuts(lengths, tokens, world_size) if tokens is not None and lengths is not None else None
        self.epoch = 0
        self.is_told = False
        """Whether somebody says which epoch it is: a trainer, Fabric, a loop of somebody's own."""
        self.start = 0
        """The first batch that the next iteration yields."""

    def set_epoch(self, epoch: int) -> None:
        """Lightning and Fabric call this before every epoch; where nobody does, a loader counts its own."""
        self.epoch, self.is_told = epoch, True

    def __len__(self) -> int:
        nothing = not self.shuffle and self.size <= self.rank
        return 0 if nothing else len(self._ends) - 1

    @cached_property
    def _ends(self) -> np.ndarray:
        """Where the batches of all processes end in the order; begins with 0.

        In evaluation too there is something for each process in every batch (of processes that compute together, as
        where a network is divided over them, none may stop early): a rest that is too small goes to the last batch.
        """
        together = self.batch_size * self.world_size
        cuts = self.cuts
        if cuts is None:
            cuts = np.minimum(np.arange(-(-self.size // together) + 1) * together, self.size)
        small = not self.shuffle and len(cuts) > 2 and cuts[-1] - cuts[-2] < self.world_size
        return np.delete(cuts, -2) if small else cuts

    def order(self) -> np.ndarray:
        """The examples in the order of this epoch."""
        rng = np.random.default_rng([self.seed, self.epoch])
        order = rng.permutation(self.size) if self.shuffle else np.arange(self.size)
        if self.shuffle and self.draw is not None:
            order = self.draw(self.seed, self.epoch)[order]
        if self.lengths is None:
            return order
        if self.cuts is not None:
            return order[np.argsort(-self.lengths[order], kind="stable")]
        together = self.batch_size * self.world_size
        sorted_together = together * grouped_batches(self.size // together)
        window = np.arange(self.size) // (sorted_together if self.shuffle else max(1, self.size))
        order = order[np.lexsort((-self.lengths[order], window))]
        if self.shuffle:
            whole = self.size // together
            groups = order[: whole * together].reshape(whole, together)
            order = np.concatenate([rng.permutation(groups).reshape(-1), order[whole * together :]])
        return order

    def __iter__(self) -> Iterator[list[int]]:
        order, cuts = self.order(), self._ends
        batches = np.arange(len(self))
        if self.cuts is not None and self.shuffle:
            batches = np.random.default_rng([self.seed, self.epoch, 1]).permutation(len(self))
        for index in batches[self.start :]:
            shared = order[cuts[index] : cuts[index + 1]]
            mine = shared[self.rank :: self.world_size]
            yield (mine if len(mine) else shared[-1:]).tolist()


def grouped_batches(batches: int) -> int:
    """Within how many batches examples are sorted by length.

    Many pad little. But in few steps batches of one length each learn less well (by three points of F1 on a thousand
    sentences of CoNLL), and of few examples the same ones would always share a batch.

    Args:
        batches: of an epoch.
    """
    return max(1, min(50, max(batches // 16, min(4, batches // 4))))


def _cuts(lengths: np.ndarray, tokens: int, world_size: int) -> np.ndarray:
    """Where batches of examples end that are sorted by length, longest first; begins with 0."""
    falling, cuts = np.sort(lengths)[::-1], [0]
    while cuts[-1] < len(falling):
        fit = max(1, tokens // max(1, int(falling[cuts[-1]])))
        cuts.append(min(len(falling), cuts[-1] + fit * world_size))
    return np.array(cuts)


class ResumableLoader(DataLoader[Any]):
    """A loader whose position is (epoch, batches handed out), saved in every checkpoint by Lightning.

    Args:
        dataset: hands out a batch for a list of indices.
        plan: which batches there are.
        num_workers: processes that make batches ahead of time.
        device: a GPU that batches are sent to ahead of time; None leaves that to the trainer.
        prepare: what is done to a batch before it is sent.

    Raises:
        InputError: if there are to be fewer than none.
    """

    def __init__(
        self,
        dataset: BatchedDataset,
        plan: BatchPlan,
        num_workers: int = 0,
        device: torch.device | None = None,
        prepare: Callable[[Any], Any] = lambda batch: batch,
    ) -> None:
        if num_workers < 0:
            raise InputError(f"data.num_workers is {num_workers}; it must be at least 0 (no process beside this one).")
        super().__init__(
            dataset,  # type: ignore[arg-type]
            sampler=plan,
            batch_size=None,  # the plan yields whole batches
            collate_fn=_as_it_is,
            num_workers=num_workers,
            persistent_workers=num_workers > 0,
            pin_memory=torch.cuda.is_available(),
        )
        self.plan = plan
        self.device, self.prepare = device, prepare
        self.position = 0
        self._resume: tuple[int, int] | None = None
        self.begun = False
        """Whether a batch was asked for."""
        self.share: Share | None = None
        """Which part of the data it hands out, where that was found out and not told."""

    def __len__(self) -> int:
        return len(self.plan)

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        # A generator, so that all this happens when the first batch is asked for: Lightning makes iterators before it
        # sets the epoch and restores the state.
        if self.share is not None:
            self.share.check()
        resume, self._resume = self._resume, None
        if self.begun and resume is None and not self.plan.is_told:
            self.plan.epoch += 1
        self.begun = True
        self.position = resume[1] if resume is not None and resume[0] == self.plan.epoch else 0
        self.plan.start = self.position
        batches: Iterator[Any] = super().__iter__()
        if self.device is not None:
            batches = ahead(batches, self.device, self.prepare)
        for batch in batches:
            self.position += 1
            yield batch

    def state_dict(self) -> dict[str, int]:
        """The position."""
        return {"epoch": self.plan.epoch, "position": self.position}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Goes on where `state` was taken, in the epoch it was taken in."""
        self._resume = (state["epoch"], state["position"])
        self.plan.epoch = state["epoch"]


class Opaque:
    """A loader whose type Lightning does not see: it rebuilds every `DataLoader` that it predicts from."""

    def __init__(self, loader: ResumableLoader) -> None:
        self.loader = loader

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.loader)


def _as_it_is(batch: Any) -> Any:
    return batch
