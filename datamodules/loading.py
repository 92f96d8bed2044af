"""How a datamodule hands out batches: shared out among processes, in an order that a checkpoint restores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch
from lightning.pytorch import LightningDataModule
from lightning.pytorch.utilities.model_helpers import is_overridden
from lightning.pytorch.utilities.rank_zero import rank_zero_info

from ..contracts import DataFacts, with_hints
from ..errors import InputError, check_range
from ..text.processes import cores
from .batching.agreement import require_agreement
from .batching.batch_plan import BatchPlan
from .batching.loader import BatchedDataset, Opaque, ResumableLoader
from .batching.predict_plan import PredictPlan
from .batching.share import Share, share_of_process
from .batching.small_data import tell_of_small_data
from .batching.staged_plan import PlannedStage, StagedExamples, StagedPlan
from .sources import Source

MOST_WORKERS = 4
"""That are chosen for a GPU: tokens lie ready in the cache, and more than a few only wait."""


class LoadingDataModule(LightningDataModule, DataFacts):
    """Loaders of what a subclass puts into `self.datasets`, a `BatchedDataset` for each split.

    Args:
        batch_size: examples per batch and process.
        num_workers: processes that make batches ahead of time; null chooses.
        seed: of the order of training.
    """

    batches_at_once = False
    """Whether a batch is cut out of mapped memory, which is faster than a worker process could hand it over."""
    tokens_per_batch: int | None = None
    source: Source

    def __init__(self, batch_size: int, num_workers: int | None, seed: int) -> None:
        super().__init__()
        check_range("data.batch_size", batch_size, least=1)
        self.batch_size = batch_size
        self.num_workers = num_workers
        self.seed = seed
        self.datasets: dict[str, Any] = {}
        self.contents: dict[str, str] = {}
        """A hash of what each split was made of, by which processes find out whether they have the same."""
        self.predict_from = 0
        self.predict_plan: PredictPlan | None = None
        self._train_loader: ResumableLoader | None = None
        self._resume: dict[str, int] | None = None
        self._share: Share | None = None

    # ------------------------------------------------------------------ what the trainer does

    @property
    def module(self) -> Any:
        """The module in training, if there is one: it knows the backbone."""
        return getattr(self.trainer, "lightning_module", None) if self.trainer is not None else None

    def wanted_splits(self) -> tuple[Literal["train", "validation", "test"], ...]:
        """Return the splits that the trainer's verb needs; all where there is no trainer."""
        verb = getattr(self.trainer.state.fn, "value", "fit") if self.trainer is not None else "fit"
        needed: dict[str, tuple[Literal["train", "validation", "test"], ...]] = {"predict": (), "test": ("test",)}
        return needed.get(verb, ("train", "validation", "test"))

    def predicts(self) -> bool:
        """Return whether the trainer's verb is `predict`."""
        return self.trainer is not None and self.trainer.state.fn == "predict"

    def _overfits(self) -> bool:
        """Return whether `trainer.overfit_batches` is on, for which Lightning would rebuild every `DataLoader`."""
        return self.trainer is not None and self.trainer.overfit_batches > 0  # type: ignore[attr-defined]

    # ------------------------------------------------------------------ processes

    def require_agreement(self) -> None:
        """Stop the run if its processes hold different tokenizers or data; each asks for a loader at the same time.

        Raises:
            InputError: naming the processes.
        """
        if self.trainer is None:  # a callback's own data, which one process may read alone
            return
        require_agreement(self.held())

    def held(self) -> dict[str, str]:
        """Return what all processes must hold alike: hashes and numbers, by what they are of."""
        sizes = {f"number of {split} examples": str(len(data)) for split, data in self.datasets.items()}
        return {**{f"{split} data": content for split, content in self.contents.items()}, **sizes}

    def take_share(self, rank: int, of: int) -> None:
        """Say which part of the data is this process's, in place of the trainer or torch.distributed.

        Args:
            rank: of this process, from 0.
            of: how many share the data out; 1 takes everything.
        """
        self._share = Share(rank, of)

    def share(self) -> Share:
        """Return which part of the data is this process's: as `take_share`, the trainer or torch.distributed says."""
        if self._share is not None:
            return self._share
        return Share(self.trainer.global_rank, self.trainer.world_size) if self.trainer else share_of_process()

    def _gpu(self) -> torch.device | None:
        """Return the GPU that batches go to ahead of time; none where hooks of somebody's own see or send them."""
        device = self.trainer.strategy.root_device if self.trainer is not None else None
        if device is None or device.type != "cuda":
            return None
        has_own_hooks = is_overridden("on_before_batch_transfer", self, LoadingDataModule) or any(
            is_overridden("transfer_batch_to_device", side) for side in (self, self.module)
        )
        return None if has_own_hooks else device

    def workers(self) -> int:
        """Return the number of processes that make batches for this one."""
        if self.num_workers is not None:
            return self.num_workers
        if self.trainer is None or self.trainer.strategy.root_device.type == "cpu" or self.batches_at_once:
            return 0
        return max(0, min(MOST_WORKERS, cores() // self.trainer.num_devices - 1))

    # ------------------------------------------------------------------ loaders

    def loader(self, split: str, shuffle: bool = False) -> ResumableLoader:
        """Return the loader of a split; the only place that shuffles."""
        share = self.share()
        dataset: BatchedDataset = self.datasets[split]
        lengths: np.ndarray | None = getattr(dataset, "lengths", None)
        stages = self.planned_stages() if shuffle else []
        if stages:
            parts = getattr(dataset, "parts", [dataset])
            plan: BatchPlan = StagedPlan(parts, stages, self.seed, share.rank, share.of)
            dataset = StagedExamples(dataset)
        else:
            plan = BatchPlan(
                len(dataset),
                self.batch_size,
                shuffle=shuffle,
                seed=self.seed,
                lengths=lengths,
                tokens=self.tokens_per_batch,
                order=getattr(dataset, "order", None),
                rank=share.rank,
                world_size=share.of,
            )
        loader = ResumableLoader(dataset, plan, self.workers(), self._gpu(), self.hints)
        if self._share is None and not self.trainer:  # found out, and not told: processes may be started later
            loader.share = share
            if share.of > 1:
                rank_zero_info(f"{split}: the examples are shared out among {share.of} processes.")
        return loader

    def planned_stages(self) -> Sequence[PlannedStage]:
        """Return the stages of training; none: all of it alike."""
        return []

    def rate_at(self, batch: int) -> float:
        """Return the factor on the learning rate that a stage asks for.

        Args:
            batch: of the training, from 0.
        """
        plan = self._train_loader.plan if self._train_loader is not None else None
        return plan.stage_of(batch).rate if isinstance(plan, StagedPlan) else 1.0

    def train_dataloader(self) -> ResumableLoader | Opaque:
        """Return training batches, shuffled by (seed, epoch), from where a restored checkpoint stopped.

        Raises:
            InputError: if there is not even one example.
        """
        self.require_agreement()
        if not len(self.datasets["train"]):
            raise InputError(f"{self.source.name('train')} gives no training example.")
        if self.passes is not None and self.trainer is not None and self.trainer.max_epochs != self.passes:
            raise InputError(
                f"data.stages are the whole training, and trainer.max_epochs is {self.trainer.max_epochs}: set it to "
                f"{self.passes}."
            )
        if self._overfits():
            return Opaque(self.loader("train"))  # the same batches each epoch
        before, self._train_loader = self._train_loader, self.loader("train", shuffle=True)
        if before is None:
            self._tell_of_small_data(self._train_loader)
        if before is not None and before.begun and not before.plan.is_told:
            self._train_loader.plan.epoch = before.plan.epoch + 1  # a loop of one's own that asks for each epoch's
        if self._resume is not None:
            self._train_loader.load_state_dict(self._resume)
            self._resume = None
        return self._train_loader

    def _tell_of_small_data(self, loader: ResumableLoader) -> None:
        accumulated = self.trainer.accumulate_grad_batches if self.trainer is not None else 1
        size = None if loader.plan.own.tokens else self.batch_size
        tell_of_small_data(loader.plan.size, size, len(loader), self.share(), accumulated)

    def val_dataloader(self) -> Any:
        """Return validation batches, in order; an empty list when there is no validation data."""
        self.require_agreement()
        if "validation" not in self.datasets:
            return []
        return Opaque(self.loader("validation")) if self._overfits() else self.loader("validation")

    def test_dataloader(self) -> ResumableLoader:
        """Return test batches, in order."""
        self.require_agreement()
        return self.loader("test")

    def predict_dataloader(self) -> ResumableLoader | Opaque:
        """Return batches to predict, in order, stretch by stretch, from the input `predict_from` on."""
        self.require_agreement()
        dataset: Any = self.datasets["predict"]
        share = self.share()
        self.predict_plan = PredictPlan(
            getattr(dataset, "columns", {}).get("index", np.arange(len(dataset))),
            self.batch_size,
            getattr(dataset, "lengths", None),
            self.tokens_per_batch,
            share.rank,
            share.of,
            self.predict_from,
        )
        loader = ResumableLoader(dataset, self.predict_plan, self.workers(), self._gpu(), self.hints)
        return Opaque(loader) if self.trainer is not None else loader

    def on_before_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        """Take down what a GPU would have to be waited for later."""
        return self.hints(batch)

    def hints(self, batch: Any) -> Any:
        """Return a batch with what is known of it, before it goes to the device."""
        return with_hints(batch)

    # ------------------------------------------------------------------ resuming

    def state_dict(self) -> dict[str, Any]:
        """Return the position in training.

        Kept here as well as in the loader: Lightning may make the loader before it restores a checkpoint (to count the
        steps of the schedule), and then forgets the loader's state.
        """
        return self._train_loader.state_dict() if self._train_loader is not None else {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the position."""
        if state_dict:
            self._resume = dict(state_dict)
            if self._train_loader is not None:
                self._train_loader.load_state_dict(self._resume)
