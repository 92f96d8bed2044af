"""True tokens per second, how much of a batch is padding, and how much of the device's speed that is."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from typing_extensions import override

from ...contracts import ModuleFacts, module_facts
from ...modules.batches.sizes import Sizes, batch_sizes
from ..costs.flops import Cost, forward_cost, training_factor
from ..costs.hardware import dtype_of, peak_flops


class Throughput(Callback):
    """Logs how fast training is, as often as the trainer logs.

    `train/tokens_per_second` (true tokens, padding not counted) and `train/samples_per_second`, over all processes;
    `train/padding_fraction`; `train/learning_rate`; `train/peak_memory`, in 10^9 bytes, of the device, or of the
    process where it runs on the CPU; `train/teraflops`, what the model's matrix products need for the true tokens, for
    each device and second; and `train/mfu`, the share of the device's peak that this is (arXiv 2204.02311), for devices
    that `costs/hardware.py` knows.

    Tokens are counted on the device and read only when they are logged, so that no step waits for it. Time spent in
    validation does not count.
    """

    def __init__(self) -> None:
        self.tokens_per_second: float | None = None  # as last logged
        self._costs: list[Cost] | None = None
        self._tokens: Any = 0
        self._pairs: Any = 0
        self._targets: dict[str | None, Any] = {}
        self._reset()

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._reset()

    @override
    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._reset()

    @override
    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        sizes = batch_sizes(batch)
        if sizes is None:
            return  # somebody else's module
        self._add(sizes, module_facts(pl_module).target_counts)
        if will_log(trainer):
            measures = self.measure(trainer, pl_module)
            self.tokens_per_second = measures["tokens_per_second"]
            pl_module.log_dict({f"train/{name}": value for name, value in measures.items()}, batch_size=1)
            self._reset()

    def measure(self, trainer: Trainer, pl_module: LightningModule) -> dict[str, float]:
        """Return what is logged, over the batches since the last time; waits for the device."""
        tokens = float(self._tokens) * trainer.world_size
        seconds = max(1e-9, time.perf_counter() - self._since)
        measures = {
            "tokens_per_second": tokens / seconds,
            "samples_per_second": self._samples * trainer.world_size / seconds,
            "padding_fraction": 1 - tokens / trainer.world_size / max(1, self._places),
            "learning_rate": trainer.optimizers[0].param_groups[-1]["lr"],
            "peak_memory": peak_memory(pl_module.device),
        }
        module = module_facts(pl_module)
        if networks := module.networks():
            speed = self._flops(module, networks) / seconds
            measures["teraflops"] = speed / 1e12
            if peak := device_peak(pl_module.device, str(trainer.precision)):
                measures["mfu"] = speed / peak
        return measures

    def _flops(self, module: ModuleFacts, networks: Sequence[Any]) -> float:
        """Return the FLOPs of all steps since the last time, on this device."""
        if self._costs is None:
            self._costs = [forward_cost(network) for network in networks]
        tokens, pairs, passes = float(self._tokens), float(self._pairs), 2 if module.r_drop else 1
        targets = float(self._targets.get(module.perplexity_of, 0))  # where a vocabulary is predicted
        rows, total = max(1, self._samples), 0.0
        for network, cost in zip(networks, self._costs, strict=True):
            decoder = targets if network.config.is_encoder_decoder else 0.0
            forward = cost.of(tokens, pairs, decoder, decoder**2 / rows, decoder * tokens / rows, targets)
            total += passes * training_factor(network) * forward
        return total

    def _add(self, sizes: Sizes, targets: Mapping[str, torch.Tensor]) -> None:
        self._samples += sizes.samples
        self._places += sizes.places
        self._tokens = self._tokens + sizes.tokens
        self._pairs = self._pairs + sizes.pairs
        for part, count in targets.items():
            self._targets[part] = self._targets.get(part, 0) + count

    def _reset(self) -> None:
        self._samples = self._places = self._tokens = self._pairs = 0
        self._targets = {}
        self._since = time.perf_counter()


def will_log(trainer: Trainer) -> bool:
    """Return whether this is the very batch after which the loggers write: the last of its accumulation window."""
    return not trainer.fit_loop._should_accumulate() and trainer._logger_connector.should_update_logs


def peak_memory(device: torch.device) -> float:
    """Return the most that was held so far, in 10^9 bytes: on the device, or by the process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e9
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


def device_peak(device: torch.device, precision: str) -> float | None:
    """Return the peak of a device in FLOP/s, or None where it is not known; so for CPUs."""
    return peak_flops(torch.cuda.get_device_name(device), dtype_of(precision)) if device.type == "cuda" else None
