"""What a module says of its validation set with the weights that it has now, when its training is over."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Any

import torch
import torch.nn.functional as F
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.utilities import move_data_to_device
from torch import Tensor

Answers = Callable[[Any], tuple[Tensor, Tensor]]


def validation_loader(trainer: Trainer) -> tuple[Any, int | None]:
    """Return the first loader of validation and how many of its batches count, None for all; None where there is none.

    Args:
        trainer: in `fit`, or at its end: a run that goes on with nothing left to train has not looked at it.
    """
    loop = trainer.fit_loop.epoch_loop.val_loop
    loop.setup_data()
    loaders, most = trainer.val_dataloaders, trainer.num_val_batches
    first = next(iter(loaders), None) if isinstance(loaders, list | tuple) else loaders
    if first is None or not most or not most[0]:
        return None, 0
    return first, None if most[0] == float("inf") else int(most[0])


def rows_of(loader: Any) -> int | None:
    """Return how many rows a loader gives; None where it does not say."""
    try:
        return len(loader.dataset)
    except (AttributeError, TypeError):
        return None


@torch.no_grad()
def validated(module: LightningModule, answer_logits: Answers) -> tuple[Tensor, Tensor]:
    """Return logits and targets of the validation set, of all processes, on the CPU; nothing else changes.

    Args:
        module: that a trainer has just trained.
        answer_logits: takes a batch to logits (targets, classes) and what is right.
    """
    trainer, home = module.trainer, module.device
    device = trainer.strategy.root_device  # which the end of a training has left
    modes = [(part, part.training) for part in module.modules()]
    loader, most = validation_loader(trainer)
    answers: list[tuple[Tensor, Tensor]] = []
    module.eval()
    if home != device:
        module.to(device)
    try:
        with torch.random.fork_rng(), trainer.precision_plugin.val_step_context():  # loaders draw a seed
            for batch in islice(loader or (), most):
                logits, targets = answer_logits(move_data_to_device(batch, device))
                answers.append((logits.float().cpu(), targets.cpu()))
    finally:
        if home != device:
            module.to(home)
        for part, training in modes:
            part.training = training
    if trainer.world_size > 1:
        of_process: list[Any] = [None] * trainer.world_size
        torch.distributed.all_gather_object(of_process, answers)
        answers = [answer for part in of_process for answer in part]
    if not answers:
        return torch.zeros(0, 1), torch.zeros(0)
    width = max(logits.shape[1] for logits, _ in answers)  # of several choices, some batches have more
    widened = [F.pad(logits, (0, width - logits.shape[1]), value=-torch.inf) for logits, _ in answers]
    return torch.cat(widened), torch.cat([targets for _, targets in answers])
