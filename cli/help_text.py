"""What `VERB --help` says: a synopsis with an example, then the options, those of the verb's own first."""

from __future__ import annotations

import argparse
import inspect
import re
import shutil
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

from .verb_options import options_parser
from .verbs import VERBS

WIDEST = 80


def asks_for_help(args: Sequence[str]) -> bool:
    """Return whether a command asks for its help."""
    return bool({"-h", "--help", "--help=all"} & set(args))


def width() -> int:
    """Return how many columns a help text may have."""
    return min(WIDEST, shutil.get_terminal_size((WIDEST, 24)).columns)


def program() -> str:
    """Return what the user typed before the verb."""
    return "pretune" if Path(sys.argv[0]).name == "pretune" else "python main.py"


def usage(name: str) -> str:
    """Return how a verb is written, in a line."""
    return f"{program()} {name} {VERBS[name].usage}"


def synopsis(name: str) -> str:
    """Return what a verb does, in a sentence, and an example of it.

    Args:
        name: of the verb.
    """
    verb = VERBS[name]
    says = textwrap.fill(f"{verb.says[0].upper()}{verb.says[1:]}.", width())
    lines = [f"  {program()} {name}"]
    for option in re.split(r" (?=--)", verb.example):
        if len(lines[-1]) + len(option) + len("  \\") > width():
            lines.append("     ")
        lines[-1] += f" {option}"
    return f"{says}\n\nexample:\n" + " \\\n".join(lines)


def details(name: str) -> str:
    """Return what the docstring of a verb's function adds to its line; empty where it adds nothing."""
    told = inspect.cleandoc(VERBS[name].load().__doc__ or "").partition("\n\nArgs:")[0].partition("\n\nReturns:")[0]
    paragraphs = told.partition("\n\n")[2].split("\n\n")
    return "\n\n".join(textwrap.fill(" ".join(text.split()), width()) for text in paragraphs if text)


def own_options(name: str) -> str:
    """Return the section of a verb's own options; empty where it declares none."""
    kind = VERBS[name].load_options()
    if kind is None:
        return ""
    formatter = argparse.HelpFormatter(prog="", width=width())
    formatter.start_section(f"options of {name}")
    formatter.add_arguments(options_parser(kind, describe=True)._actions)
    formatter.end_section()
    return formatter.format_help().strip()


def description(name: str) -> str:
    """Return what follows the usage of a verb: its synopsis, how it works, and its own options."""
    return "\n\n".join(part for part in (synopsis(name), details(name), own_options(name)) if part)


def verb_help(name: str) -> str:
    """Return the help of a verb that has no options but its own."""
    return f"usage: {usage(name)}\n\n{description(name)}\n"
