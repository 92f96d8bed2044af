"""A verb's own options: a dataclass declares them once, for the parser, for the help, and for what is said of slips.

The other options of a verb that trains are those of `fit`, which LightningCLI knows; they go there as they came.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import MISSING, Field, fields
from difflib import get_close_matches
from types import UnionType
from typing import Any, Literal, NoReturn, TypeVar, Union, get_args, get_origin, get_type_hints

from .usage_error import UsageError

Options = TypeVar("Options")
KINDS: dict[type[Any], str] = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
}
"""What would work, where a value is none of its type."""


class OptionsParser(argparse.ArgumentParser):
    """Raise what is wrong as a `UsageError`."""

    def error(self, message: str) -> NoReturn:
        """Raise the message without the name of argparse's argument.

        Raises:
            UsageError: always.
        """
        argument, _, said = message.removeprefix("argument ").partition(": ")
        if said == "expected one argument":
            said = f"{argument} needs a value: {argument} VALUE."
        raise UsageError(said if message.startswith("argument ") else f"{message}.")


def option_names(kind: type[Any]) -> list[str]:
    """Return the names of the options that a dataclass declares, without its positional arguments."""
    return [option_of(field) for field in fields(kind) if not is_positional(field)]


def option_of(field: Field[Any]) -> str:
    """Return what an option is called: as its field, or as `field(metadata={"option": "slurm.time"})` says."""
    return str(field.metadata.get("option", field.name))


def is_positional(field: Field[Any]) -> bool:
    """Return whether a field is told by its place on the command line: `field(metadata={"positional": True})`."""
    return bool(field.metadata.get("positional"))


def is_flag(field: Field[Any]) -> bool:
    """Return whether a field is true where its option stands, without a value: `field(metadata={"flag": True})`."""
    return bool(field.metadata.get("flag"))


def options_parser(kind: type[Any], describe: bool = False) -> OptionsParser:
    """Return the parser of the options that a dataclass declares.

    Args:
        kind: a dataclass; its fields are of int, float, bool, str, a `Literal`, or one of these and None; a positional
            one may be a list, of one value or more.
        describe: whether the parser is asked for help: docstrings are read then, and not otherwise.
    """
    parser = OptionsParser(add_help=False, allow_abbrev=False)
    texts, types = _descriptions(kind) if describe else {}, get_type_hints(kind)
    for field in fields(kind):
        typed, default = types[field.name], None if field.default is MISSING else field.default
        told = texts.get(field.name, "").replace("%", "%%")
        if is_positional(field):
            nargs = "+" if get_origin(typed) is list else None if field.default is MISSING else "?"
            metavar = field.metadata.get("metavar", field.name.upper())
            parser.add_argument(field.name, nargs=nargs, default=default, metavar=metavar, help=told)
        else:
            option, choices = f"--{option_of(field)}", _choices(typed)
            if is_flag(field):
                names = dict.fromkeys([f"--{field.name.replace('_', '-')}", option])
                parser.add_argument(*names, action="store_true", help=told)
                continue
            metavar = f"{{{','.join(choices)}}}" if choices else field.name.rpartition("_")[2].upper()
            start = default if field.default_factory is MISSING else field.default_factory()
            shown = "" if start in (None, {}, []) else f", default: {str(start).replace('%', '%%')}"
            parser.add_argument(
                option,
                dest=field.name,
                type=_reader(option, typed),
                default=default,
                metavar=field.metadata.get("metavar", metavar),
                help=f"{told} (type: {_type_name(typed)}{shown})".strip(),
            )
    return parser


def read_options(kind: type[Options], args: Sequence[str]) -> tuple[Options, list[str]]:
    """Return the options that a dataclass declares, and the other arguments as they came.

    Args:
        kind: the dataclass; what its `__post_init__` refuses is refused.
        args: what stands after the verb.

    Raises:
        UsageError: if a value is wrong.
    """
    read, others = options_parser(kind).parse_known_args(list(args))
    return kind(**vars(read)), others


def read_all_options(kind: type[Options], args: Sequence[str]) -> Options:
    """Return the options of a verb that has no others.

    Args:
        kind: the dataclass that declares them.
        args: what stands after the verb.

    Raises:
        UsageError: if a value is wrong, or there is no such option.
    """
    parser = options_parser(kind)
    read, others = parser.parse_known_args(list(args))
    if others:
        names = [f"--{name}" for name in option_names(kind)]
        word = others[0].partition("=")[0]
        close = get_close_matches(word, names, n=1)
        near = f" (did you mean {close[0]}?)" if close else ""
        what = f"there is no option {word}{near}" if word.startswith("-") else f"{word!r} belongs to no option"
        raise UsageError(f"{what}; the options are: {', '.join(names)}.")
    return kind(**vars(read))


def _reader(option: str, typed: Any) -> Callable[[str], Any]:
    """Return the function that reads a value of a type, or says what would work."""
    kinds = [kind for kind in _members(typed) if kind is not type(None)]

    def read(text: str) -> Any:
        if text == "null" and type(None) in _members(typed):
            return None
        for kind in kinds:
            try:
                return _read(text, kind)
            except ValueError:
                continue
        works = " or ".join(_works(kind) for kind in kinds)
        raise argparse.ArgumentTypeError(f"{option} is {text!r}; {works} would work.")

    return read


def _read(text: str, kind: Any) -> Any:
    """Return a text as a value of a type.

    Raises:
        ValueError: if it is none.
    """
    if get_origin(kind) is Literal:
        return get_args(kind)[get_args(kind).index(text)]
    if kind is bool:
        return ("false", "true").index(text.lower()) == 1
    if kind is int and not (text.isascii() and text.isdecimal()):
        raise ValueError(text)
    return kind(text)


def _works(kind: Any) -> str:
    return ", ".join(get_args(kind)) if get_origin(kind) is Literal else KINDS.get(kind, "a text")


def _choices(typed: Any) -> list[str]:
    """Return all that an option can be, where that is a few words."""
    return ["true", "false"] if typed is bool else list(get_args(typed)) if get_origin(typed) is Literal else []


def _members(typed: Any) -> tuple[Any, ...]:
    return get_args(typed) if get_origin(typed) in (Union, UnionType) else (typed,)


def _type_name(typed: Any) -> str:
    names = {type(None): "null", Literal: "str"}
    kinds = [get_origin(kind) or kind for kind in _members(typed)]
    return " | ".join(names.get(kind) or kind.__name__ for kind in kinds)


def _descriptions(kind: type[Any]) -> dict[str, str]:
    """Return what the docstring says of each option."""
    from docstring_parser import parse

    told = {param.arg_name: " ".join((param.description or "").split()) for param in parse(kind.__doc__ or "").params}
    return {name: text[:1].upper() + text[1:] for name, text in told.items()}
