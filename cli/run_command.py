"""One command: its verb is looked up in one table, and what it needs is imported then."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

from ..errors import InputError, input_error
from ..text.visible import visible
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
        InputError: for whatever the user can mend.
        SystemExit: where the parser has said what is wrong, or a part of the work failed.
    """
    given = with_known_verb(args)
    verb = VERBS.get(given[0])
    if verb is not None and verb.light:
        return verb.load()(given[1:])
    from .pipes import without_pipes  # and YAML with it, which `--help` and `compare` do without

    if (read := without_pipes(given)) != given:
        given = read
        if alone:  # what a strategy launches reads these, and has no such pipe
            sys.argv[1:] = given
    _check(given)
    if alone:
        from .own_code import see_own_code

        prepare_process()
        see_own_code(given)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    with quick_imports() if alone else nullcontext():
        from lightning.fabric.utilities.exceptions import MisconfigurationException

        from .. import datamodules, modules  # noqa: F401  so that bare class names work in YAML
        from .commands.trainer import run_trainer
        from .quiet import quiet

        function = verb.load() if verb is not None else None
    try:
        with quiet():
            return function(given[1:]) if function is not None else run_trainer(given)
    except MisconfigurationException as error:
        raise input_error(error) or InputError(str(error)) from error


def _check(given: Sequence[str]) -> None:
    """Look at what is written before anything heavy is imported."""
    from .arguments import check_once
    from .mistakes.overlays import undone
    from .mistakes.written import check_configurations

    check_once(given)
    check_configurations(given)
    for said in undone(given) if not is_launched() else ():
        print(f"Note: {visible(said)}", file=sys.stderr)
