"""Who runs a module: a trainer, another module that it is a part of, Fabric, or a loop of somebody's own."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import torch
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor, nn
from torchmetrics import Metric

from ..checkpoints import STORED, read_checkpoint
from ..contracts import Stored
from ..errors import InputError, MisfitError


class HostedModule(LightningModule):
    """A module whose steps work wherever they are called from.

    Under a trainer of its own, the trainer counts steps, logs, and knows which checkpoint is loaded. As a part of
    another module it logs through that one. In Fabric and in a plain loop it counts its training steps itself, and
    keeps what it measures for `read_scores`.
    """

    def __init__(self) -> None:
        super().__init__()
        self.loader_number: int | None = None
        """Of several loaders that are evaluated in one go, the one that the step at hand is of; None outside of it."""
        self._stored: Stored | None = None
        self._seed = 0
        self._seeded = False
        self._step_number = 0
        self._in_step = False
        self._measured: dict[str, Metric] = {}

    # ------------------------------------------------------------------ who runs it

    @property
    def is_led(self) -> bool:
        """Whether a trainer runs this very module, and not one that it is a part of."""
        host = self.host
        return host is None or host is self if self.has_trainer else False

    @property
    def has_trainer(self) -> bool:
        """Whether a trainer runs it or what it is a part of; Fabric is none."""
        return self._trainer is not None and self._fabric is None

    @property
    def host(self) -> LightningModule | None:
        """What the trainer trains, if there is a trainer."""
        return self._trainer.lightning_module if self.has_trainer and self._trainer is not None else None

    # ------------------------------------------------------------------ the checkpoint to be restored

    @property
    def stored(self) -> Stored | None:
        """What the checkpoint to be restored says about itself; None where there is none."""
        if self._stored is None and self.is_led and (entry := _entry(_checkpoint_of_trainer())) is not None:
            self.check_class(entry)
            self._stored = entry
        return self._stored

    @stored.setter
    def stored(self, entry: Stored | None) -> None:
        self._stored = entry

    def check_class(self, entry: Stored) -> None:
        """Raise an `InputError` if a checkpoint's description is not of this class."""
        if entry.class_name != type(self).__name__:
            raise MisfitError(
                f"The checkpoint is of a {entry.class_name}, the model is a {type(self).__name__}. --ckpt_path only "
                "resumes or evaluates the same class; to start from its weights, give it as model.backbone."
            )

    # ------------------------------------------------------------------ steps

    @contextmanager
    def counted_step(self, stage: str) -> Iterator[None]:
        """Count a training step, if no trainer does; all that is drawn within belongs to it."""
        if stage != "train":
            yield
            return
        self._step_number += not self.has_trainer
        self._in_step = True
        try:
            yield
        finally:
            self._in_step = False

    @contextmanager
    def uncounted_step(self) -> Iterator[None]:
        """Draw within what the next training step will draw, and count none."""
        before = self._step_number
        try:
            yield
        finally:
            self._step_number = before

    def draw_seed(self, stage: str) -> int:
        """Return what a step draws by: in training another number at each step, in evaluation always the same."""
        if stage != "train":
            return 0
        if not self.has_trainer and not self._in_step:  # `step` itself was called
            self._step_number += 1
        seed = self._seed if self._seeded else torch.initial_seed() % (1 << 31)
        return seed + 1 + (self.global_step if self.has_trainer else self._step_number)

    def mean_of_batch(self, losses: list[Tensor], counts: list[Tensor], weights: list[float]) -> Tensor:
        """Return the loss of a batch of which nobody says what it is accumulated with: the mean over its own targets.

        Args:
            losses: a scalar for each part, the sum over targets.
            counts: a scalar for each part, the number of targets.
            weights: of the parts.

        Returns:
            The scalar to run backward on: its gradient, averaged over the processes, is that of the mean over the
            targets of all of them; its value is the mean in this one.
        """
        numbers = torch.stack([count.detach().double() for count in counts])
        everywhere, processes = numbers, 1
        if self._fabric is not None and self._fabric.world_size > 1:
            total: Any = self._fabric.all_reduce(numbers.clone(), reduce_op="sum")
            everywhere, processes = total, self._fabric.world_size
        elif self.has_trainer and self.trainer.world_size > 1:
            summed: Any = self.trainer.strategy.reduce(numbers.clone(), reduce_op="sum")
            everywhere, processes = summed, self.trainer.world_size
        shares = [w * processes / n.clamp(min=1e-12) for w, n in zip(weights, everywhere.unbind(), strict=True)]
        loss = sum((s * share.float() for s, share in zip(losses, shares, strict=True)), losses[0] * 0)
        here = [w * s.detach() / n.clamp(min=1e-12) for w, s, n in zip(weights, losses, numbers.unbind(), strict=True)]
        return loss + (torch.stack(here).sum().float() - loss).detach()

    # ------------------------------------------------------------------ logging

    def log(self, name: str, value: Any, *args: Any, **options: Any) -> None:
        """As Lightning's; through the module that this is a part of; kept for `read_scores` where nobody logs."""
        if self.loader_number is not None:
            options["add_dataloader_idx"] = False  # it would rename those of the first loader, which callbacks go by
            name = f"{name}/dataloader_idx_{self.loader_number}" if self.loader_number else name
        if not self.has_trainer:
            if isinstance(value, Metric):
                self._measured[name] = value
        elif self.host is None or self.is_led:
            super().log(name, value, *args, **options)
        else:
            self.host.log(f"{_place(self.host, self)}{name}", value, *args, **options)

    def log_dict(self, dictionary: Any, *args: Any, **options: Any) -> None:
        """As Lightning's, wherever the module is."""
        for name, value in dictionary.items():
            self.log(name, value, *args, **options)

    def read_scores(self, stage: str) -> dict[str, float]:
        """Return what the steps of a loop of one's own measured since the last call, over all processes.

        Args:
            stage: `train`, `val` or `test`.

        Returns:
            The same names and values that a trainer logs, such as `val/loss`.
        """
        measured = {n: m for n, m in self._measured.items() if n.startswith(f"{stage}/") and m.update_called}
        values = {name: float(metric.compute()) for name, metric in measured.items()}
        for metric in measured.values():
            metric.reset()
        return values

    def empty_metrics(self) -> None:
        """Begin all measures anew.

        Lightning evaluates in inference mode; what a metric was emptied to there cannot be updated in place in a
        training that follows.
        """
        for module in self.modules():
            if isinstance(module, Metric):
                module.reset()


def one_loader(module: LightningModule) -> NoReturn:
    """Raise the `InputError` of a module whose scores ask the datamodule, which knows one set of examples."""
    raise InputError(
        f"{type(module).__name__} scores one set of texts at a time: call trainer.validate or trainer.test once for "
        "each loader."
    )


def _place(host: nn.Module, part: LightningModule) -> str:
    """Return what tells the names that a part logs from those of another part; nothing where there is only one."""
    parts = [(name, m) for name, m in host.named_modules() if isinstance(m, HostedModule)]
    return "" if len(parts) < 2 else f"{next(name for name, m in parts if m is part)}/"


def _checkpoint_of_trainer() -> Any:
    """Return what the trainer that is just starting is about to load.

    `trainer.ckpt_path` says so only once the network is there, and the network is built from what the checkpoint
    knows; until then it is but an argument of `Trainer._run`.
    """
    frame = sys._getframe(1)
    while frame is not None and frame.f_code is not Trainer._run.__code__:
        frame = frame.f_back  # type: ignore[assignment]
    return frame.f_locals.get("ckpt_path") if frame is not None else None


def _entry(checkpoint: Any) -> Stored | None:
    """Return a checkpoint's description of itself; None of what is no local file of ours: Lightning loads it."""
    if not isinstance(checkpoint, str | Path) or not Path(checkpoint).is_file():
        return None
    try:
        entry = read_checkpoint(checkpoint).get(STORED)
    except InputError:
        return None  # said when it is loaded
    return None if entry is None else Stored.of(entry)
