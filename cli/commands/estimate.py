"""What a training would need, before anything is allocated: `python main.py estimate --config FILE`."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.callbacks import WeightAveraging

from ...contracts import module_facts
from ...datamodules.tabular import TabularDataModule
from ...errors import InputError, first_line
from ...modules.backbone.architecture import refuse_unsupported
from ...modules.backbone.depth import layer_stacks
from ..costs.flops import forward_cost, training_factor
from ..costs.hardware import cluster, dtype_of
from ..costs.step_memory import PARTS, step_memory
from ..costs.workload import Workload, prepare, workload
from ..recipes import with_recipe
from ..terminal import say
from ..verb_options import read_options
from .estimate_report import MOST, report
from .unbuilt import UnbuiltCLI

ALIASES = {"16": "16-mixed", "bf16": "bf16-mixed"}
"""Precisions that Lightning takes for others."""
OPTIMAL = 20
"""Tokens of running text for each parameter, where compute is best spent (arXiv 2203.15556)."""
LIBRARIES = 0.5e9
"""Bytes of a process that has imported all and read its data."""
KEPT = 1.35
"""So many times what a step holds does the process take on a CPU, with the workspaces of its kernels and with what the
C library keeps for the next step: 1.24 to 1.50 times, as `benchmarks/estimating.py` measured."""


@dataclass(frozen=True)
class EstimateOptions:
    """What `estimate` is asked.

    Args:
        hardware: which devices, and how many: h100, h100x8, a100-40gbx4.
        mfu: the share of the devices' peak that is reached.
        teraflops: what each device reaches, as benchmark measures it, in place of --mfu.
        tokens: to train on, where the configuration has no trainer.max_steps.
        json: a file for the figures.

    Raises:
        InputError: if a number is not above 0, or is out of range.
    """

    hardware: str | None = field(default=None, metadata={"metavar": "NAMExN"})
    mfu: float = field(default=0.4, metadata={"metavar": "SHARE"})
    teraflops: float | None = field(default=None, metadata={"metavar": "N"})
    tokens: float | None = field(default=None, metadata={"metavar": "N"})
    json: str | None = field(default=None, metadata={"metavar": "FILE"})

    def __post_init__(self) -> None:
        for name in ("mfu", "teraflops", "tokens"):
            value = getattr(self, name)
            most, limit = (1.0, "at most 1") if name == "mfu" else (sys.float_info.max, "finite")
            if value is not None and not 0 < value <= most:  # so said, it refuses nan
                raise InputError(f"--{name} is {value:g}; it must be above 0 and {limit}.")


def run_estimate(args: Sequence[str]) -> dict[str, Any]:
    """Estimate the parameters, FLOPs, memory and time of a configuration; no weight is made, no text is read.

    Memory is that of the step itself, run on shapes alone (`step_memory`), at the moment when most is held and with
    every row full: what torch's allocator hands out. A process on the CPU takes more, about as much as is said for it.
    Time is FLOPs over the peak of the devices times `--mfu`, the share of it that is reached (0.4 where it is not
    given), or over `--teraflops` for each device, as `benchmark` measures them.

    Args:
        args: what stands after `estimate`: its own options (`EstimateOptions`), and those of `fit`.

    Returns:
        The figures, as in the file.

    Raises:
        InputError: if an option is wrong, or a backbone cannot be trained like this.
    """
    options, rest = read_options(EstimateOptions, args)
    device, devices = cluster(options.hardware) if options.hardware else (None, 1)
    with tempfile.TemporaryDirectory() as folder:
        cli = UnbuiltCLI(with_recipe(["fit", *rest, f"--trainer.default_root_dir={folder}"]))
    gpu = device is not None or _computes_on_gpu(cli.options)
    figures = estimate(cli.model, cli.datamodule, cli.options, devices, gpu)
    figures |= _time(figures, device, options)
    say("\n" + report(figures))
    if options.json:
        Path(options.json).write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    return figures


def estimate(module: Any, data: Any, options: Any, devices: int, gpu: bool) -> dict[str, Any]:
    """Return parameters, FLOPs and memory.

    Args:
        module: an objective or a task, not built.
        data: its datamodule, not set up.
        options: the trainer's.
        devices: how many.
        gpu: whether they compute as GPUs do.
    """
    config = prepare(module, data)
    work = workload(module, data, config)
    precision = ALIASES.get(str(options.precision), str(options.precision))
    accumulation, passes = options.accumulate_grad_batches or 1, 2 if module.r_drop else 1

    def plans(networks: list[Any]) -> dict[str, dict[str, float]]:
        return {"ddp": dict.fromkeys(PARTS, 1.0), "fsdp": _shares(networks, devices, precision)}

    parts, networks = step_memory(
        lambda dtype: _networks(module, config, dtype),
        work,
        precision,
        module.optimizer_name,
        plans,
        passes=passes,
        accumulates=accumulation > 1,
        gpu=gpu,
    )
    unique = {id(p): p for network in networks for p in network.parameters()}.values()
    parameters, learning = (sum(p.numel() for p in unique if p.requires_grad or not only) for only in (False, True))
    shares = plans(networks)
    memory = {name: {part: size * shares[name][part] for part, size in sizes.items()} for name, sizes in parts.items()}
    size_of = {"bf16-true": 2, "16-true": 2, "64-true": 8, "64": 8}.get(precision, 4)
    if devices > 1:
        memory["ddp"]["buckets of DDP"] = size_of * learning
        memory["fsdp"]["buckets of DDP"] = 0.0
    if copies := bool(module.l2_sp) + sum(isinstance(each, WeightAveraging) for each in options.callbacks or []):
        for kind, sizes in memory.items():
            sizes["copies of weights"] = copies * size_of * parameters / (devices if kind == "fsdp" else 1)
    process = None if gpu else LIBRARIES + KEPT * sum(memory["ddp"].values())
    per_step = work.rows * work.length * accumulation * devices
    return {
        "backbone": module.backbone.label,
        "parameters": parameters,
        "learning": learning,
        "flops_per_token": passes * sum(_flops(network, work) for network in networks) / work.length,
        "rows": work.rows,
        "length": work.length,
        "devices": devices,
        "precision": precision,
        "tokens_per_step": per_step,
        "tokens": per_step * options.max_steps if options.max_steps > 0 else None,
        "optimal_tokens": None if isinstance(data, TabularDataModule) else OPTIMAL * parameters,
        "memory": memory,
        "process": process,
    }


def _networks(module: Any, config: Any, dtype: torch.dtype) -> list[Any]:
    """Return the networks of a module, without weights where they are made; the generator comes last."""
    import transformers

    options: dict[str, Any] = {"dtype": dtype}
    if module.backbone.attention:
        options["attn_implementation"] = module.backbone.attention
    auto = getattr(transformers, module.auto_class)
    refuse_unsupported(config, auto, module.backbone.label)
    plain = replace(module.backbone, compile=False, reinitialize_layers=0)
    try:
        network = auto.from_config(config, **options)
    except (ValueError, TypeError, ZeroDivisionError) as error:
        raise InputError(f"backbone.config does not make a {config.model_type}: {first_line(error)}") from error
    plain.adapt(network)
    return module_facts(module).blank_networks(network, options)


def _shares(networks: list[Any], devices: int, precision: str) -> dict[str, float]:
    """Return what one device holds under FSDP, each layer a unit: its part of all, and what is gathered beside it.

    Gathered are the root unit, that is all that is in no layer (embeddings and head), which stays for the whole step;
    and two layers, the one that computes and the one that is fetched ahead. They are gathered in half precision
    where that is mixed, so that autocast makes no copies.
    """
    if devices == 1:
        return dict.fromkeys(PARTS, 1.0)
    layers = [layer for network in networks for stack in layer_stacks(network.base_model) for layer in stack]
    inside = {id(p) for layer in layers for p in layer.parameters()}
    sizes = {id(p): p.numel() for network in networks for p in network.parameters()}
    root = sum(size for key, size in sizes.items() if key not in inside)
    largest = sorted(sum(p.numel() for p in layer.parameters()) for layer in layers)[-2:]
    gathered = (root + sum(largest)) / sum(sizes.values()) * (0.5 if precision.endswith("mixed") else 1.0)
    part = 1 / devices
    return dict.fromkeys(PARTS, 1.0) | {
        "weights": part + gathered,
        "gradients": part + gathered,
        "optimizer": part,
        "copies for autocast": 0.0,
    }


def _flops(network: Any, work: Workload) -> float:
    """Return the FLOPs of a row, forward and backward."""
    source, target = work.source, work.target
    forward = forward_cost(network).of(source, source**2, target, target**2, source * target, work.heads / work.rows)
    return training_factor(network) * forward


def _time(figures: dict[str, Any], device: Any, options: EstimateOptions) -> dict[str, Any]:
    """Return how long it takes, and what fits."""
    tokens = options.tokens or figures["tokens"]
    out: dict[str, Any] = {"tokens": tokens, "hardware": None}
    if tokens:
        out["flops"] = tokens * figures["flops_per_token"]
    speed = options.teraflops * 1e12 if options.teraflops else None
    if device is not None:
        peak = device.teraflops.get(dtype_of(figures["precision"]))
        speed = speed or (peak * 1e12 * options.mfu if peak else None)
        out |= {"hardware": device.name, "gigabytes": device.gigabytes}
        out["fits"] = {
            kind: sum(parts.values()) <= MOST * device.gigabytes * 1e9 for kind, parts in figures["memory"].items()
        }
    if speed:
        out["teraflops"] = speed / 1e12
        out["tokens_per_second"] = speed * figures["devices"] / figures["flops_per_token"]
        out["seconds"] = tokens / out["tokens_per_second"] if tokens else None
    return out


def _computes_on_gpu(options: Any) -> bool:
    return options.accelerator != "cpu" and torch.cuda.is_available()
