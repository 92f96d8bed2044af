"""The same clock for all sides: true tokens a second in the training loop, after some steps of warm-up."""

from __future__ import annotations

import statistics
import time
import traceback
import warnings
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
import torch._dynamo.utils
from lightning.pytorch import Callback, LightningModule, Trainer
from operations import Operations
from typing_extensions import override

from pretune.cli.costs.flops import forward_cost, training_factor
from pretune.cli.costs.hardware import peak_flops
from pretune.modules.batches.sizes import batch_sizes

LONG = 1_000_000
"""Optimizer steps that the schedule is told: training ends when all is measured."""


class Measured(Exception):
    """Ends a training that is measured; carries the figures.

    Args:
        figures: what was measured.
    """

    def __init__(self, figures: dict[str, Any]) -> None:
        super().__init__("measured")
        self.figures = figures


class Clock:
    """Counts what is in the batches between the ends of steps; waits for the device at the first and the last alone.

    What is measured is divided into windows, and speed is that of the middle one. On a GPU their ends are events on
    the device.

    Args:
        warmup: steps that do not count, at least 1.
        steps: to measure; None goes by `seconds`.
        seconds: after which measuring ends with the step.
        precision: `bfloat16` or `float32`, for the share of the device's peak.
        world_size: processes that do the same.
        profile: see where the time goes, which takes some of it.
        windows: of the same number of steps or seconds.
        watched: steps after all is measured, of which is counted how often each waits for the GPU.
    """

    def __init__(
        self,
        warmup: int,
        steps: int | None,
        seconds: float,
        precision: str = "bfloat16",
        world_size: int = 1,
        profile: bool = False,
        windows: int = 1,
        watched: int = 0,
    ) -> None:
        self.warmup, self.steps, self.seconds = warmup, steps, seconds
        self.precision, self.world_size, self.windows = precision, world_size, windows
        self.operations = Operations() if profile else None
        self.watched = watched if torch.cuda.is_available() else 0
        self.waits: Waits | None = None
        self.made = time.perf_counter()
        self.done = 0
        self.samples = self.places = 0
        self.tokens: Any = 0
        self.pairs: Any = 0
        self.targets: Any = 0
        self.first_loss = self.first_step = self.warm = self.began = self.worked = 0.0
        self.compiled = 0
        self.marks: list[Mark] = []

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
        if self.waits is not None:
            if self.done - self.marks[-1].done >= self.watched:
                raise Measured(self._figures(model))
            return
        if self.done == 1:
            self.first_loss = float(loss)
            self.first_step = time.perf_counter() - self.made
        if self.done == self.warmup:
            wait()
            self.warm = time.perf_counter() - self.made
            self.compiled = compilations()
            if self.operations is not None:
                self.operations.begin()
            self.worked = time.process_time()
            self._mark()
        if self.done <= self.warmup:
            return
        sizes = batch_sizes(batch)
        assert sizes is not None
        self.samples += sizes.samples
        self.places += sizes.places
        self.tokens, self.pairs = self.tokens + sizes.tokens, self.pairs + sizes.pairs
        self.targets = self.targets + targets
        steps, seconds = self.done - self.marks[-1].done, time.perf_counter() - self.began
        if steps >= self.steps / self.windows if self.steps else seconds >= self.seconds / self.windows:
            self._mark()
        if len(self.marks) > self.windows:
            wait()
            self.worked = time.process_time() - self.worked
            if not self.watched:
                raise Measured(self._figures(model))
            self.waits = Waits()

    def _mark(self) -> None:
        self.began = time.perf_counter()
        moment: Any = self.began
        if torch.cuda.is_available():
            moment = torch.cuda.Event(enable_timing=True)
            moment.record()
        self.marks.append(Mark(self.done, moment, self.tokens))

    def _figures(self, model: Any) -> dict[str, Any]:
        operations = self.operations.end() if self.operations is not None else {}
        waits = self.waits.end() if self.waits is not None else {}
        wait()
        model = getattr(model, "_orig_mod", model)
        spans = [between(one, other) for one, other in pairwise(self.marks)]
        speeds = [self.world_size * float(other.tokens - one.tokens) / seconds
                  for (one, other), seconds in zip(pairwise(self.marks), spans, strict=True)]  # fmt: skip
        steps = self.marks[-1].done - self.marks[0].done
        tokens, pairs, targets = float(self.tokens), float(self.pairs), float(self.targets)
        per_token = training_factor(model) * forward_cost(model).of(tokens, pairs, heads=targets) / max(1.0, tokens)
        value = statistics.median(speeds)
        flops = per_token * value / self.world_size
        cuda = torch.cuda.is_available()
        peak = peak_flops(torch.cuda.get_device_name(), self.precision) if cuda else None
        return {
            "value": value,
            "windows": [round(speed, 1) for speed in speeds],
            "steps": steps,
            "ms_step": 1000 * sum(spans) / steps,
            "cpu_ms_step": 1000 * self.worked / steps,
            "samples_step": self.samples / steps,
            "tokens_step": tokens / steps,
            "padding": 1 - tokens / self.places,
            "teraflops": flops / 1e12,
            "mfu": flops / peak if peak else None,
            "parameters": sum(p.numel() for p in model.parameters()),
            "first_loss": self.first_loss,
            "first_step_seconds": round(self.first_step, 2),
            "warmup_seconds": round(self.warm, 2),
            "compilations": compilations() - self.compiled,
            "waits_step": sum(waits.values()) / self.watched if self.watched else None,
            "waits": waits,
            "operations": {kind: milliseconds / steps for kind, milliseconds in operations.items()},
            "gigabytes": torch.cuda.max_memory_allocated() / 1e9 if cuda else None,
        }


def clock_of(spec: dict[str, Any], precision: str) -> Clock:
    """The clock that a run's description asks for."""
    more = {key: spec[key] for key in ("profile", "windows", "watched") if key in spec}
    return Clock(spec["warmup"], spec["steps"], spec["seconds"], precision, **more)


@dataclass(frozen=True)
class Mark:
    """The end of a step.

    Args:
        done: steps so far.
        moment: seconds, or an event on the device.
        tokens: so far; a number, or a scalar on the device.
    """

    done: int
    moment: Any
    tokens: Any


def between(one: Mark, other: Mark) -> float:
    """Seconds from one mark to another."""
    if isinstance(one.moment, float):
        return float(other.moment - one.moment)
    return max(1e-9, float(one.moment.elapsed_time(other.moment)) / 1000)


class Waits:
    """Counts from now on where the process waits for the GPU."""

    def __init__(self) -> None:
        self.places: Counter[str] = Counter()
        self._before = warnings.filters[:], warnings.showwarning
        warnings.simplefilter("always")
        warnings.showwarning = self._note
        torch.cuda.set_sync_debug_mode("warn")

    def _note(self, message: Any, *_: Any, **__: Any) -> None:
        if "synchroniz" in str(message):
            stack = [frame for frame in traceback.extract_stack() if "warnings.py" not in frame.filename][:-1]
            if any(frame.name == "set_sync_debug_mode" for frame in stack):  # it waits, once, itself
                return
            last = next((frame for frame in reversed(stack) if "/torch/" not in frame.filename), stack[-1])
            self.places[f"{'/'.join(Path(last.filename).parts[-3:])}:{last.lineno}"] += 1

    def end(self) -> dict[str, int]:
        """How often, by place."""
        torch.cuda.set_sync_debug_mode("default")
        warnings.filters[:], warnings.showwarning = self._before  # type: ignore[index]
        return dict(self.places.most_common(9))


def compilations() -> int:
    """Graphs that torch has compiled so far."""
    return int(torch._dynamo.utils.counters["stats"]["unique_graphs"])


class LightningClock(Callback):
    """The clock in Lightning's loop.

    Args:
        warmup: steps that do not count.
        steps: to measure; null goes by `seconds`.
        seconds: to measure.
        profile: see where the time goes.
        windows: to divide it into.
        watched: steps after that, of which waiting for the GPU is counted.
    """

    def __init__(
        self,
        warmup: int,
        steps: int | None,
        seconds: float,
        profile: bool = False,
        windows: int = 1,
        watched: int = 0,
    ) -> None:
        self.clock = Clock(warmup, steps, seconds, profile=profile, windows=windows, watched=watched)

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.clock.made = time.perf_counter()
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
