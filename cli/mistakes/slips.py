"""What is wrong with a command line that the parser refused: each option is looked at, in the order they are read.

The parser tells what fitted none of its types. Here every configuration and argument is walked with its line, so that
the message is about what was written. It is asked only once something is known to be wrong.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..verbs import VERBS
from .chosen_classes import LIST, ChosenClasses, Items, classless, read_configuration
from .configuration_slips import ConfigurationSlips
from .known_options import PARTS, find_class
from .suggestions import on_command_line, suggest
from .written import SUFFIXES


def find_slip(args: Sequence[str], parser: argparse.ArgumentParser) -> str | None:
    """Return the first slip of a command line, with its cure; None where its options all exist.

    Args:
        args: the verb and its arguments.
        parser: of all verbs.
    """
    if not args or args[0] not in VERBS:
        return None
    walk, items = _Walk(ChosenClasses(parser, args[0])), list(_items(args[1:]))
    slips = (walk.argument(key, value, items[number:]) for number, (key, value) in enumerate(items, 1))
    return next((slip for slip in slips if slip is not None), None)


def _items(args: Sequence[str]) -> Iterator[tuple[str, str | None]]:
    """Yield options with their values, and words that belong to none (as values of an empty option)."""
    rest = list(args)
    while rest:
        arg = rest.pop(0)
        if not arg.startswith("--"):
            yield "", arg
        elif "=" in arg:
            key, _, value = arg[2:].partition("=")
            yield key, value
        else:
            yield arg[2:], rest.pop(0) if rest and not rest[0].startswith("--") else None


class _Walk:
    def __init__(self, chosen: ChosenClasses) -> None:
        self.chosen, self.configurations = chosen, ConfigurationSlips(chosen)

    def argument(self, key: str, value: str | None, later: Items) -> str | None:
        if not key:
            return self._word(str(value), later)
        if key == "config" and value is not None:
            written = read_configuration(value)
            return self.configurations.first(written, later) if written is not None else None
        parts = [part for part in key.removesuffix("+").split(".") if part != "init_args"]
        if parts[-1] == "help" or key.startswith("print_"):
            return None
        part = parts[0]
        if key == "trainer" and value is not None and not value.lstrip().startswith("{") and not os.path.exists(value):
            option, _, number = value.partition("=")
            exists = f"trainer.{option}" in self.chosen.known
            cure = f"--trainer.{option} {number}" if exists else "--trainer.OPTION VALUE"
            return f"--trainer takes a file or a mapping; {cure} sets one option."
        if part in PARTS and parts[1:] in ([], ["class_path"]):
            return self._class(part, value)
        if part in PARTS and part not in self.chosen.kinds:
            return self.chosen.too_early(part, f"--{key}", later) or f"{classless(part, parts[1:2])}: --{part} CLASS."
        if part in PARTS and self.chosen.kinds[part] is None:
            return None
        if ".".join(parts) in self.chosen.known:
            return None
        return self.chosen.unknown(".".join(parts), f"--{key}")

    def _class(self, part: str, value: str | None) -> str | None:
        """Return the slip of `--model CLASS`."""
        if value is None or value.lstrip().startswith("{"):
            return None
        path = Path(value)
        if path.suffix in SUFFIXES and path.is_file():
            written = read_configuration(value)
            return self.configurations.part(part, written.values, written, (), []) if written else None
        self.chosen.kinds[part] = find_class(value, PARTS[part])
        other = next(other for other in PARTS if other != part)
        if self.chosen.kinds[part] is None and find_class(value, PARTS[other]) is not None:
            return f"--{part} is {value}, which is a class for {other}: --{other} {value}."
        if self.chosen.kinds[part] is None and part == "data" and path.exists():
            return f"--data names a class; --data.{self.chosen.files_option} {value} reads files."
        return None

    def _word(self, word: str, later: Items) -> str | None:
        """Return what to say of a word that belongs to no option."""
        path = Path(word)
        if ("=" not in word and path.suffix in (".yaml", ".yml")) or (
            path.suffix == ".json" and path.is_file() and read_configuration(word)
        ):
            return f"{word} belongs to no option: --config {word}."
        if path.is_dir() and (runs := [path, *sorted(path.glob("version_*"))])[-1].joinpath("config.yaml").is_file():
            return f"{word} belongs to no option: --config {runs[-1] / 'config.yaml'} takes the options of that run."
        key, equals, value = word.strip("-—–+").partition("=")
        options = [key] if key in self.chosen.known else suggest(key, self.chosen.known) if equals else []
        if options:
            if not equals and later and not later[0][0]:
                value = str(later[0][1])
            return f"{word} belongs to no option{on_command_line([f'{options[0]} {value}'.strip()])}."
        if path.exists():
            return f"{word} belongs to no option: --data.{self.chosen.files_option} {word} reads files."
        if find_class(word, PARTS["model"]):
            return f"{word} belongs to no option: --model {word}."
        if find_class(word, PARTS["data"]):
            return f"{word} belongs to no option: --data {word}."
        if word.startswith(("-", "—", "–")):
            near = on_command_line(suggest(key, self.chosen.known))
            return f"there is no option {word}{near}; {LIST}."
        return f"{word!r} belongs to no option; an option is written --key value (quotes around a value with blanks)."
