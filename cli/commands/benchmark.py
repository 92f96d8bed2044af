"""How fast a configuration trains, and what limits it: `python main.py benchmark --config FILE`."""

from __future__ import annotations

import json
import logging
import platform
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from typing_extensions import override

from ...errors import InputError
from ...modules.batches.sizes import batch_sizes
from ..arguments import without
from ..callbacks import StepTimes, Throughput
from ..callbacks.throughput import device_peak
from ..pretune_cli import PretuneCLI
from ..recipes import with_recipe
from ..terminal import say
from ..verb_options import read_options

WAITING = 0.1
"""Data limit where more than this share of a step is spent waiting for them."""
AHEAD = 4.0
"""Data that alone are faster than the model alone by this factor limit nothing: the steps are short."""


@dataclass(frozen=True)
class BenchmarkOptions:
    """What `benchmark` is asked.

    Args:
        steps: optimizer steps to measure.
        warmup: optimizer steps before them.
        json: a file for the figures.

    Raises:
        InputError: if there is no step to measure.
    """

    steps: int = field(default=20, metadata={"metavar": "N"})
    warmup: int = field(default=5, metadata={"metavar": "N"})
    json: str | None = field(default=None, metadata={"metavar": "FILE"})

    def __post_init__(self) -> None:
        if not self.steps:
            raise InputError("--steps is 0; at least 1 step can be measured.")


def run_benchmark(args: Sequence[str]) -> dict[str, Any]:
    """Measure a configuration after some steps of warm-up, and leaves no run behind.

    Shown are true tokens and samples a second, padding, the parts of a step, peak memory, the FLOPs of a token, and the
    share of the device's peak that is reached; then the data loader alone, and the model alone (one batch again and
    again), so that it is to be seen which one limits. Training is real: the weights are those that `fit` would have.

    Args:
        args: what stands after `benchmark`: its own options (`BenchmarkOptions`), and those of `fit`.

    Returns:
        The figures, as in the file.

    Raises:
        InputError: if an option is wrong, or there is too little data for a batch.
    """
    options, rest = read_options(BenchmarkOptions, args)
    rest = without(rest, "name", "trainer.default_root_dir")
    with tempfile.TemporaryDirectory() as folder:
        fixed = {"max_steps": options.steps + options.warmup, "max_epochs": -1, "limit_val_batches": 0}
        fixed |= {"num_sanity_val_steps": 0, "logger": False, "log_every_n_steps": 10**9, "enable_progress_bar": False}
        fixed |= {"enable_checkpointing": False}
        own = [f"--trainer.{name}={str(value).lower()}" for name, value in fixed.items()]
        own += [f"--trainer.default_root_dir={folder}", "--early_stopping=null", "--name=benchmark"]
        figures = BenchmarkCLI(with_recipe(["fit", *rest, *own]), options.steps).figures
    say("\n" + report(figures))
    if options.json:
        Path(options.json).write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    return figures


class Measure(Callback):
    """Measure the last steps of a training; the last batch is kept.

    Args:
        steps: how many to measure; those before them are the warm-up.
    """

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self.throughput, self.times = Throughput(), StepTimes()
        self.figures: dict[str, float] = {}
        self.batch: Any = None
        self.device = torch.device("cpu")
        self._before = self._batches = 0

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._before = trainer.global_step
        self.device = pl_module.device  # after the training it is the CPU again
        self._begin(trainer, pl_module)

    def _begin(self, trainer: Trainer, module: LightningModule) -> None:
        _wait(module.device)
        self.throughput.on_train_start(trainer, module)
        self.times.on_train_start(trainer, module)
        self._batches = 0

    @override
    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self.batch = batch
        self._batches += 1
        if trainer.global_step == self._before:
            return  # in the middle of an accumulation window
        self._before = trainer.global_step
        if trainer.global_step == trainer.max_steps - self.steps:
            self._begin(trainer, pl_module)
        elif trainer.global_step == trainer.max_steps:
            _wait(pl_module.device)
            parts = self.times.measure()
            self.figures = self.throughput.measure(trainer, pl_module)
            self.figures |= {f"ms_{part}": value for part, value in parts.items()}
            self.figures["batches_per_step"] = self._batches / self.steps


class BenchmarkCLI(PretuneCLI):
    """Measures in place of `fit`.

    Args:
        args: `fit` and its options.
        steps: to measure.
    """

    def __init__(self, args: list[str], steps: int) -> None:
        self.measure = Measure(steps)
        self.figures: dict[str, Any] = {}
        super().__init__(args)

    @override
    def _callbacks(self) -> list[Callback]:
        return [self.measure.times, self.measure.throughput, self.measure]

    @override
    def _run_subcommand(self, subcommand: str) -> None:
        trainer, model, data = self.trainer, self.model, self.datamodule
        trainer.fit(model, datamodule=data)
        whole = dict(self.measure.figures)
        if not whole:
            raise InputError(f"Training ended after {trainer.global_step} steps, before all were measured.")
        loader = _loader_alone(data.train_dataloader(), self.measure.steps)
        # The same batch again and again, in place of the loader.
        steps, batch = trainer.max_steps, self.measure.batch
        data.train_dataloader = lambda: Repeated(batch, steps * trainer.accumulate_grad_batches)
        trainer.fit_loop.epoch_loop.max_steps += trainer.global_step
        with _said_before():
            trainer.fit(model, datamodule=data)
        device = self.measure.device
        peak = device_peak(device, str(trainer.precision))
        seconds = sum(whole[f"ms_{part}"] for part in ("data", "forward", "backward", "optimizer")) / 1000
        tokens = whole["tokens_per_second"] / trainer.world_size
        self.figures = {
            "device": torch.cuda.get_device_name(device) if device.type == "cuda" else _processor(),
            "devices": trainer.world_size,
            "threads": torch.get_num_threads() if device.type == "cpu" else None,
            "precision": str(trainer.precision),
            "torch": torch.__version__,
            "steps": self.measure.steps,
            **{name: value for name, value in whole.items() if name != "learning_rate"},
            "ms_step": 1000 * seconds * whole["batches_per_step"],
            "flops_per_token": whole.get("teraflops", 0.0) * 1e12 / max(tokens, 1e-9),
            "peak_teraflops": peak / 1e12 if peak else None,
            "loader_alone": loader,
            "model_alone": self.measure.figures["tokens_per_second"],
            "waiting": whole["ms_data"] / 1000 / seconds,
        }


@contextmanager
def _said_before() -> Iterator[None]:
    """Leave out what is told of data and weights at the beginning of a training: it was told of the same before."""
    logger = logging.getLogger("lightning.pytorch.utilities.rank_zero")
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)


class Repeated:
    """A loader of one batch, again and again.

    Args:
        batch: on its device.
        length: how often.
    """

    def __init__(self, batch: Any, length: int) -> None:
        self.batch, self.length = batch, length

    def __len__(self) -> int:
        return self.length

    def __iter__(self) -> Iterator[Any]:
        return iter([self.batch] * self.length)


def _loader_alone(loader: Any, batches: int) -> float:
    """Return true tokens a second, on this process, of a loader that nobody waits for; the first batches warm it up."""
    tokens, began = 0, time.perf_counter()
    for number, batch in enumerate(islice(loader, batches + 2)):
        if number == 1 and len(loader) > 2:
            tokens, began = 0, time.perf_counter()
        sizes = batch_sizes(batch)
        tokens += int(sizes.tokens) if sizes is not None else 0
    return tokens / (time.perf_counter() - began)


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return (named or [platform.processor() or platform.machine()])[0]


def report(figures: dict[str, Any]) -> str:
    """Return what is printed."""
    parts = {name: figures[f"ms_{name}"] for name in ("data", "forward", "backward", "optimizer")}
    whole = max(sum(parts.values()), 1e-9)
    peak, mfu = figures["peak_teraflops"], figures.get("mfu")
    flops = f"{figures['flops_per_token'] / 1e6:,.1f} MFLOP a token, {figures['teraflops']:.3f} TFLOP/s"
    share = f"MFU {mfu:.1%} of {peak:,.0f} TFLOP/s" if mfu else "MFU unknown, as the device's peak is"
    count = figures["threads"]
    threads = f", {count} thread{'s' if count > 1 else ''}" if count else ""
    device = f"{figures['devices']} x {figures['device']}" if figures["devices"] > 1 else figures["device"]
    return "\n".join(
        [
            f"{device}{threads}, {figures['precision']}, torch {figures['torch']}, {figures['steps']} steps:",
            f"  speed        {figures['tokens_per_second']:,.0f} true tokens/s, {figures['samples_per_second']:,.1f} "
            f"samples/s, {figures['padding_fraction']:.1%} padding",
            f"  step         {figures['ms_step']:,.1f} ms: "
            + ", ".join(f"{name} {value / whole:.0%}" for name, value in parts.items()),
            f"  memory       {figures['peak_memory']:.2f} GB at its peak",
            f"  computing    {flops}, {share}",
            f"  data alone   {figures['loader_alone'] * figures['devices']:,.0f} tokens/s",
            f"  model alone  {figures['model_alone']:,.0f} tokens/s",
            _limit(figures),
        ]
    )


def _limit(figures: dict[str, Any]) -> str:
    """Return what is to be mended first, in a sentence."""
    waits = f"{figures['waiting']:.0%} of a step waits for"
    if figures["waiting"] <= WAITING:
        return f"The model limits: {waits} data."
    times = figures["loader_alone"] * figures["devices"] / max(figures["model_alone"], 1e-9)
    if times < AHEAD:
        return f"The data limit: {waits} them; more data.num_workers would help."
    return (
        f"Steps are short: {waits} the next batch, though data alone are {times:,.0f} times as fast as the model; a "
        "larger data.batch_size would help."
    )


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
