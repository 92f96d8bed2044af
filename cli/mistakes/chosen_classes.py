"""Which class each part of a command line has so far, which options there are with it, and what to say of others."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from typing import Any

from ...errors import InputError
from .known_options import SECTIONS, KnownOptions, known_classes
from .suggestions import in_yaml, on_command_line, suggest
from .written import Written, read_written

Items = Sequence[tuple[str, str | None]]
"""Options with their values, in the order of the command line."""
LIST = "--help all, --model.help CLASS and --data.help CLASS list them"


class ChosenClasses:
    """The classes that were named so far.

    Args:
        parser: of all verbs.
        verb: of the command line.
    """

    def __init__(self, parser: argparse.ArgumentParser, verb: str) -> None:
        self.parser, self.verb = parser, verb
        self.kinds: dict[str, type[Any] | None] = {}
        """By part, once something has named it; None where nobody knows the class."""

    @property
    def known(self) -> KnownOptions:
        """The options that there are with these classes."""
        return KnownOptions(self.parser, self.kinds)

    @property
    def files_option(self) -> str:
        """The option for the files that the verb reads."""
        options = {"test": "test_files", "predict": "predict_files", "validate": "validation_files"}
        return options.get(self.verb, "train_files")

    def unknown(self, key: str, where: str) -> str:
        """Return what to say of an option that does not exist.

        Args:
            key: its name with dots.
            where: file and line of a configuration, or the option as it was typed, which begins with --.
        """
        typed = where.startswith("--")
        similar = suggest(key, self.known)
        near = on_command_line(similar) if typed else in_yaml(similar)
        part, _, leaf = key.partition(".")
        inside = "" if typed else f"{where}: "
        kind = self.kinds.get(part)
        if kind is None or ((section := key.rpartition(".")[0]) in SECTIONS and section in self.known):
            return f"{inside}there is no option {where if typed else key}{near}; {LIST}."
        option = leaf.partition(".")[0]
        others = known_classes([option], part)
        others = [] if f"{part}.{option}" in self.known else others
        whose = f" ({', '.join(others)} {'has' if len(others) == 1 else 'have'} it)" if 0 < len(others) < 5 else ""
        options = [known.partition(".")[2] for known in self.known.keys if re.fullmatch(rf"{part}\.[^.]+", known)]
        listed = "" if near else f"; there are: {', '.join(options)}"
        return f"{inside}{kind.__name__} has no option {option!r}{whose}{near}{listed}."

    def too_early(self, part: str, where: str, later: Items) -> str | None:
        """Return what to say of an option whose class is named after it; None where nothing later names one.

        Args:
            part: `model` or `data`.
            where: file and line of a configuration, or the option as it was typed, which begins with --.
            later: what follows on the command line.
        """
        for key, value in later:
            if key in (part, f"{part}.class_path"):
                return f"{where} comes before the class that it is an option of: give --{part} {value} before it."
            written = read_configuration(value) if key == "config" and value is not None else None
            model = written.values.get(part) if written is not None else None
            if isinstance(model, str) or (isinstance(model, dict) and "class_path" in model):
                name = where.partition(":")[0]
                what = f"--config {name}" if not where.startswith("--") else where
                return (
                    f"{where} comes before the class that it is an option of ({value} names it): give {what} after "
                    f"--config {value}."
                )
        return None


def beside(key: str) -> str:
    """Return what to say of an option of a class that is not below `init_args:`."""
    return (
        f"{key} stands beside `class_path:`; options of the class stand below `init_args:`, as "
        f"`{{class_path: ..., init_args: {{{key}: ...}}}}`."
    )


def classless(part: str, options: Sequence[str]) -> str:
    """Return what to say of options of a part whose class nothing names, without the cure."""
    fitting = ", ".join(known_classes(options, part))
    what = f"{part}.{options[0]}" if options else part
    which = f"; of {fitting}, name one" if fitting else "; name one"
    return f"{part} has no class_path, and nothing says which class {what} is an option of{which}"


def read_configuration(config: str) -> Written | None:
    """Return a configuration with its lines; None where it cannot be read, which is said elsewhere."""
    try:
        return read_written(config)
    except InputError:
        return None
