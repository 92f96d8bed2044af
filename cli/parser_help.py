"""The options of LightningCLI in a useful order: of the run, model, data, the trainer's that people use, the rest."""

from __future__ import annotations

import argparse
import re
import textwrap
from collections.abc import Sequence
from typing import Any

from jsonargparse import DefaultHelpFormatter

from .help_text import description, usage, width
from .mistakes.known_options import PARTS, classes
from .verbs import VERBS

TRAINER = {
    "max_epochs": "Passes over the data; with neither this nor max_steps nor max_time, --pace decides.",
    "max_steps": "Optimizer steps; -1 sets no limit.",
    "max_time": "How long to train, as DD:HH:MM:SS.",
    "accelerator": "One of cpu, gpu, mps, tpu and auto.",
    "devices": "How many, a list of which, or auto.",
    "num_nodes": "Machines.",
    "strategy": "One of auto, ddp, fully_sharded, deepspeed and others, or a class.",
    "precision": "32-true, bf16-mixed, 16-mixed, bf16-true, 64-true, and others.",
    "accumulate_grad_batches": "Batches of an optimizer step.",
    "gradient_clip_val": "The most that the norm of the gradients may be; null clips nothing.",
    "val_check_interval": "Batches between two validations, or a share of an epoch below 1.",
    "limit_train_batches": "Batches of an epoch, or a share of them below 1.",
    "callbacks": "Classes with their options.",
    "logger": "Classes with their options; true is CSV and TensorBoard, false is none.",
    "default_root_dir": "The folder of all runs.",
}
"""The trainer's options that people use, in the order in which they are shown, each in a sentence."""
EVALUATING = ("accelerator", "devices", "num_nodes", "strategy", "precision", "callbacks", "logger", "default_root_dir")
"""Those of them that count where nothing is trained."""
BRIEF = {
    "config": "A YAML file; each further one is laid over those before it.",
    "ckpt_path": "A checkpoint, the folder of a run, last or best: what fit goes on from, or whose weights are used.",
    "seed_everything": "Seed of weights, dropout and the order of rows; true draws one.",
    "print_config": "Print the configuration, all defaults with it, and exit.",
    "pace": "A file of the options below: how long training lasts, and how often it is validated.",
    "checkpoint": "A file of the options below: when to save, besides after every validation.",
    "model.help": "List the options of a class.",
    "data.help": "List the options of a class.",
    **{f"trainer.{name}": text for name, text in TRAINER.items()},
}
"""What is said of options whose own text is long."""


class NarrowFormatter(DefaultHelpFormatter):
    """Fit in 80 columns, and keep the lines of a description as they are."""

    def __init__(self, prog: str, **options: Any) -> None:
        super().__init__(prog, **{"width": width(), **options})

    def _fill_text(self, text: str, text_width: int, indent: str) -> str:
        return "".join(f"{indent}{line}" for line in text.splitlines(keepends=True))


class BriefFormatter(NarrowFormatter):
    """Say a sentence of each option, and its default."""

    def _get_help_string(self, action: argparse.Action) -> str:
        if action.dest in PARTS:
            classes_of_part = ", ".join(sorted(kind.__name__ for kind in classes(PARTS[action.dest])))
            return f"One of {classes_of_part}; the import path of one of yours."
        text = BRIEF.get(action.dest) or re.split(r"(?<=\.) ", action.help or "", maxsplit=1)[0]
        text = text[:1].upper() + text[1:]
        plain = isinstance(action.default, str | int | float) and action.default != argparse.SUPPRESS
        return text + (" (default: %(default)s)" if plain else "")


class HelpAction(argparse._HelpAction):
    """`--help`, and `--help all` for what it leaves out."""

    def __init__(self, option_strings: Sequence[str], **options: Any) -> None:
        super().__init__(option_strings, **{name: options[name] for name in ("help",) if name in options})
        self.nargs, self.metavar = "?", "all"

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        """Print the help and exit."""
        parser.shows_everything = values == "all"
        parser.print_help()
        parser.exit()


def arrange_help(parser: Any, name: str, everything: bool) -> None:
    """Have a parser print the help of a verb: synopsis, its own options, those of the run, model, data, trainer.

    Args:
        parser: of the options of LightningCLI.
        name: of the verb.
        everything: whether to list what few people use as well.
    """
    parser.usage, parser.description = usage(name), description(name)
    used = tuple(TRAINER) if VERBS[name].trains else EVALUATING
    options = [a for a in parser._actions if a.help != argparse.SUPPRESS]
    groups: dict[str, list[argparse.Action]] = {
        "options of the run": [a for key in VERBS[name].shared for a in options if _is_of(a, key)],
        "model": [a for a in options if a.dest.partition(".")[0] == "model"],
        "data": [a for a in options if a.dest.partition(".")[0] == "data"],
        "trainer": [a for key in used for a in options if a.dest == f"trainer.{key}"],
    }
    shown = {id(a) for group in groups.values() for a in group}
    rest = [a for a in options if id(a) not in shown]
    if everything:
        groups["other options"] = [a for a in rest if not a.dest.startswith("trainer")]
        groups["other options of the trainer"] = [a for a in rest if a.dest.startswith("trainer")]
    else:
        parser.formatter_class = BriefFormatter
        more = len({a.dest for a in rest if not a.dest.endswith("help")})
        parser.epilog = textwrap.fill(
            f"--help all lists {more} more options; --model.help CLASS and --data.help CLASS those of a class.", width()
        )
    parser._action_groups = []
    for title, actions in groups.items():
        parser.add_argument_group(title)._group_actions.extend(actions)


def _is_of(action: argparse.Action, key: str) -> bool:
    """Return whether an option is what a key names, or one of those that it holds: `pace.epochs` of `pace`."""
    return action.dest == key or (action.dest.startswith(f"{key}.") and not action.dest.endswith(".help"))
