"""The command line's own errors: one message that says what is wrong and what would work."""

from __future__ import annotations

import argparse
import dataclasses
import inspect
import json
import re
import sys
from collections.abc import Iterator
from difflib import get_close_matches
from importlib import import_module
from itertools import pairwise
from typing import Any, NoReturn

from jsonargparse import Namespace
from lightning.pytorch import LightningDataModule, LightningModule
from lightning.pytorch.cli import LightningArgumentParser

from ..visible import visible
from .backbone import Backbone
from .own_code import why_not

BASES = {"OptimizedModule", "BaseModule", "BaseDataModule", "LabelledModule", "LabelledDataModule", "GeneratingModule"}
"""What messages do not propose."""


class HelpfulParser(LightningArgumentParser):
    """Boils the parser's nested messages down, and proposes the nearest key or class that exists.

    An option is written out: a part of its name, which argparse would take for it, is refused as what is not there.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{"allow_abbrev": False, **options})

    def parse_args(self, args: Any = None, *more: Any, **options: Any) -> Any:
        """Lets `--model.backbone.dropout 0.2` add to a backbone that a config gives as a mere name.

        The name would be lost: an option of a fresh `Backbone` replaces it.
        """
        args = list(sys.argv[1:] if args is None else args)
        at = next((i for i, arg in enumerate(args) if re.match(r"--model\.(init_args\.)?backbone\.", arg)), None)
        if at is not None:
            before = super().parse_args(args[:at])
            model = before.get(f"{before.get('subcommand')}.model")
            name = model.init_args.get("backbone") if model is not None else None
            if isinstance(name, str):
                args[at:at] = ["--model.backbone", json.dumps({"name": name})]
        return super().parse_args(args, *more, **options)

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Prints one message and exits with 2; raises where a value is only tried, as of one type among several."""
        if not self.exit_on_error:
            super().error(message, ex)
        print(f"error: {visible(explain(message, self))}", file=sys.stderr)
        sys.exit(2)


def as_plain(value: Any) -> Any:
    """Namespaces to dictionaries, as YAML has them."""
    if isinstance(value, list):
        return [as_plain(entry) for entry in value]
    return value.as_dict() if isinstance(value, Namespace) else value


def explain(message: str, parser: argparse.ArgumentParser) -> str:
    """What a parser's message comes to."""
    if why := why_not(message):
        return why
    if found := re.search(
        r"Expected a dot import path string: (\S+)|unresolvable import path[^:]*: (\S+)", message, re.I
    ):
        name = (found[1] or found[2]).strip("'\".")
        classes = sorted(c.__name__ for base in (LightningModule, LightningDataModule) for c in _classes(base))
        return f"there is no class {name!r}{_nearest(name, classes)}; there are: {', '.join(classes)}."
    patterns = r"Option '(\S+)' is not accepted|not accept option '(\S+)'|unrecognized arguments: (?:--)?([^\s=]+)"
    if found := re.search(patterns, message):
        key = next(group for group in found.groups() if group)
        if within := re.search(rf"given class_path '(\S+)':\s+Option '{re.escape(key)}'", message):
            options = _options(within[1])
            if near := _nearest(key, options):
                return f"{within[1].rpartition('.')[2]} has no option {key!r}{near}; there are: {', '.join(options)}."
        known = sorted(set(_keys(parser)))
        last = sorted({name.rpartition(".")[2] for name in known})
        near = (_nearest(key, known) if "." in key else "") or _nearest(key.rpartition(".")[2], last)
        return f"there is no option {key!r}{near}; --help, --model.help CLASS and --data.help CLASS list them all."
    if found := re.search(r"invalid choice: '(\S+)' \(choose from ([^)]*)\)", message):
        choices = re.findall(r"[\w-]+", found[2])
        return f"there is no command {found[1]!r}{_nearest(found[1], choices)}; there are: {', '.join(choices)}."
    if found := re.search(r"expects a function or a callable class: (.*)\n(?:.*\n)*.*Given value: (.*)", message):
        name, value = message.partition(":")[0].removeprefix("Parser key ").strip('"'), found[2]
        if nested := re.search(r"NestedArg\(key='(.*?)', val='?(.*?)'?\)", value):
            name, value = f"{name}.{nested[1]}", nested[2]
        return (
            f"{name}: there is no function {value!r} ({found[1].rstrip('.')}); the import path of one would work, "
            "such as my_package.my_function, with my_package in the working folder or installed."
        )
    if "are required:" in message and message.rstrip().endswith(".model"):
        return "nothing says what to train: give --config FILE, or --model CLASS with its options."
    if "Problems parsing config" in message:
        return "the configuration is not YAML: " + " ".join(message.partition(":")[2].split())
    if found_value := wrong_value(message):
        return found_value
    return re.sub(r'^Parser key "([^"]+)":\s*', r"\1: ", message.strip())


KINDS = {
    "int": "a whole number", "float": "a number", "str": "a text", "bool": "true or false", "dict": "a mapping",
    "list": "a list", "NoneType": "null",
}  # fmt: skip


def wrong_value(message: str) -> str | None:
    """What a message over a value of the wrong type comes to; None where it is about something else.

    The parser says what it expected at each level, for each type that there could have been: what counts is what it
    says of the innermost key.
    """
    message = message.strip()
    keys = list(re.finditer(r'(?m)^( *)(?:- )?Parser key "([^"]+)"', message))
    indents = [len(key[1]) for key in keys]
    if any(inner <= outer for outer, inner in pairwise(indents)):
        return None  # several ways to read it, each wrong in its own way
    path = [] if message.startswith("Parser key") else [message.partition(":")[0]]
    inner = [line for line in message[keys[-1].end() if keys else 0 :].splitlines()[bool(keys) :] if line]
    if keys:  # up to where that key ends
        ends = (i for i, line in enumerate(inner) if len(line) - len(line.lstrip()) <= indents[-1])
        inner = inner[: next(ends, len(inner))]
    region = "\n".join(inner) if keys else message
    expected = list(dict.fromkeys(re.findall(r"Expected a (.+?)(?:\. Got value: .*)?$", region, re.M)))
    value = re.search(r"(?:Got|Given) value: (.*)", region)
    if not expected or value is None or "\n" in value[1] or "Problem with" in region:
        return None
    names = [found[1].rpartition(".")[2] if (found := re.fullmatch(r"<class '(.*)'>", e)) else e for e in expected]
    options = [option for name in names for option in _choices(name)]
    shown = " or ".join([", ".join(options[:-1]), options[-1]] if len(options) > 1 else options)
    nested = re.fullmatch(r"NestedArg\(key='(.*?)', val='?(.*?)'?\)", value[1])
    if nested and not keys:
        path.append(nested[1])
    where = ".".join([*path, *(key[2] for key in keys)])
    return f"{where} is {nested[2] if nested else value[1]!r}; {shown} would work."


def _choices(kind: str) -> list[str]:
    """What a type stands for, in words."""
    literal = re.fullmatch(r"typing\.Literal\[(.*)\]", kind)
    return literal[1].replace("'", "").split(", ") if literal else [KINDS.get(kind, kind)]


def _keys(parser: argparse.ArgumentParser) -> Iterator[str]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for child in (getattr(action, "_name_parser_map", None) or {}).values():
                yield from _keys(child)
        elif action.dest != argparse.SUPPRESS:
            yield action.dest
    for prefix, base in (("model.", LightningModule), ("data.", LightningDataModule)):
        for kind in _classes(base):
            for ancestor in inspect.getmro(kind):
                if ancestor.__module__.startswith("pretune."):
                    yield from (prefix + name for name in inspect.signature(ancestor).parameters)
    yield from (f"model.backbone.{field.name}" for field in dataclasses.fields(Backbone))
    yield from (
        "early_stopping.patience",
        "early_stopping.min_delta",
        "checkpoint.every_n_minutes",
        "pace.min_steps",
        "pace.validate_every",
        "data.tokenizer.train",
    )


def _classes(base: type[Any]) -> Iterator[type[Any]]:
    for kind in base.__subclasses__():
        if kind.__module__.startswith("pretune.") and kind.__name__ not in BASES:
            yield kind
        yield from _classes(kind)


def _options(path: str) -> list[str]:
    """The options of a class, given by its import path, and of the classes that it passes others on to."""
    module, _, name = path.rpartition(".")
    given = [
        option
        for ancestor in inspect.getmro(getattr(import_module(module), name))
        if ancestor.__module__.startswith(("pretune.", "lightning."))
        for option in inspect.signature(ancestor).parameters.values()
        if option.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
    ]
    return list(dict.fromkeys(option.name for option in given))


def _nearest(word: str, known: list[str]) -> str:
    close = get_close_matches(word, known, n=2)
    return f" (did you mean {' or '.join(close)}?)" if close else ""
