"""The commands there are, and what stands first on a command line by mistake."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import Any

from ..errors import InputError


@dataclass(frozen=True)
class Verb:
    """A command.

    Args:
        says: its line in the help.
        place: the function that runs it, as `module:function`; it takes what stands after the verb.
        meant: what people type for it.
        options: those that it takes before it hands the others to the parser of `fit`.
        light: whether it needs neither torch nor configurations.
    """

    says: str
    place: str
    meant: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    light: bool = False

    def load(self) -> Callable[[Sequence[str]], Any]:
        """Import the function."""
        module, _, name = self.place.partition(":")
        function: Callable[[Sequence[str]], Any] = getattr(import_module(f".{module}", __package__), name)
        return function


VERBS = {
    "fit": Verb(
        "trains; keeps, exports and reports the best weights; several seeds: --seeds 1,2,3", "commands.trainer:run_fit",
        ("train", "training", "finetune", "fine-tune", "fine_tune", "pretrain", "pre-train", "learn", "run", "start",
         "resume", "continue", "export"),
    ),
    "validate": Verb(
        "scores a run, or weights, on the validation part", "commands.trainer:run_validate",
        ("val", "valid", "validation", "dev"),
    ),
    "test": Verb(
        "the same on the test part", "commands.trainer:run_test",
        ("eval", "evaluate", "evaluation", "score", "testing"),
    ),
    "predict": Verb(
        "writes predictions for files or texts", "commands.trainer:run_predict",
        ("infer", "inference", "generate", "classify", "prediction", "predictions", "apply"),
    ),
    "tune": Verb(
        "finds a learning rate and other options on validation, and writes them as an overlay",
        "commands.tune:run_tune",
        ("search", "sweep", "hpo", "optimize", "optimise", "tuning", "hyperparameters", "lr_find"),
        ("space", "trials", "range_test", "sampler_seed"),
    ),
    "suite": Verb(
        "tasks x seeds in one command, with one table at the end", "commands.suites:run_suite",
        ("glue", "suites", "all"),
    ),
    "compare": Verb(
        "says whether one run is really better than another: compare RUN_A RUN_B", "commands.compare:run_compare",
        ("diff", "comparison"), light=True,
    ),
    "estimate": Verb(
        "says what a training would need: parameters, FLOPs, memory, time, before anything is allocated",
        "commands.estimate:run_estimate", ("plan", "cost", "costs", "flops", "memory"),
        ("hardware", "mfu", "teraflops", "tokens", "json"),
    ),
    "benchmark": Verb(
        "measures how fast a configuration trains, and what limits it", "commands.benchmark:run_benchmark",
        ("bench", "profile", "speed", "measure"), ("steps", "warmup", "json"),
    ),
}  # fmt: skip
running: ContextVar[str] = ContextVar("running", default="")
"""The command that runs."""


def with_known_verb(given: Sequence[str]) -> list[str]:
    """A command line whose first word is a command, with `-c FILE` written out as everything here looks for it.

    Raises:
        InputError: if it is none, with the command that was meant.
    """
    first, rest = given[0], list(given[1:])
    if first in VERBS:
        running.set(first)
        return [first, *(other for arg in rest for other in _long(arg))]
    if first.startswith("-"):
        verb = next((arg for arg in rest if arg in VERBS), None)
        if verb is None and not first.startswith(("--config", "-c", "--model", "--data", "--trainer", "--ckpt_path")):
            return [first, *rest]  # such as --print_shtab
        after = " ".join([first, *(arg for arg in rest if arg != verb)])
        raise InputError(f"the command comes first: {verb or 'fit'} {after}. {_all()}")
    word = first.lower().replace(" ", "-")
    meant = next((name for name, verb in VERBS.items() if word in verb.meant or word == name), None)
    if meant is None and (Path(first).suffix in (".yaml", ".yml") or os.path.isfile(first)):
        raise InputError(f"the command comes first: fit --config {first}. {_all()}")
    if meant is None:
        words = {word: name for name, verb in VERBS.items() for word in (name, *verb.meant)}
        meant = next((words[close] for close in get_close_matches(word, words, n=1)), None)
    near = f" (did you mean {meant}?)" if meant else ""
    raise InputError(f"there is no command {first!r}{near}. {_all()}")


def _long(arg: str) -> list[str]:
    if arg == "-c":
        return ["--config"]
    if arg.startswith("-c") and Path(arg[2:].lstrip("=")).suffix in (".yaml", ".yml", ".json"):
        return ["--config", arg[2:].lstrip("=")]
    return [arg]


def _all() -> str:
    return f"There are: {', '.join(VERBS)}."
