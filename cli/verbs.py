"""The commands there are, and what stands first on a command line by mistake."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextvars import ContextVar
from difflib import get_close_matches
from pathlib import Path

from ..errors import InputError

VERBS = ("fit", "validate", "test", "predict", "tune", "suite", "compare", "estimate", "benchmark")
MEANT = {
    "fit": ("train", "training", "finetune", "fine-tune", "fine_tune", "pretrain", "pre-train", "learn", "run",
            "start", "resume", "continue", "export"),
    "validate": ("val", "valid", "validation", "dev"),
    "test": ("eval", "evaluate", "evaluation", "score", "testing"),
    "predict": ("infer", "inference", "generate", "classify", "prediction", "predictions", "apply"),
    "tune": ("search", "sweep", "hpo", "optimize", "optimise", "tuning", "hyperparameters", "lr_find"),
    "suite": ("glue", "suites", "all"),
    "compare": ("diff", "comparison"),
    "estimate": ("plan", "cost", "costs", "flops", "memory"),
    "benchmark": ("bench", "profile", "speed", "measure"),
}  # fmt: skip
"""What people type for each."""


OWN_OPTIONS = {
    "tune": ("space", "trials", "range_test", "sampler_seed"),
    "benchmark": ("steps", "warmup", "json"),
    "estimate": ("hardware", "mfu", "teraflops", "tokens", "json"),
}
"""Options that a command takes before it hands the others to the parser of `fit`."""
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
    meant = next((verb for verb, words in MEANT.items() if word in words or word == verb), None)
    if meant is None and (Path(first).suffix in (".yaml", ".yml") or os.path.isfile(first)):
        raise InputError(f"the command comes first: fit --config {first}. {_all()}")
    if meant is None:
        words = {word: verb for verb, words in MEANT.items() for word in (verb, *words)}
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
