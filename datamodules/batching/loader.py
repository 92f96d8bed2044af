"""One loader for everything: whole batches by index, sharded, made ahead of time, resumed exactly."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from typing import Any, Protocol

import torch
from torch.utils.data import DataLoader

from ...contracts import LoaderFacts
from ...errors import InputError
from .ahead import ahead
from .batch_plan import COMPUTED, HELD, MIXED, BatchPlan, Stretch
from .share import Share


class BatchedDataset(Protocol):
    """A dataset that hands out whole batches."""

    def __len__(self) -> int: ...

    def __getitem__(self, indices: list[int]) -> dict[str, torch.Tensor]: ...


class ResumableLoader(DataLoader[Any], LoaderFacts):
    """A loader whose position is (epoch, what was handed out of it), saved in every checkpoint by Lightning.

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
        self._content: list[int] | None = None  # of the data of the checkpoint
        self.resumed_at: int | None = None
        """Where a checkpoint of other batches left off, in batches of an epoch as it is cut now."""
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
        within = resume is not None and resume[0] == self.plan.epoch
        if within and self._content not in (None, self.plan.content):
            raise InputError(
                f"The run was interrupted within an epoch of {self._content[0]:,} training examples; now there are "
                f"{self.plan.size:,}, or they have other lengths: go on with the same data, max_length and tokenizer, "
                "or start a new run from its weights (model.backbone: the run)."
            )
        self.position = resume[1] if resume is not None and within else 0
        self.plan.start = self.position
        batches: Iterator[Any] = super().__iter__()
        if self.device is not None:
            batches = ahead(batches, self.device, self.prepare)
        for batch in batches:
            self.position += 1
            yield batch

    def state_dict(self) -> dict[str, Any]:
        """Return the position; plain data."""
        epoch, before = self.plan.before
        return {
            "epoch": self.plan.epoch,
            "position": self.position,
            "cut": asdict(self.plan.own),
            "before": [asdict(stretch) for stretch in before] if epoch == self.plan.epoch else [],
            "content": self.plan.content,
            "made": self.plan.made[1] if self.plan.made[0] == self.plan.epoch else MIXED,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where `state` was taken, in the epoch it was taken in."""
        plan, epoch, position = self.plan, state["epoch"], state["position"]
        cut = Stretch(**state["cut"]) if "cut" in state else plan.own  # earlier versions did not say
        before = [Stretch(**stretch) for stretch in state.get("before", [])]
        is_other_cut = cut.shared != plan.own.shared
        if is_other_cut:
            before, position = [*before, replace(cut, batches=position)], 0
        plan.epoch, plan.before = epoch, (epoch, before)
        plan.made = epoch, state.get("made", COMPUTED if "cut" in state else HELD)
        self._resume, self._content = (epoch, position), state.get("content")
        is_same_data = self._content in (None, plan.content)
        self.resumed_at = len(plan) - len(plan.layout().batches) if is_other_cut and is_same_data else None


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
