"""One command: its verb is looked up in one table, and what it needs is imported then."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any, NoReturn

from ..errors import InputError, input_error
from ..text.visible import visible
from .help_text import asks_for_help, verb_help
from .launch import is_launched
from .process import prepare_process, quick_imports
from .verbs import VERBS, with_known_verb


def run_command(args: Sequence[str], alone: bool = False) -> Any:
    """Run a command.

    Args:
        args: the verb and its arguments.
        alone: whether the process has nothing else to do.

    Returns:
        What the verb returns: the command line object, with `trainer`, `model` and `datamodule`, or results.

    Raises:
        InputError: for whatever the user can mend; a `UsageError` where the parser says what is wrong.
    """
    words = with_known_verb(args)
    verb = VERBS.get(words[0])
    helps = verb is not None and asks_for_help(words)
    if verb is not None and verb.light:
        return _print_help(words[0]) if helps else verb.load()(words[1:])
    from .pipes import without_pipes  # and YAML with it, which `--help` and `compare` do without

    if (read := without_pipes(words)) != words:
        words = read
        if alone:  # what a strategy launches reads these, and has no such pipe
            sys.argv[1:] = words
    _check(words)
    if alone:
        from .own_code import see_own_code

        prepare_process()
        see_own_code(words)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    with quick_imports() if alone else nullcontext():
        from lightning.fabric.utilities.exceptions import MisconfigurationException

        from .. import datamodules, modules  # noqa: F401  so that bare class names work in YAML
        from .commands.trainer import print_help, run_trainer
        from .quiet import quiet

        function = verb.load() if verb is not None else run_trainer
    try:
        with quiet():
            if verb is None:
                return function(words)
            if helps:
                return print_help(words) if verb.shared else _print_help(words[0])
            return function(words[1:])
    except MisconfigurationException as error:
        raise input_error(error) or InputError(str(error)) from error


def _print_help(name: str) -> NoReturn:
    """Print the help of a verb that has no options but its own, and exit."""
    print(verb_help(name), end="")
    sys.exit(0)


def _check(words: Sequence[str]) -> None:
    """Look at what is written before anything heavy is imported."""
    from .arguments import check_letters, check_once
    from .mistakes.overlays import undone
    from .mistakes.written import check_configurations

    check_letters(words)
    check_once(words)
    check_configurations(words)
    for said in undone(words) if not is_launched() else ():
        print(f"Note: {visible(said)}", file=sys.stderr)
