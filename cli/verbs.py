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
from .verb_options import option_names

TRAINING = "--config FILE [--config FILE] [--key value ...]"
"""How a verb is written that takes the options of `fit`."""


@dataclass(frozen=True)
class Verb:
    """A command.

    Args:
        says: its line in the help.
        place: the function that runs it, as `module:function`; it takes what stands after the verb.
        example: what may stand after it, on configurations of this package.
        meant: what people type for it.
        options: the dataclass that declares its own options, as `module:Class`; empty where it has none.
        shared: those of the options that every training verb takes which its help shows first, in this order.
        trains: whether its help shows the trainer's options of a training.
        usage: what stands after it, for the help.
        light: whether it needs neither torch nor configurations.
    """

    says: str
    place: str
    example: str
    meant: tuple[str, ...] = ()
    options: str = ""
    shared: tuple[str, ...] = ()
    trains: bool = True
    usage: str = TRAINING
    light: bool = False

    def load(self) -> Callable[[Sequence[str]], Any]:
        """Import the function."""
        function: Callable[[Sequence[str]], Any] = _imported(self.place)
        return function

    def load_options(self) -> type[Any] | None:
        """Import the dataclass of its own options."""
        return _imported(self.options) if self.options else None


def _imported(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(import_module(f".{module}", __package__), name)


VERBS = {
    "fit": Verb(
        "trains; keeps, exports and reports the best weights; several seeds: --seeds 1,2,3",
        "commands.trainer:run_fit",
        "--config configs/quickstart/pretrain.yaml --trainer.max_steps 100",
        ("train", "training", "finetune", "fine-tune", "fine_tune", "pretrain", "pre-train", "learn", "run", "start",
         "resume", "continue"),
        shared=("config", "name", "recipe", "seeds", "ckpt_path", "stop_after", "early_stopping", "pace", "checkpoint",
                "export_check", "logger", "card", "seed_everything", "print_config"),
    ),
    "validate": Verb(
        "scores a run, or weights, on the validation part",
        "commands.trainer:run_validate",
        "--config configs/quickstart/pretrain.yaml",
        ("val", "valid", "validation", "dev"),
        shared=("config", "name", "ckpt_path", "untrained", "print_config"),
        trains=False,
    ),
    "test": Verb(
        "scores a run, or weights, on the test part",
        "commands.trainer:run_test",
        "--config configs/quickstart/pretrained.yaml",
        ("eval", "evaluate", "evaluation", "score", "testing"),
        shared=("config", "name", "ckpt_path", "untrained", "print_config"),
        trains=False,
    ),
    "predict": Verb(
        "writes predictions for files or texts",
        "commands.trainer:run_predict",
        "--config configs/quickstart/pretrained.yaml --data.predict_texts '[Sorts a list in place.]'",
        ("infer", "inference", "generate", "classify", "prediction", "predictions", "apply"),
        shared=("config", "name", "ckpt_path", "predictions", "predictions_file", "predictions_top", "top_k",
                "threshold", "untrained", "print_config"),
        trains=False,
    ),
    "export": Verb(
        "writes a trained model as ONNX, int8, safetensors or adapters, compared with the original",
        "commands.export:run_export",
        "runs/quickstart-pretrained --format onnx --quantize int8",
        ("convert", "onnx", "save", "quantize", "deploy"),
        options="commands.export:ExportOptions",
        usage="RUN [--key value ...]",
    ),
    "tune": Verb(
        "finds a learning rate and other options on validation, and writes them as an overlay",
        "commands.tune:run_tune",
        "--config configs/quickstart/pretrain.yaml --trials 5",
        ("search", "sweep", "hpo", "optimize", "optimise", "tuning", "hyperparameters", "lr_find"),
        options="commands.tune:TuneOptions",
        shared=("config", "name", "recipe", "seed_everything", "early_stopping", "pace"),
    ),
    "suite": Verb(
        "trains tasks x seeds in one command, with one table at the end",
        "commands.suites:run_suite",
        "--config configs/suites/glue.yaml --seeds 1",
        ("glue", "suites", "all"),
        options="commands.suites:Suite",
    ),
    "compare": Verb(
        "says whether one run is really better than another: compare RUN_A RUN_B",
        "commands.compare:run_compare",
        "runs/quickstart-pretrained runs/quickstart-scratch",
        ("diff", "comparison"),
        options="commands.compare:CompareOptions",
        usage="RUN_A [RUN_B] [--key value ...]",
        light=True,
    ),
    "report": Verb(
        "writes what a run came to as a page, or several runs side by side: report RUN [RUN ...]",
        "commands.report:run_report",
        "runs/quickstart-pretrained runs/quickstart-scratch --output both.html",
        ("show", "page", "html", "summarize", "summary"),
        options="commands.report:ReportOptions",
        usage="RUN [RUN ...] [--output FILE]",
        light=True,
    ),
    "estimate": Verb(
        "says what a training would need: parameters, FLOPs, memory, time, before anything is allocated",
        "commands.estimate:run_estimate",
        "--config configs/pretrain/masked.yaml --hardware h100x8",
        ("plan", "cost", "costs", "flops", "memory"),
        options="commands.estimate:EstimateOptions",
        shared=("config", "recipe"),
    ),
    "inspect": Verb(
        "shows what would be trained on: tokens, masks, labels, lengths, leaks; also as a page",
        "commands.inspect:run_inspect",
        "--config configs/pretrain/masked.yaml --rows 3 --html page.html",
        ("look", "view", "see", "data", "preview"),
        options="commands.inspect:InspectOptions",
        shared=("config", "recipe", "seed_everything"),
    ),
    "prepare": Verb(
        "cleans, deduplicates and tokenizes a corpus into shards, once for all runs",
        "commands.prepare:run_prepare",
        "--config configs/pretrain/masked.yaml --data.train_files \"corpus/*.txt\" --output prepared",
        ("tokenize", "preprocess", "preprocessing", "shards", "shard", "clean", "dedup", "deduplicate", "pretokenize"),
        options="commands.prepare:PrepareOptions",
        shared=("config",),
        trains=False,
        usage="--config FILE --output URL [--key value ...]",
    ),
    "benchmark": Verb(
        "measures how fast a configuration trains, and what limits it",
        "commands.benchmark:run_benchmark",
        "--config configs/quickstart/pretrain.yaml --steps 10",
        ("bench", "profile", "speed", "measure"),
        options="commands.benchmark:BenchmarkOptions",
        shared=("config", "recipe", "seed_everything"),
    ),
    "push": Verb(
        "hands a run on: its export and its model card, to the Hugging Face Hub: push RUN ORG/NAME",
        "commands.push:run_push",
        "runs/quickstart-pretrained my-name/packages --dry-run",
        ("upload", "publish", "share", "release", "push_to_hub"),
        options="commands.push:PushOptions",
        usage="RUN ORG/NAME [--private] [--dry-run]",
        light=True,
    ),
    "demo": Verb(
        "serves a page on which to try a run, an export, or two side by side",
        "commands.demo:run_demo",
        "--config configs/quickstart/pretrained.yaml",
        ("serve", "ui", "gradio", "try", "app", "playground"),
        options="commands.demo:DemoOptions",
        shared=("config", "name", "ckpt_path", "untrained"),
        trains=False,
        usage="[RUN [RUN]] [--config FILE] [--key value ...]",
    ),
}  # fmt: skip
running: ContextVar[str] = ContextVar("running", default="")
"""The command that runs."""


def own_options_of_running() -> list[str]:
    """Return the names of the options that the running command has for itself."""
    kind = VERBS[running.get()].load_options() if running.get() in VERBS else None
    return option_names(kind) if kind is not None else []


def with_known_verb(words: Sequence[str]) -> list[str]:
    """Return a command line whose first word is a command, with `-c FILE` written out as everything here looks for it.

    Raises:
        InputError: if it is none, with the command that was meant.
    """
    first, rest = words[0], list(words[1:])
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
        known = {word: name for name, verb in VERBS.items() for word in (name, *verb.meant)}
        meant = next((known[close] for close in get_close_matches(word, known, n=1)), None)
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
