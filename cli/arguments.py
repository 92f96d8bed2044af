"""What a command line says, as far as that must be known before it is parsed."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from ..errors import InputError
from ..storage.paths import local_folder


def values_of(args: Sequence[str], name: str) -> list[str]:
    """Return what the arguments give an option, each time: `--name value` or `--name=value`."""
    values = []
    for arg, after in zip(args, [*args[1:], ""], strict=False):
        if arg == f"--{name}":
            values.append(after)
        elif arg.startswith(f"--{name}="):
            values.append(arg.partition("=")[2])
    return values


class _InOrder(argparse.Action):
    """Keep options and their values as they came."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        namespace.own += [option_string, *([] if values is None else [values])]


def split_arguments(args: Sequence[str], names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the arguments of some options, and all others, each in the order in which they came.

    Args:
        args: options with their values, as `--name value` or `--name=value`.
        names: of the options; one belongs to them also as `--name.key` and as `--name+`.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    for option in {arg.partition("=")[0] for arg in args if arg.startswith("--")}:
        if any(option == f"--{name}" or option.startswith((f"--{name}.", f"--{name}+")) for name in names):
            parser.add_argument(option, action=_InOrder, nargs="?", dest=argparse.SUPPRESS)
    read, others = parser.parse_known_args(list(args), argparse.Namespace(own=[]))
    return read.own, others


def values_by_name(args: Sequence[str]) -> dict[str, str]:
    """Return the last value that the arguments give each option, which is empty where none stands there."""
    values, name = {}, ""
    for arg in args:
        if arg.startswith("--"):
            name, _, arg = arg[2:].partition("=")
        values[name] = arg
    return values


def without(args: Sequence[str], *names: str) -> list[str]:
    """Return the arguments but for some options and their values."""
    return split_arguments(args, names)[1]


def read_config(config: str) -> dict[str, Any]:
    """Return a configuration, as far as it can be read: whoever parses the arguments says what is wrong with it."""
    try:
        path = Path(config)
        content = yaml.safe_load(path.read_text(encoding="utf-8") if path.is_file() else config)
    except (OSError, ValueError, RecursionError, yaml.YAMLError):
        return {}
    return content if isinstance(content, dict) else {}


def runs_folder(args: Sequence[str]) -> Path:
    """Return the folder of all runs that a command writes below.

    Raises:
        InputError: if it is a URL.
    """
    option = "trainer.default_root_dir"
    return Path(local_folder((values_of(args, option) or ["runs"])[-1], option))


def check_once(args: Sequence[str]) -> None:
    """Refuse two classes for the model, or for the data, on one command line: one would be left out unsaid.

    Raises:
        InputError: with both.
    """
    for part in ("model", "data"):
        named = list(dict.fromkeys([*values_of(args, part), *values_of(args, f"{part}.class_path")]))
        if len(named) > 1:
            raise InputError(f"--{part} is given twice, {named[0]} and then {named[1]}: give one of them.")


def check_letters(args: Sequence[str]) -> None:
    """Refuse arguments that Python could not read as letters: it keeps their bytes, which no text may hold.

    Raises:
        InputError: with the argument, and what to set where the environment is what keeps Python from UTF-8.
    """
    odd = next((arg for arg in args if any("\udc80" <= letter <= "\udcff" for letter in arg)), None)
    if odd is None:
        return
    shown = odd.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    if (encoding := sys.getfilesystemencoding()) != "utf-8":
        raise InputError(
            f"Python reads the command line as {encoding} here, as the locale or PYTHONUTF8 says, and {shown} holds "
            "other letters: PYTHONUTF8=1 in the environment would work."
        )
    raise InputError(f"{shown} holds bytes that are no UTF-8: a text in UTF-8, or a file of another name, would work.")


def check_name(name: str) -> str:
    """Return a run's name, which is a folder below the one of all runs.

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
    """Return the name of the run that a command makes: as the command line itself finds it.

    Raises:
        InputError: if it is none.
    """
    configs = values_of(args, "config")
    named = [str(config["name"]) for path in configs if (config := read_config(path)).get("name")]
    named += values_of(args, "name")
    if named:
        return check_name(named[-1])
    if files := [path for path in configs if "\n" not in path and os.path.isfile(path)]:  # a text has no name
        return Path(files[0]).stem
    parts = [read_config(text).get("model") for text in configs]
    models = [str(part.get("class_path")) if isinstance(part, dict) else str(part) for part in parts if part]
    models += values_of(args, "model") or values_of(args, "model.class_path")
    return (models or ["run"])[-1].rpartition(".")[2]
