"""The verbs of Lightning's Trainer: fit, validate, test, predict."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..pretune_cli import PretuneCLI
from ..recipes import with_recipe
from .seeds import run_seeds, seeds_of


def run_fit(args: Sequence[str]) -> Any:
    """Train; with `--seeds 1,2,3` once for each seed."""
    return run_seeds(args) if seeds_of(args) is not None else run_trainer(["fit", *args])


def run_validate(args: Sequence[str]) -> PretuneCLI:
    """Score weights on the validation part."""
    return run_trainer(["validate", *args])


def run_test(args: Sequence[str]) -> PretuneCLI:
    """Score weights on the test part."""
    return run_trainer(["test", *args])


def run_predict(args: Sequence[str]) -> PretuneCLI:
    """Write predictions."""
    return run_trainer(["predict", *args])


def run_trainer(args: Sequence[str]) -> PretuneCLI:
    """Run a verb of the Trainer.

    Args:
        args: the verb and its arguments.
    """
    return PretuneCLI(with_recipe(args))
