"""What is wrong with a command line that the parser refused: each option is looked at, in the order they are read.

The parser tells what fitted none of its types. Here every configuration and argument is walked with its line, so that
the message is about what was written. It is asked only once something is known to be wrong.
"""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback
from lightning.pytorch.loggers import Logger

from ...errors import InputError
from ..verbs import VERBS
from .known_options import PARTS, SECTIONS, KnownOptions, find_class, known_classes
from .listed_classes import unknown_option
from .suggestions import in_yaml, on_command_line, suggest
from .suggestions import written as nested
from .written import SUFFIXES, Written, read_written

OWN_KEYS = ("class_path", "init_args", "dict_kwargs", "__path__")
OTHER_KEYS = {
    **dict.fromkeys(("class", "cls", "classpath", "class_name", "target", "type"), "class_path"),
    **dict.fromkeys(("args", "arguments", "params", "parameters", "kwargs", "options", "init", "initargs", "init_arg"),
                    "init_args"),
}  # fmt: skip
"""What the keys of a class are called elsewhere."""
LISTS = {"trainer.callbacks": Callback, "trainer.logger": Logger}
LIST = "--help, --model.help CLASS and --data.help CLASS list them all"


def find_slip(args: Sequence[str], parser: argparse.ArgumentParser) -> str | None:
    """The first slip of a command line, with its cure; None where its options are all there.

    Args:
        args: the verb and its arguments.
        parser: of all verbs.
    """
    if not args or args[0] not in VERBS:
        return None
    items = list(_items(args[1:]))
    return _Walk(parser, args[0], items).first()


def _items(args: Sequence[str]) -> Iterator[tuple[str, str | None]]:
    """Options with their values, and words that belong to none (as values of an empty option)."""
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
    def __init__(self, parser: argparse.ArgumentParser, verb: str, items: list[tuple[str, str | None]]) -> None:
        self.parser, self.verb, self.items = parser, verb, items
        self.chosen: dict[str, type[Any] | None] = {}
        """The class of each part, once something has named it; None where nobody knows it."""

    def first(self) -> str | None:
        for number, (key, value) in enumerate(self.items):
            later = self.items[number + 1 :]
            slip = self._argument(key, value, later)
            if slip is not None:
                return slip
        return None

    @property
    def known(self) -> KnownOptions:
        return KnownOptions(self.parser, self.chosen)

    # ------------------------------------------------------------------ the command line

    def _argument(self, key: str, value: str | None, later: list[tuple[str, str | None]]) -> str | None:
        if not key:
            return self._word(str(value), later)
        if key == "config" and value is not None:
            written = _written(value)
            return self._configuration(written, later) if written is not None else None
        parts = [part for part in key.removesuffix("+").split(".") if part != "init_args"]
        if parts[-1] == "help" or key.startswith("print_"):
            return None
        part = parts[0]
        if key == "trainer" and value is not None and not value.lstrip().startswith("{") and not os.path.exists(value):
            option, _, number = value.partition("=")
            cure = f"--trainer.{option} {number}" if f"trainer.{option}" in self.known else "--trainer.OPTION VALUE"
            return f"--trainer takes a file or a mapping; {cure} sets one option."
        if part in PARTS and parts[1:] in ([], ["class_path"]):
            return self._class(part, value)
        if part in PARTS and part not in self.chosen:
            return self._too_early(part, f"--{key}", later) or f"{_classless(part, parts[1:2])}: --{part} CLASS."
        if part in PARTS and self.chosen[part] is None:
            return None
        if ".".join(parts) in self.known:
            return None
        return self._unknown(".".join(parts), f"--{key}")

    def _class(self, part: str, value: str | None) -> str | None:
        """Of `--model CLASS`."""
        if value is None or value.lstrip().startswith("{"):
            return None
        path = Path(value)
        if path.suffix in SUFFIXES and path.is_file():
            written = _written(value)
            return self._part(part, written.values, written, (), []) if written else None
        self.chosen[part] = find_class(value, PARTS[part])
        other = next(other for other in PARTS if other != part)
        if self.chosen[part] is None and find_class(value, PARTS[other]) is not None:
            return f"--{part} is {value}, which is a class for {other}: --{other} {value}."
        if self.chosen[part] is None and part == "data" and path.exists():
            return f"--data names a class; --data.{self._files()} {value} reads files."
        return None

    def _word(self, word: str, later: list[tuple[str, str | None]]) -> str | None:
        """Of what belongs to no option."""
        path = Path(word)
        if ("=" not in word and path.suffix in (".yaml", ".yml")) or (
            path.suffix == ".json" and path.is_file() and _written(word)
        ):
            return f"{word} belongs to no option: --config {word}."
        if path.is_dir() and (runs := [path, *sorted(path.glob("version_*"))])[-1].joinpath("config.yaml").is_file():
            return f"{word} belongs to no option: --config {runs[-1] / 'config.yaml'} takes the options of that run."
        key, given, value = word.strip("-—–+").partition("=")
        if key in self.known or (given and suggest(key, self.known)):
            found = [key] if key in self.known else suggest(key, self.known)
            if not given and later and not later[0][0]:
                value = str(later[0][1])
            return f"{word} belongs to no option{on_command_line([f'{found[0]} {value}'.strip()])}."
        if path.exists():
            return f"{word} belongs to no option: --data.{self._files()} {word} reads files."
        if find_class(word, PARTS["model"]):
            return f"{word} belongs to no option: --model {word}."
        if find_class(word, PARTS["data"]):
            return f"{word} belongs to no option: --data {word}."
        if word.startswith(("-", "—", "–")):
            near = on_command_line(suggest(key, self.known))
            return f"there is no option {word}{near}; {LIST}."
        return f"{word!r} belongs to no option; an option is written --key value (quotes around a value with blanks)."

    def _files(self) -> str:
        return {"test": "test_files", "predict": "predict_files", "validate": "validation_files"}.get(
            self.verb, "train_files"
        )

    # ------------------------------------------------------------------ configurations

    def _configuration(self, written: Written, later: list[tuple[str, str | None]]) -> str | None:
        for key, value in written.values.items():
            place = written.place((str(key),))
            path = str(key).split(".")
            if key in OWN_KEYS:
                return f"{place}: {key} stands at the top; it belongs below `model:` or `data:`."
            if path[0] in PARTS and len(path) > 1:
                return f"{place}: {key} is written {nested(key)} in a configuration."
            if key in VERBS and isinstance(value, dict) and {*PARTS, "trainer"} & {*value}:
                return (
                    f"{place}: the options stand below `{key}:`; they stand at the top of the file here, as "
                    f"{', '.join(f'`{inner}:`' for inner in list(value)[:3])}: take that line out and indent less."
                )
            if path[0] in PARTS and len(path) == 1:
                slip = self._part(path[0], value, written, (str(key),), later)
            else:
                slip = self._below(path, value, written, (str(key),))
            if slip is not None:
                return slip
        return None

    def _below(self, keys: list[str], value: Any, written: Written, path: tuple[str, ...]) -> str | None:
        """Of an option in a configuration, and of those below it."""
        key = ".".join(keys)
        if key not in self.known:
            return self._unknown(key, written.place(path))
        if key in LISTS:
            return self._entries(key, value, written, path)
        if isinstance(value, dict) and key in (*SECTIONS, "trainer"):
            for inner, below in value.items():
                if key == "data.tokenizer" and inner in OWN_KEYS:
                    continue
                if slip := self._below([*keys, str(inner)], below, written, (*path, str(inner))):
                    return slip
        return None

    def _entries(self, key: str, value: Any, written: Written, path: tuple[str, ...]) -> str | None:
        """Of callbacks and loggers."""
        for number, entry in enumerate(value if isinstance(value, list) else [value]):
            at = (*path, str(number)) if isinstance(value, list) else path
            if not isinstance(entry, dict):
                continue
            if wrong := unknown_option(entry, LISTS[key]):
                return f"{written.place((*at, 'init_args', wrong[0]))}: {wrong[1]}"
            outside = [str(inner) for inner in entry if inner not in OWN_KEYS]
            if not outside:
                continue
            where, name = written.place((*at, outside[0])), entry.get("class_path")
            if name is not None:
                return f"{where}: {_beside(outside[0])}"
            if "init_args" not in entry and outside[0][:1].isupper():
                return (
                    f"{where}: a class of {key} is written `class_path: {outside[0]}`, and its options stand below "
                    "`init_args:`."
                )
        return None

    def _part(
        self, part: str, value: Any, written: Written, path: tuple[str, ...], later: list[tuple[str, str | None]]
    ) -> str | None:
        """Of `model:` or `data:`."""
        if isinstance(value, str):
            self.chosen[part] = find_class(value, PARTS[part])
            if (
                self.chosen[part] is None
                and part == "data"
                and Path(value).suffix not in SUFFIXES
                and os.path.exists(value)
            ):
                inside = f"{{class_path: CLASS, init_args: {{{self._files()}: {value}}}}}"
                return f"{written.place(path)}: data names a class: `data: {inside}` reads files."
            return None
        if not isinstance(value, dict):
            return None
        if not isinstance(init := value.get("init_args", {}), dict | None):
            place = written.place((*path, "init_args"))
            return f"{place}: {part}.init_args is {init!r}; options, as `init_args: {{name: value}}`, would work."
        for key in value:
            meant = OTHER_KEYS.get(str(key).strip("_").lower())
            if meant and meant not in value and key not in OWN_KEYS and f"{part}.{key}" not in self.known:
                return f"{written.place((*path, str(key)))}: `{key}:` is written `{meant}:` here."
        options = value.get("init_args", {k: v for k, v in value.items() if k not in OWN_KEYS})
        options = options if isinstance(options, dict) else {}
        if isinstance(name := value.get("class_path"), str):
            self.chosen[part] = find_class(name, PARTS[part])
            other = next(other for other in PARTS if other != part)
            if self.chosen[part] is None and find_class(name, PARTS[other]) is not None:
                return f"{written.place((*path, 'class_path'))}: {name} is a class for `{other}:`, not for `{part}:`."
            if self.chosen[part] is None:
                return None
            if outside := [key for key in value if key not in OWN_KEYS]:
                return self._outside(part, str(outside[0]), written, path)
        elif part not in self.chosen:
            if not options:
                return None
            where = written.place(path)
            return self._too_early(part, where, later) or (
                f"{where}: {_classless(part, list(options))}: `{part}: {{class_path: CLASS, init_args: {{...}}}}`, "
                "here or in a configuration that is given before."
            )
        if self.chosen[part] is None:
            return None
        at = (*path, "init_args") if "init_args" in value else path
        for key, below in options.items():
            if slip := self._below([part, str(key)], below, written, (*at, str(key))):
                return slip
        return None

    def _outside(self, part: str, key: str, written: Written, path: tuple[str, ...]) -> str:
        """Of what stands beside `class_path`, not below `init_args`."""
        where = written.place((*path, key))
        if f"{part}.{key}" in self.known:
            return f"{where}: {_beside(key)}"
        if key in self.known:
            return f"{where}: {key} is no option of a class: `{key}:` stands at the top of the file."
        return self._unknown(f"{part}.{key}", where)

    # ------------------------------------------------------------------ what is said

    def _unknown(self, key: str, where: str) -> str:
        """Of an option that there is not: in a configuration, or (`where` begins with --) on the command line."""
        typed = where.startswith("--")
        found = suggest(key, self.known)
        near = on_command_line(found) if typed else in_yaml(found)
        part, _, leaf = key.partition(".")
        inside = "" if typed else f"{where}: "
        kind = self.chosen.get(part)
        if kind is None or ((section := key.rpartition(".")[0]) in SECTIONS and section in self.known):
            return f"{inside}there is no option {where if typed else key}{near}; {LIST}."
        option = leaf.partition(".")[0]
        others = known_classes([option], part)
        others = [] if f"{part}.{option}" in self.known else others
        whose = f" ({', '.join(others)} {'has' if len(others) == 1 else 'have'} it)" if 0 < len(others) < 5 else ""
        options = [known.partition(".")[2] for known in self.known.keys if re.fullmatch(rf"{part}\.[^.]+", known)]
        listed = "" if near else f"; there are: {', '.join(options)}"
        return f"{inside}{kind.__name__} has no option {option!r}{whose}{near}{listed}."

    def _too_early(self, part: str, where: str, later: list[tuple[str, str | None]]) -> str | None:
        """Of options of a class that something after them names."""
        for key, value in later:
            if key in (part, f"{part}.class_path"):
                return f"{where} comes before the class that it is an option of: give --{part} {value} before it."
            written = _written(value) if key == "config" and value is not None else None
            model = written.values.get(part) if written is not None else None
            if isinstance(model, str) or (isinstance(model, dict) and "class_path" in model):
                name = where.partition(":")[0]
                what = f"--config {name}" if not where.startswith("--") else where
                return (
                    f"{where} comes before the class that it is an option of ({value} names it): give {what} after "
                    f"--config {value}."
                )
        return None


def _beside(key: str) -> str:
    return (
        f"{key} stands beside `class_path:`; options of the class stand below `init_args:`, as "
        f"`{{class_path: ..., init_args: {{{key}: ...}}}}`."
    )


def _classless(part: str, options: Sequence[str]) -> str:
    """Of options of a part whose class nothing names."""
    fitting = ", ".join(known_classes(options, part))
    what = f"{part}.{options[0]}" if options else part
    which = f"; of {fitting}, name one" if fitting else "; name one"
    return f"{part} has no class_path, and nothing says which class {what} is an option of{which}"


def _written(config: str) -> Written | None:
    try:
        return read_written(config)
    except InputError:
        return None
