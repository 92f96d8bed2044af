"""Where the time of a step goes."""

from __future__ import annotations

import time
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from typing_extensions import override

from .throughput import will_log

PARTS = ("data", "forward", "backward", "optimizer")


class StepTimes(Callback):
    """Logs the milliseconds that a batch takes, on average since the last time: `train/ms_data`, `train/ms_forward`...

    `data` is the wait for the batch and its way to the device; `optimizer` is what comes after the backward pass
    (clipping, the step, other callbacks), spread over the batches of an accumulation window. On CUDA the device's own
    events tell the time, and are read only when it is logged, so that no step waits for them; `data` is what the
    process itself waited.
    """

    def __init__(self) -> None:
        self._marks: list[Any] = []
        self._reset()

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._reset()
        self._ended = time.perf_counter()

    @override
    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._ended = time.perf_counter()

    @override
    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        self._waited += time.perf_counter() - self._ended
        self._marks = [self._mark(pl_module)]

    @override
    def on_before_backward(self, trainer: Trainer, pl_module: LightningModule, loss: torch.Tensor) -> None:
        self._marks.append(self._mark(pl_module))

    @override
    def on_after_backward(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._marks.append(self._mark(pl_module))

    @override
    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self._marks.append(self._mark(pl_module))
        if len(self._marks) == len(PARTS):
            self._batches.append(self._marks)
        self._ended = time.perf_counter()
        if will_log(trainer):
            milliseconds = self.measure()
            pl_module.log_dict({f"train/ms_{part}": value for part, value in milliseconds.items()}, batch_size=1)
            self._reset()
            self._ended = time.perf_counter()

    def measure(self) -> dict[str, float]:
        """Return milliseconds of a batch by part, since the last time; waits for the device."""
        number = max(1, len(self._batches))
        milliseconds = {"data": 1000 * self._waited / number}
        for place, part in enumerate(PARTS[1:]):
            milliseconds[part] = sum(_between(marks[place], marks[place + 1]) for marks in self._batches) / number
        return milliseconds

    def _mark(self, module: LightningModule) -> Any:
        if module.device.type != "cuda":
            return time.perf_counter()
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        return event

    def _reset(self) -> None:
        self._waited = 0.0
        self._ended = time.perf_counter()
        self._batches: list[list[Any]] = []


def _between(first: Any, second: Any) -> float:
    if isinstance(first, float):
        return 1000 * (second - first)  # type: ignore[no-any-return]
    second.synchronize()
    return float(first.elapsed_time(second))
