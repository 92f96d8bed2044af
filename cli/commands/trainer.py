"""The verbs of Lightning's Trainer: fit, validate, test, predict."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..pretune_cli import PretuneCLI
from ..recipes import with_recipe
from ..verbs import VERBS
from .seeds import FitCLI, run_seeds


def run_fit(args: Sequence[str]) -> Any:
    """Train; with `--seeds 1,2,3` once for each seed."""
    cli = FitCLI(with_recipe(["fit", *args]))
    return cli if cli.seeds is None else run_seeds(cli.seeds, args)


def run_validate(args: Sequence[str]) -> PretuneCLI:
    """Score weights on the validation part."""
    return run_trainer(["validate", *args])


def run_test(args: Sequence[str]) -> PretuneCLI:
    """Score weights on the test part."""
    return run_trainer(["test", *args])


def run_predict(args: Sequence[str]) -> PretuneCLI:
    """Write predictions."""
    return run_trainer(["predict", *args])


def print_help(args: Sequence[str]) -> PretuneCLI:
    """Print the options of a verb that trains or evaluates, and exit.

    Args:
        args: the verb and its arguments, `--help` among them.
    """
    verb, *rest = args
    return run_trainer(["fit" if VERBS[verb].options else verb, *rest])


def run_trainer(args: Sequence[str]) -> PretuneCLI:
    """Run a verb of the Trainer.

    Args:
        args: the verb and its arguments.
    """
    return PretuneCLI(with_recipe(args))
