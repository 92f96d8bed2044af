"""The command line's own errors: one message that says what is wrong and what would work."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Sequence
from contextlib import chdir
from importlib import import_module
from itertools import pairwise
from typing import Any, NoReturn

from jsonargparse import Namespace
from lightning.pytorch.cli import LightningArgumentParser

from .mistakes.class_names import nearest, unknown_class
from .mistakes.known_options import SECTIONS, example, options_of
from .mistakes.quoting import quotes_for
from .mistakes.slips import find_slip
from .own_code import why_not
from .parser_help import HelpAction, NarrowFormatter, arrange_help
from .usage_error import UsageError


class HelpfulParser(LightningArgumentParser):
    """Boils the parser's nested messages down, and proposes the nearest key or class that exists.

    An option is written out: a part of its name, which argparse would take for it, is refused as what is not there.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        helps = options.pop("add_help", True)
        fixed: dict[str, Any] = {"allow_abbrev": False, "formatter_class": NarrowFormatter, "add_help": False}
        super().__init__(*args, **fixed | options)
        if helps:
            self.add_argument("-h", "--help", action=HelpAction, help="Show this help and exit; all: every option.")

    verb = ""
    """Whose options these are; empty where they are those of all verbs, or of a class."""
    shows_everything = False

    words: Sequence[str] = ()
    """The arguments that are parsed."""
    folder = "."
    """Where they were words: the parser goes to a configuration's folder to read it."""

    def parse_args(self, args: Any = None, *more: Any, **options: Any) -> Any:
        """Let `--model.backbone.dropout 0.2` add to a backbone that a config gives as a mere name.

        The name would be lost: an option of a fresh `Backbone` replaces it.
        """
        self.words = args = list(sys.argv[1:] if args is None else args)
        self.folder = os.getcwd()
        at = next((i for i, arg in enumerate(args) if re.match(r"--model\.(init_args\.)?backbone\.", arg)), None)
        if at is not None:
            before = super().parse_args(args[:at])
            model = before.get(f"{before.get('subcommand')}.model")
            name = model.init_args.get("backbone") if model is not None else None
            if isinstance(name, str):
                args[at:at] = ["--model.backbone", json.dumps({"name": name})]
        return super().parse_args(args, *more, **options)

    def format_help(self, *formatter: Any) -> str:
        """Return the help of a verb in its useful order, or that of a class."""
        if self.verb:
            arrange_help(self, self.verb, self.shows_everything)
        return super().format_help(*formatter)

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Refuse what was parsed, in one message; as argparse does it where a value is only tried, of one type of many.

        Raises:
            UsageError: with what is wrong, and what would work.
        """
        if not self.exit_on_error:
            super().error(message, ex)
        root: Any = self
        while (above := getattr(root, "parent_parser", None)) is not None:
            root = above
        with chdir(root.folder):
            slip = find_slip(root.words, root)
        raise UsageError(slip or explain(message)) from ex


def as_plain(value: Any) -> Any:
    """Return a namespace as a dictionary, as YAML has it; anything else as it is."""
    if isinstance(value, list):
        return [as_plain(entry) for entry in value]
    return value.as_dict() if isinstance(value, Namespace) else value


def explain(message: str) -> str:
    """Return what a parser's message comes to."""
    if why := why_not(message):
        where = option_of(message)
        return f"{where}: {why}" if where else why
    if match := re.search(
        r"Expected a dot import path string: (\S+)|unresolvable import path[^:]*: (\S+)", message, re.I
    ):
        name = (match[1] or match[2]).strip("'\".")
        return unknown_class(name, option_of(message))
    patterns = r"Option '(\S+)' is not accepted|not accept option '(\S+)'|unrecognized arguments: (?:--)?([^\s=]+)"
    if match := re.search(patterns, message):
        key = next(group for group in match.groups() if group)
        if within := re.search(rf"given class_path '(\S+)':\s+Option '{re.escape(key)}'", message):
            place, _, name = within[1].rpartition(".")
            options = options_of(getattr(import_module(place), name))
            return f"{name} has no option {key!r}{nearest(key, options)}; there are: {', '.join(options)}."
        return f"there is no option {key!r}; --help all, --model.help CLASS and --data.help CLASS list them."
    if match := re.search(r"invalid choice: '(\S+)' \(choose from ([^)]*)\)", message):
        choices = re.findall(r"[\w-]+", match[2])
        return f"there is no command {match[1]!r}{nearest(match[1], choices)}; there are: {', '.join(choices)}."
    if match := re.search(r"expects a function or a callable class: (.*)\n(?:.*\n)*.*Given value: (.*)", message):
        name, value = message.partition(":")[0].removeprefix("Parser key ").strip('"'), match[2]
        if nested := re.search(r"NestedArg\(key='(.*?)', val='?(.*?)'?\)", value):
            name, value = f"{name}.{nested[1]}", nested[2]
        return (
            f"{name}: there is no function {value!r} ({match[1].rstrip('.')}); the import path of one would work, "
            "such as my_package.my_function, with my_package in the working folder or installed."
        )
    if "are required:" in message and message.rstrip().endswith(".model"):
        return "nothing says what to train: give --config FILE, or --model CLASS with its options."
    if "Problems parsing config" in message:
        return "the configuration is not YAML: " + " ".join(message.partition(":")[2].split())
    if ambiguous := re.search(
        r"Multiple subclasses with name (\w+)\. Give the full class path[^:]*: (.*?)\.?$", message, re.M
    ):
        paths = " or ".join(ambiguous[2].split(", "))
        return f"{option_of(message)}: there are several classes {ambiguous[1]}; {paths} would work."
    if re.search("Unable to load config ['\"]null['\"]", message) and (group := option_of(message).rpartition(".")[2]):
        return f"{group} is null, which is no value of it; --{group}.OPTION VALUE sets one of its options."
    if found_value := wrong_value(message):
        return found_value
    return shortened(message)


def option_of(message: str) -> str:
    """Return the full key of what a message is about; empty where it names none."""
    keys = re.findall(r'(?m)^ *(?:- )?Parser key "([^"]+)"', message)
    if not message.lstrip().startswith("Parser key") and (first := re.match(r"\s*([\w.]+):(?:\s|$)", message)):
        keys.insert(0, first[1])
    path = ".".join(keys)
    nested = re.search(r"NestedArg\(key='(.*?)'", message)
    return f"{path}.{nested[1]}" if nested and len(keys) == 1 else path


LONGEST = 300


def shortened(message: str) -> str:
    """Return a message that nothing here knows, without what the parser says of other types and of its own insides."""
    message = re.sub(r'^Parser key "([^"]+)":\s*', r"\1: ", message.strip())
    if needs := re.search(r"given class_path '(?:\S*\.)?(\w+)':\s+the following arguments are required: (.*)", message):
        where = option_of(message)
        options = " ".join(f"--{where}.{name.strip()} ..." for name in needs[2].split(","))
        return f"{where}: {needs[1]} needs {needs[2]}: {options}"
    if single := re.fullmatch(r"argument (?:-\w/)?(--\S+): expected one argument", message):
        return f"{single[1]} needs a value: {single[1]} VALUE."
    lines = [
        line.strip() for line in message.splitlines() if not re.match(r"\s*(Given value|Subtypes:|Errors:$)", line)
    ]
    told = " ".join(line for line in lines if line)
    return told if len(told) <= LONGEST else f"{told[:LONGEST]} ..."


KINDS = {
    "int": "a whole number", "float": "a number", "str": "a text", "bool": "true or false", "dict": "a mapping",
    "list": "a list", "NoneType": "null",
}  # fmt: skip


def wrong_value(message: str) -> str | None:
    """Return what a message over a value of the wrong type comes to; None where it is about something else.

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
    expected = [kind for kind in expected if not kind.startswith("path but ")]
    value = re.search(r"(?:Got|Given) value: (.*)", region)
    if not expected or value is None or "\n" in value[1] or "Problem with" in region:
        return None
    names = [match[1].rpartition(".")[2] if (match := re.fullmatch(r"<class '(.*)'>", e)) else e for e in expected]
    options = [option for name in names for option in _choices(name)]
    shown = " or ".join([", ".join(options[:-1]), options[-1]] if len(options) > 1 else options)
    nested = re.fullmatch(r"NestedArg\(key='(.*?)', val='?(.*?)'?\)", value[1])
    if nested and not keys:
        path.append(nested[1])
    where = ".".join([*path, *(key[2] for key in keys)])
    if where in SECTIONS and shown == "null":
        shown = f"{example(where)}, or null"
    told = nested[2] if nested else value[1]
    if "a text" in options and (cure := quotes_for(where, told)):
        return cure
    return f"{where} is {told!r}; {shown} would work."


def _choices(kind: str) -> list[str]:
    """Return what a type stands for, in words."""
    literal = re.fullmatch(r"typing\.Literal\[(.*)\]", kind)
    return literal[1].replace("'", "").split(", ") if literal else [KINDS.get(kind, kind)]
