"""What `estimate` prints."""

from __future__ import annotations

from typing import Any

MOST = 0.95
"""The share of a device's memory that can be used."""
FSDP = "trainer.strategy: fully_sharded (configs/trainers/fsdp.yaml)"


def report(figures: dict[str, Any]) -> str:
    """Return what is printed."""
    lines = [
        f"{figures['backbone']}: {_short(figures['parameters'])} parameters, {_short(figures['learning'])} learn",
        f"  computing  {_short(figures['flops_per_token'])}FLOP a token, forward and backward"
        + (f"; {_short(figures['flops'])}FLOP in all" if figures.get("flops") else ""),
        f"  tokens     {_short(figures['tokens_per_step'])} a step "
        "(devices x rows x length x accumulation, with padding)"
        + (
            f", {_short(figures['tokens'])} in all"
            if figures["tokens"]
            else "; in all: give --tokens or trainer.max_steps"
        ),
    ]
    if optimal := figures["optimal_tokens"]:  # a rule for pretraining
        share = f": these are {figures['tokens'] / optimal:.2f} of it" if figures["tokens"] else ""
        lines.append(f"  optimal    {_short(optimal)} tokens for so many parameters (20 each){share}")
    if figures.get("tokens_per_second"):
        lines.append(
            f"  time       {_short(figures['tokens_per_second'])} tokens/s"
            + (f", {_duration(figures['seconds'])}" if figures.get("seconds") else "")
            + f", at {figures['teraflops']:.3g} TFLOP/s a device"
        )
    else:
        unknown = (
            f"no peak of {figures['hardware']} in {figures['precision']} is known: give" if figures["hardware"] else ""
        )
        lines.append(f"  time       {unknown or 'give --hardware, or'} --teraflops as `benchmark` measures them")
    memory, divided = figures["memory"], figures["devices"] > 1
    kinds = ["ddp", "fsdp"] if divided else ["ddp"]
    whole = {kind: sum(memory[kind].values()) for kind in kinds}
    unit, name = (1e9, "GB") if max(whole.values()) >= 1e9 else (1e6, "MB")
    lines.append(f"  memory of each device in {name}, when it holds most ({figures['precision']}):")
    if divided:
        lines.append(f"    {'':<22}" + "".join(f"{kind.upper():>10}" for kind in kinds))
    for part in memory["ddp"]:
        lines.append(f"    {part:<22}" + "".join(f"{memory[kind][part] / unit:>10.2f}" for kind in kinds))
    lines.append(f"    {'in all':<22}" + "".join(f"{whole[kind] / unit:>10.2f}" for kind in kinds))
    if figures["process"]:
        lines.append(
            f"    {'the process, about':<22}{figures['process'] / unit:>10.2f}  with libraries, and what they keep"
        )
    if not memory["ddp"]["gradients"]:
        lines.append("    (there are no gradients yet at that moment: the backward pass begins)")
    if "fits" in figures:
        lines.append(_verdict(figures, divided))
    return "\n".join(lines)


def _verdict(figures: dict[str, Any], divided: bool) -> str:
    place = f"{figures['hardware']} ({figures['gigabytes']:.0f} GB)"
    if figures["fits"]["ddp"]:
        return f"It fits {place}."
    if divided and figures["fits"]["fsdp"]:
        return (
            f"It does not fit {place} with DDP. Weights sharded over the devices, one unit a layer, would; that needs "
            f"{FSDP}."
        )
    parts = figures["memory"]["fsdp" if divided else "ddp"]
    state = parts["weights"] + parts["optimizer"]
    if state > MOST * figures["gigabytes"] * 1e9:
        return (
            f"It does not fit {place}: weights and optimizer alone are too large. To shard them over more devices "
            f"needs {FSDP}."
        )
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
