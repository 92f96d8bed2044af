"""What a training would need, before anything is allocated: `python main.py estimate --config FILE`."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import nn
from typing_extensions import override

from .arguments import asks_for_help, values_of, without
from .errors import InputError
from .flops import forward_cost, training_factor
from .hardware import cluster, dtype_of
from .modules.backbone import padded_size
from .modules.cli import PretuneCLI
from .recipes import with_recipe

OWN = {"hardware": "", "mfu": "0.4", "teraflops": "", "tokens": "", "json": ""}
OPTIMAL = 20
"""Tokens for each parameter, where compute is best spent (arXiv 2203.15556)."""
STATE = {"adamw": 8, "sgd": 4, "muon": 8}
"""Bytes of an optimiser for each parameter that learns; Muon needs 4 for the matrices that are its own."""


def run_estimate(args: Sequence[str]) -> dict[str, Any]:
    """Estimates the parameters, FLOPs, memory and time of a configuration; no weight is made, no text is read.

    The memory of activations is that of the very operations of the network, run on shapes alone; time is FLOPs over the
    peak of the devices times `--mfu`, the share of it that is reached, or over `--teraflops` for each device, as
    `benchmark` measures them.

    Args:
        args: what stands after `estimate`: the options of `fit`, and --hardware h100x8, --mfu SHARE, --teraflops N,
            --tokens N (where the configuration has no trainer.max_steps), --json FILE.

    Returns:
        The figures, as in the file.

    Raises:
        InputError: if an option is wrong, or a backbone cannot be trained like this.
    """
    if asks_for_help(args, run_estimate):
        PretuneCLI(["fit", "--help"])
    given = {name: (values_of(args, name) or [default])[-1] for name, default in OWN.items()}
    rest = list(args)
    for name in OWN:
        rest = without(rest, name)
    numbers = {name: _number(given[name], name) for name in ("mfu", "teraflops", "tokens")}
    hardware = cluster(given["hardware"]) if given["hardware"] else (None, 1)
    with tempfile.TemporaryDirectory() as folder:
        cli = EstimateCLI(with_recipe(["fit", *rest, f"--trainer.default_root_dir={folder}"]))
    found = estimate(cli.model, cli.datamodule, cli.options, hardware[1])
    found |= _time(found, hardware[0], numbers)
    print("\n" + report(found))
    if given["json"]:
        Path(given["json"]).write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return found


def _number(text: str, name: str) -> float | None:
    try:
        value = float(text) if text else None
    except ValueError:
        raise InputError(f"--{name} is {text!r}; a number would work.") from None
    if value is not None and (value <= 0 or (name == "mfu" and value > 1)):
        raise InputError(f"--{name} is {text}; it must be above 0{' and at most 1' if name == 'mfu' else ''}.")
    return value


class EstimateCLI(PretuneCLI):
    """Makes module and datamodule, which hold nothing yet, and no trainer: the devices may not be this machine's."""

    options: Any = None

    @override
    def instantiate_trainer(self, **kwargs: Any) -> Any:
        self.options = self._get(self.config_init, "trainer")
        return SimpleNamespace(is_global_zero=False, callbacks=[])

    @override
    def _run_subcommand(self, subcommand: str) -> None:
        """Nothing is run."""


def estimate(module: Any, data: Any, options: Any, devices: int) -> dict[str, Any]:
    """Parameters, FLOPs and memory.

    Args:
        module: an objective or a task, not built.
        data: its datamodule, not set up.
        options: the trainer's.
        devices: how many.
    """
    config = module.backbone.load_config(None)
    trained = getattr(data.tokenizer_spec, "vocab_size", None)
    if module.backbone.name is None and trained and "vocab_size" not in (module.backbone.config or {}):
        config.vocab_size = padded_size(trained)
    module.tokenizer = _stand_in()
    module.check_backbone(config)
    rows, length = data.batch_size, getattr(data, data.length_option)
    precision = str(options.precision)
    networks: list[Any] = []
    saved = copies = 0.0
    for kind, settings in _architectures(module, config):
        with torch.device("meta"):
            networks.append(kind.from_config(settings))
            if len(networks) == 1:  # a generator beside it is trained whole
                replace(module.backbone, compile=False, reinitialize_layers=0).adapt(networks[0])
        one, two = (_saved_bytes(kind, settings, n, length, precision) for n in (1, 2))
        saved += (two - one) * rows
        copies += 2 * one - two  # what does not grow with rows: the weights in the dtype of autocast
    parameters = sum(p.numel() for network in networks for p in network.parameters())
    learning = sum(p.numel() for network in networks for p in network.parameters() if p.requires_grad)
    share = getattr(module, "mask_probability", 1.0) if module.perplexity_of is not None else 0.0
    targets = rows * length * share
    head = max((getattr(n.config, "vocab_size", 0) for n in networks), default=0) if share else 0
    bytes_of = 2 if precision == "bf16-true" else 4
    layers = max(1, getattr(config, "num_hidden_layers", 1))
    if module.backbone.gradient_checkpointing:
        width = getattr(config, "hidden_size", 1)
        saved = saved / layers + layers * rows * length * width * (4 if precision.startswith("32") else 2)
    mixed = "mixed" in precision
    whole = {
        "weights": bytes_of * parameters,
        "gradients": bytes_of * learning,
        "optimiser": STATE[module.optimizer_name] * learning,
        "copies for autocast": copies if mixed else 0.0,
        "activations": saved,
        "logits": targets * head * (10 if mixed else 12),
    }
    shared = ("weights", "gradients", "optimiser")
    sharded = {name: size / devices if name in shared else size for name, size in whole.items()}
    if devices > 1:  # the weights of one layer are gathered at a time
        sharded["weights"] += bytes_of * parameters / layers
        sharded["copies for autocast"] /= layers
    decoder = length if config.is_encoder_decoder else 0
    flops = sum(
        training_factor(n)
        * forward_cost(n).of(length, length**2, decoder, decoder**2, decoder * length, length * share)
        for n in networks
    )
    per_step = rows * length * (options.accumulate_grad_batches or 1) * devices
    return {
        "backbone": module.backbone.label,
        "parameters": parameters,
        "learning": learning,
        "flops_per_token": flops / length,
        "rows": rows,
        "length": length,
        "devices": devices,
        "precision": precision,
        "tokens_per_step": per_step,
        "tokens": per_step * options.max_steps if options.max_steps > 0 else None,
        "memory": {"ddp": whole, "fsdp": sharded},
    }


def _time(found: dict[str, Any], device: Any, numbers: dict[str, float | None]) -> dict[str, Any]:
    """How long it takes, and what fits."""
    tokens = numbers["tokens"] or found["tokens"]
    out: dict[str, Any] = {"tokens": tokens, "optimal_tokens": OPTIMAL * found["parameters"], "hardware": None}
    if tokens:
        out["flops"] = tokens * found["flops_per_token"]
    speed = numbers["teraflops"] * 1e12 if numbers["teraflops"] else None
    if device is not None:
        peak = device.teraflops.get(dtype_of(found["precision"]))
        speed = speed or (peak * 1e12 * (numbers["mfu"] or 0.4) if peak else None)
        out |= {"hardware": device.name, "gigabytes": device.gigabytes}
        out["fits"] = {
            kind: sum(parts.values()) <= 0.95 * device.gigabytes * 1e9 for kind, parts in found["memory"].items()
        }
    if speed:
        out["tokens_per_second"] = speed * found["devices"] / found["flops_per_token"]
        out["seconds"] = tokens / out["tokens_per_second"] if tokens else None
    return out


def report(found: dict[str, Any]) -> str:
    """What is printed."""
    lines = [
        f"{found['backbone']}: {_short(found['parameters'])} parameters, {_short(found['learning'])} learn",
        f"  computing  {_short(found['flops_per_token'])}FLOP a token, forward and backward"
        + (f"; {_short(found['flops'])}FLOP in all" if found.get("flops") else ""),
        f"  tokens     {_short(found['tokens_per_step'])} a step (devices x rows x length x accumulation, with padding)"
        + (
            f", {_short(found['tokens'])} in all" if found["tokens"] else "; in all: give --tokens or trainer.max_steps"
        ),
        f"  optimal    {_short(found['optimal_tokens'])} tokens for so many parameters (20 each)"
        + (f": these are {found['tokens'] / found['optimal_tokens']:.2f} of it" if found["tokens"] else ""),
    ]
    if found.get("tokens_per_second"):
        lines.append(
            f"  time       {_short(found['tokens_per_second'])} tokens/s"
            + (f", {_duration(found['seconds'])}" if found.get("seconds") else "")
        )
    memory, several = found["memory"], found["devices"] > 1
    kinds = ["ddp", "fsdp"] if several else ["ddp"]
    lines.append(f"  memory of each device, 10^9 bytes ({found['precision']}):")
    lines.append("    " + f"{'':<22}" + "".join(f"{kind.upper() if several else '':>10}" for kind in kinds))
    for part in memory["ddp"]:
        lines.append(f"    {part:<22}" + "".join(f"{memory[kind][part] / 1e9:>10.3f}" for kind in kinds))
    lines.append(f"    {'in all':<22}" + "".join(f"{sum(memory[kind].values()) / 1e9:>10.3f}" for kind in kinds))
    if "fits" in found:
        lines.append(_verdict(found, several))
    return "\n".join(lines)


def _verdict(found: dict[str, Any], several: bool) -> str:
    place = f"{found['hardware']} ({found['gigabytes']:.0f} GB)"
    if found["fits"]["ddp"]:
        return f"It fits {place}."
    if several and found["fits"]["fsdp"]:
        return f"It fits {place} with FSDP (configs/trainers/fsdp.yaml), not with DDP."
    parts = found["memory"]["fsdp" if several else "ddp"]
    state = sum(parts[name] for name in ("weights", "gradients", "optimiser"))
    if state > 0.95 * found["gigabytes"] * 1e9:
        return f"It does not fit {place}: weights, gradients and optimiser alone are too large; more devices with FSDP."
    return (
        f"It does not fit {place}: a smaller data.batch_size with trainer.accumulate_grad_batches, or "
        "model.backbone.gradient_checkpointing: true, would need less."
    )


def _short(number: float) -> str:
    for size, name in (
        (1e24, "Y"),
        (1e21, "Z"),
        (1e18, "E"),
        (1e15, "P"),
        (1e12, "T"),
        (1e9, "G"),
        (1e6, "M"),
        (1e3, "k"),
    ):
        if number >= size:
            return f"{number / size:.3g} {name}"
    return f"{number:.0f} "


def _duration(seconds: float) -> str:
    for size, name in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {name}"
    return f"{seconds:.0f} seconds"


def _stand_in() -> Any:
    """A tokenizer that knows no word, for modules that ask which special tokens there are."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from transformers import PreTrainedTokenizerFast

    names = ["unk_token", "pad_token", "cls_token", "sep_token", "mask_token", "bos_token", "eos_token"]
    special = {name: f"[{name}]" for name in names}
    model = WordLevel({token: number for number, token in enumerate(special.values())}, unk_token="[unk_token]")
    return PreTrainedTokenizerFast(tokenizer_object=Tokenizer(model), **special)


def _architectures(module: Any, config: Any) -> list[tuple[Any, Any]]:
    import transformers

    found = [(getattr(transformers, module.auto_class), config)]
    if hasattr(module, "generator_config"):
        found.append((transformers.AutoModelForMaskedLM, module.generator_config))
    return found


def _saved_bytes(kind: Any, config: Any, rows: int, length: int, precision: str) -> float:
    """What the forward pass of a body keeps for the backward pass, in bytes: its operations are run on shapes alone."""
    from torch._subclasses.fake_tensor import FakeTensorMode
    from transformers.initialization import no_init_weights

    seen: dict[int, Any] = {}
    dtype = {"bfloat16": torch.bfloat16, "float16": torch.bfloat16}.get(dtype_of(precision))
    with FakeTensorMode(allow_non_fake_inputs=True), no_init_weights(), torch.device("cpu"):
        network: nn.Module = kind.from_config(config).train()
        own = {parameter.untyped_storage()._cdata for parameter in network.parameters()}

        def keep(tensor: torch.Tensor) -> torch.Tensor:
            storage = tensor.untyped_storage()
            if storage._cdata not in own:
                seen[storage._cdata] = storage
            return tensor

        ids = torch.zeros(rows, length, dtype=torch.long)
        inputs = {"input_ids": ids, **({"decoder_input_ids": ids} if config.is_encoder_decoder else {})}
        body: Any = getattr(network, "model", network.base_model) if config.model_type == "t5" else network.base_model
        hooks = torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor)
        with hooks, torch.autocast("cpu", dtype=dtype or torch.bfloat16, enabled=dtype is not None):
            body(**inputs)
    return float(sum(storage.nbytes() for storage in seen.values()))
