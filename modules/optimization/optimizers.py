"""Optimizers over parameter groups."""

from __future__ import annotations

from collections.abc import Container, Iterable
from typing import Any, Literal

import torch
from torch import nn

from ..backbone.depth import parameter_depths
from ..shortcuts.optimizer_state import allow_clipping
from .muon import MuonWithAdamW

OptimizerName = Literal["adamw", "muon", "sgd"]


def parameter_groups(
    networks: Iterable[nn.Module],
    learning_rate: float,
    weight_decay: float,
    layer_decay: float,
    anchored: Container[nn.Parameter] | None = None,
) -> list[dict[str, Any]]:
    """Return learning parameters by depth, and by whether they decay: not biases and norms.

    Args:
        networks: they may share parameters; each is learned once.
        learning_rate: of the heads.
        weight_decay: of matrices.
        layer_decay: factor on the rate from each layer to the one below it.
        anchored: parameters that decay to where they started, and so not to 0.

    Returns:
        One group for each depth and kind, the lowest layers first; `hidden` says whether it holds the matrices of
        layers between embeddings and head, and no embeddings that a layer has (T5's of relative positions).
    """
    groups: dict[tuple[int, bool, bool, bool], list[nn.Parameter]] = {}
    seen: set[int] = set()
    for network in networks:
        depths, top = parameter_depths(network)
        tables = {id(m.weight) for m in network.modules() if isinstance(m, nn.Embedding)}
        for name, parameter in network.named_parameters():
            if parameter.requires_grad and id(parameter) not in seen:
                seen.add(id(parameter))
                below = top - depths[name] if layer_decay != 1.0 else 0
                held = parameter in (anchored or ())
                hidden = parameter.ndim == 2 and 0 < depths[name] < top and id(parameter) not in tables
                groups.setdefault((below, parameter.ndim > 1, held, hidden), []).append(parameter)
    return [
        {
            "params": parameters,
            "lr": learning_rate * layer_decay**below,
            "weight_decay": weight_decay if decays and not held else 0.0,
            "hidden": hidden,
        }
        for (below, decays, held, hidden), parameters in sorted(
            groups.items(), key=lambda item: (-item[0][0], item[0][1:])
        )
    ]


def make_optimizer(
    name: OptimizerName, groups: list[dict[str, Any]], betas: tuple[float, float], precision: str
) -> torch.optim.Optimizer:
    """Return the optimizer that a name stands for.

    Args:
        name: `adamw`, `muon` (with AdamW for what is no hidden matrix), or `sgd` (with momentum 0.9).
        groups: from `parameter_groups`.
        betas: AdamW's averaging factors.
        precision: the trainer's.
    """
    if name == "sgd":
        return torch.optim.SGD(groups, momentum=0.9)
    # The fused step unscales fp16 gradients itself, after which they cannot be clipped.
    fused = precision != "16-mixed"
    if name == "muon":
        return MuonWithAdamW(groups, betas, fused=fused)
    optimizer = torch.optim.AdamW(groups, betas=betas, fused=fused)
    allow_clipping(optimizer)
    return optimizer
