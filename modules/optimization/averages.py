"""Averages of weights that callbacks of Lightning keep, which take no account of networks that are built late."""

from __future__ import annotations

from typing import Any

from lightning.pytorch import LightningModule
from lightning.pytorch.callbacks import StochasticWeightAveraging, WeightAveraging
from lightning.pytorch.utilities.rank_zero import rank_zero_warn
from torch import Tensor

from ..shortcuts.lightning_state import copy_into_average


def _callbacks(module: LightningModule) -> list[Any]:
    return getattr(module._trainer, "callbacks", None) or []


def give_to_averages(module: LightningModule) -> None:
    """Give a network, now that it is built, to Lightning's SWA: it copied the module before there was any.

    Args:
        module: whose trainer may have that callback.
    """
    for callback in _callbacks(module):
        if isinstance(callback, StochasticWeightAveraging):
            copy_into_average(callback, module)


def averaged_weights(module: LightningModule, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the averaged weights, those that were validated, where a callback averages; empty where none does.

    Args:
        module: in training.
        state: its latest weights, by name.
    """
    models = [c._average_model for c in _callbacks(module) if isinstance(c, WeightAveraging)]
    names = {name for name, _ in module.named_parameters(remove_duplicate=False)} & state.keys()
    return {
        name: weight
        for model in models
        if model is not None
        for name, weight in model.module.state_dict().items()
        if name in names
    }


def warn_of_resumed_averages(module: LightningModule) -> None:
    """Say that Lightning's own average does not survive an interruption, where a run with it goes on."""
    if module.global_step and any(isinstance(c, StochasticWeightAveraging) for c in _callbacks(module)):
        rank_zero_warn(
            "Lightning's StochasticWeightAveraging does not go on where it was interrupted; EqualWeightAveraging does."
        )
