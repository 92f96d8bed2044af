"""Callbacks that a user names: `trainer.callbacks` of a configuration, or `Trainer(callbacks=[...])`."""

from typing import Any

from .averaging import EqualWeightAveraging
from .forgetting import Forgetting
from .old_and_new import OldAndNew
from .probe import Probe
from .rollback import Rollback
from .warm_up import BatchSizeWarmup, SequenceLengthWarmup

__all__ = [
    "BatchSizeWarmup",
    "EqualWeightAveraging",
    "Forgetting",
    "OldAndNew",
    "Probe",
    "Rollback",
    "SequenceLengthWarmup",
]


def __getattr__(name: str) -> Any:
    """Find those of the command line, which lay here in version 0.1."""
    import warnings
    from importlib import import_module

    callbacks = import_module("pretune.cli.callbacks")
    if name not in callbacks.__all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    warnings.warn(f"{name} lies in pretune.cli.callbacks now.", FutureWarning, stacklevel=2)
    return getattr(callbacks, name)
