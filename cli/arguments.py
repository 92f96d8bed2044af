"""What a command line says, as far as that must be known before it is parsed."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import yaml

from ..errors import InputError
from ..storage.paths import local_folder


def values_of(args: Sequence[str], name: str) -> list[str]:
    """What the arguments give an option, each time: `--name value` or `--name=value`."""
    found = []
    for arg, after in zip(args, [*args[1:], ""], strict=False):
        if arg == f"--{name}":
            found.append(after)
        elif arg.startswith(f"--{name}="):
            found.append(arg.partition("=")[2])
    return found


def without(args: Sequence[str], name: str) -> list[str]:
    """The arguments but for an option and its value."""
    found, skip = [], False
    for arg in args:
        if not skip and not arg.startswith(f"--{name}=") and arg != f"--{name}":
            found.append(arg)
        skip = arg == f"--{name}"
    return found


def asks_for_help(args: Sequence[str], verb: Callable[..., Any]) -> bool:
    """Whether a command asks for help; then what a verb of ours does is said, before the options that it shares."""
    if not {"-h", "--help"} & set(args):
        return False
    print(inspect.cleandoc(verb.__doc__ or "").partition("\n\nReturns:")[0] + "\n")
    return True


def read_config(config: str) -> dict[str, Any]:
    """A configuration, as far as it can be read: whoever parses the arguments says what is wrong with it."""
    try:
        path = Path(config)
        found = yaml.safe_load(path.read_text(encoding="utf-8") if path.is_file() else config)
    except (OSError, ValueError, RecursionError, yaml.YAMLError):
        return {}
    return found if isinstance(found, dict) else {}


def runs_folder(args: Sequence[str]) -> Path:
    """The folder of all runs that a command writes below.

    Raises:
        InputError: if it is a URL.
    """
    option = "trainer.default_root_dir"
    return Path(local_folder((values_of(args, option) or ["runs"])[-1], option))


def check_once(args: Sequence[str]) -> None:
    """Refuses two classes for the model, or for the data, on one command line: one would be left out unsaid.

    Raises:
        InputError: with both.
    """
    for part in ("model", "data"):
        named = list(dict.fromkeys([*values_of(args, part), *values_of(args, f"{part}.class_path")]))
        if len(named) > 1:
            raise InputError(f"--{part} is given twice, {named[0]} and then {named[1]}: give one of them.")


def check_name(name: str) -> str:
    """A run's name, which is a folder below the one of all runs.

    Raises:
        InputError: if it leads elsewhere, or is no name for a folder.
    """
    parts = name.split("/")
    if not name.isprintable() or any(part.strip() in ("", ".", "..") for part in parts):
        raise InputError(
            f"--name is {name!r}; a name for a folder below that of all runs would work, such as mine or news/mine "
            "(--trainer.default_root_dir puts all runs elsewhere)."
        )
    return name


def run_name(args: Sequence[str]) -> str:
    """The name of the run that a command makes: as the command line itself finds it.

    Raises:
        InputError: if it is none.
    """
    configs = values_of(args, "config")
    named = [str(found["name"]) for path in configs if (found := read_config(path)).get("name")]
    named += values_of(args, "name")
    if named:
        return check_name(named[-1])
    if files := [path for path in configs if "\n" not in path and os.path.isfile(path)]:  # a text has no name
        return Path(files[0]).stem
    parts = [read_config(text).get("model") for text in configs]
    models = [str(part.get("class_path")) if isinstance(part, dict) else str(part) for part in parts if part]
    models += values_of(args, "model") or values_of(args, "model.class_path")
    return (models or ["run"])[-1].rpartition(".")[2]
