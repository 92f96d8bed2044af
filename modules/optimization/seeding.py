"""What is random in a step of training is drawn from the seed and the step, so that a resumed run draws the same."""

from __future__ import annotations

import torch
from lightning.pytorch import LightningModule


def seed_step(module: LightningModule, seed: int) -> None:
    """Seed dropout by (seed, batch, process), so that a resumed run draws what the uninterrupted one would.

    Args:
        module: about to take a training batch of its trainer.
        seed: of the run.
    """
    trainer = module.trainer
    number = trainer.fit_loop.epoch_loop.total_batch_idx * trainer.world_size + trainer.global_rank
    seed = (seed * 1_000_003 + number) % (1 << 63)
    if module.device.type == "cpu":
        torch.default_generator.manual_seed(seed)  # alone: looking for other devices takes longer than a small step
    else:
        torch.manual_seed(seed)
