"""The same clock for all sides: true tokens a second in the training loop, after some steps of warm-up."""

from __future__ import annotations

import time
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from operations import Operations
from typing_extensions import override

from pretune.costs.flops import forward_cost, training_factor
from pretune.costs.hardware import peak_flops
from pretune.modules.layers.sizes import batch_sizes

LONG = 1_000_000
"""Optimiser steps that the schedule is told: training ends when all is measured."""


class Measured(Exception):
    """Ends a training that is measured; carries the figures.

    Args:
        figures: what was measured.
    """

    def __init__(self, figures: dict[str, Any]) -> None:
        super().__init__("measured")
        self.figures = figures


class Clock:
    """Counts what is in the batches between two ends of steps; waits for the device at these two alone.

    Args:
        warmup: steps that do not count, at least 1.
        steps: to measure; None goes by `seconds`.
        seconds: after which measuring ends with the step.
        precision: `bfloat16` or `float32`, for the share of the device's peak.
        world_size: processes that do the same.
        profile: see where the time goes, which takes some of it.
    """

    def __init__(
        self,
        warmup: int,
        steps: int | None,
        seconds: float,
        precision: str = "bfloat16",
        world_size: int = 1,
        profile: bool = False,
    ) -> None:
        self.warmup, self.steps, self.seconds = warmup, steps, seconds
        self.precision, self.world_size = precision, world_size
        self.operations = Operations() if profile else None
        self.done = 0
        self.samples = self.places = 0
        self.tokens: Any = 0
        self.pairs: Any = 0
        self.targets: Any = 0
        self.first_loss = self.began = self.worked = 0.0

    def after(self, model: Any, batch: dict[str, Any], targets: Any, loss: Any) -> None:
        """Called at the end of each step.

        Args:
            model: the Hugging Face network.
            batch: that the step was done on.
            targets: at how many places a vocabulary was predicted.
            loss: mean over targets.

        Raises:
            Measured: once there is enough.
        """
        self.done += 1
        if self.done == 1:
            self.first_loss = float(loss)
        if self.done == self.warmup:
            wait()
            if self.operations is not None:
                self.operations.begin()
            self.began, self.worked = time.perf_counter(), time.process_time()
        if self.done <= self.warmup:
            return
        sizes = batch_sizes(batch)
        assert sizes is not None
        self.samples += sizes.samples
        self.places += sizes.places
        self.tokens, self.pairs = self.tokens + sizes.tokens, self.pairs + sizes.pairs
        self.targets = self.targets + targets
        steps, seconds = self.done - self.warmup, time.perf_counter() - self.began
        if steps >= self.steps if self.steps else seconds >= self.seconds:
            wait()
            raise Measured(self._figures(model, steps, time.perf_counter() - self.began))

    def _figures(self, model: Any, steps: int, seconds: float) -> dict[str, Any]:
        worked = time.process_time() - self.worked
        operations = self.operations.end() if self.operations is not None else {}
        model = getattr(model, "_orig_mod", model)
        tokens, pairs, targets = float(self.tokens), float(self.pairs), float(self.targets)
        flops = training_factor(model) * forward_cost(model).of(tokens, pairs, heads=targets) / seconds
        cuda = torch.cuda.is_available()
        peak = peak_flops(torch.cuda.get_device_name(), self.precision) if cuda else None
        return {
            "value": self.world_size * tokens / seconds,
            "steps": steps,
            "ms_step": 1000 * seconds / steps,
            "cpu_ms_step": 1000 * worked / steps,
            "samples_step": self.samples / steps,
            "tokens_step": tokens / steps,
            "padding": 1 - tokens / self.places,
            "teraflops": flops / 1e12,
            "mfu": flops / peak if peak else None,
            "parameters": sum(p.numel() for p in model.parameters()),
            "first_loss": self.first_loss,
            "operations": {kind: milliseconds / steps for kind, milliseconds in operations.items()},
            "gigabytes": torch.cuda.max_memory_allocated() / 1e9 if cuda else None,
        }


class LightningClock(Callback):
    """The clock in Lightning's loop.

    Args:
        warmup: steps that do not count.
        steps: to measure; null goes by `seconds`.
        seconds: to measure.
        profile: see where the time goes.
    """

    def __init__(self, warmup: int, steps: int | None, seconds: float, profile: bool = False) -> None:
        self.clock = Clock(warmup, steps, seconds, profile=profile)

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.clock.world_size = trainer.world_size
        self.clock.precision = "bfloat16" if "bf16" in str(trainer.precision) else "float32"

    @override
    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        module: Any = pl_module
        targets = module.target_counts[module.perplexity_of] if module.perplexity_of is not None else 0
        self.clock.after(module.model, batch, targets, outputs["loss"])


def wait() -> None:
    """Until the device has done all."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
