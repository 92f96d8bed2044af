"""Peak memory from some moment on, of the process and of the GPU."""

from __future__ import annotations

import contextlib
import gc
import resource
import time
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from typing_extensions import override

STATUS, RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


class Peak:
    """Measures from when it is made: the most memory in use since, above what was in use then."""

    def __init__(self) -> None:
        self.began = time.perf_counter()
        gc.collect()
        with contextlib.suppress(OSError):
            RESET.write_text("5")  # Linux: the highest so far becomes what is in use now
        self.host = status("VmRSS") or highest()
        self.gpu = torch.cuda.memory_allocated() if torch.cuda.is_available() else 0
        if torch.cuda.is_available():
            torch.cuda.reset_peak_memory_stats()

    def figures(self) -> dict[str, Any]:
        """Bytes, `host`, and `gpu` where there is one; `value` is the sum, what evaluating needs; `seconds`."""
        host = max(0, (status("VmHWM") or highest()) - self.host)
        gpu = torch.cuda.max_memory_allocated() - self.gpu if torch.cuda.is_available() else None
        seconds = time.perf_counter() - self.began
        return {"value": host + (gpu or 0), "host": host, "gpu": gpu, "before": self.host, "seconds": seconds}


def status(name: str) -> int | None:
    """A figure that Linux gives of this process, in bytes; None elsewhere."""
    if not STATUS.is_file():
        return None
    lines = [line for line in STATUS.read_text().splitlines() if line.startswith(name)]
    return int(lines[0].split()[1]) * 1024 if lines else None


def highest() -> int:
    """The highest so far, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


class LightningPeak(Callback):
    """The memory of Lightning's validation."""

    def __init__(self) -> None:
        self.peak: Peak | None = None
        self.figures: dict[str, Any] = {}

    @override
    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.peak = Peak()

    @override
    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        assert self.peak is not None
        metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
        self.figures = {**self.peak.figures(), "metrics": metrics}
