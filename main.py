"""The command line of pretune: `python main.py VERB --config FILE [--config OVERLAY ...] [--key value ...]`."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from typing import Any

from pretune.cli.help_text import program
from pretune.cli.launch import is_launched
from pretune.cli.run_command import run_command
from pretune.cli.stop_signals import Interrupted, handling_signals
from pretune.cli.usage_error import UsageError
from pretune.cli.verbs import VERBS, running
from pretune.errors import input_error
from pretune.storage.disk import REFUSED, disk_full
from pretune.text.visible import visible

HELP = """usage: {program} VERB --config FILE [--config OVERLAY ...] [--key value ...]

{verbs}

VERB --help begins with an example, VERB --help all lists every option, fit --model.help CLASS and --data.help CLASS
those of a class.
Configurations to begin with: configs/quickstart, configs/pretrain, configs/finetune; overlays: configs/backbones,
configs/trainers, configs/recipes (--recipe few_labels)."""


def main(args: Sequence[str] | None = None) -> Any:
    """Run one command.

    Args:
        args: what stands after `main.py`; null takes the process's own arguments.

    Returns:
        The command line object, with `trainer`, `model` and `datamodule`; of `suite`, its results. Nothing to a
        process that was started for the command: what its main function returns would become its exit code.

    Raises:
        SystemExit: with a message and a code that is not 0, for whatever the user can mend (2 where the parser refuses
            it); with 128 and a signal's number where one ended the command.
    """
    words = list(sys.argv[1:] if args is None else args)
    if args is None and isinstance(sys.stdout, io.TextIOWrapper):  # where a terminal lacks letters, their codes
        sys.stdout.reconfigure(errors="backslashreplace")
    if words in ([], ["-h"], ["--help"]):
        lines = [f"  {name:<11}{verb.says}" for name, verb in VERBS.items()]
        print(HELP.format(program=program(), verbs="\n".join(lines)))
        sys.exit(0 if words else 2)
    try:
        with handling_signals():
            done = run_command(words, alone=args is None)
        return None if args is None else done
    except Interrupted as stop:
        if not is_launched():
            stop.tell()
        raise
    except Exception as error:
        mendable = input_error(error) if isinstance(error, ValueError) else None
        if (message := str(mendable) if mendable else _of_the_disk(error)) is None:
            raise
        message = f"error: {visible(message)}"
        if not isinstance(mendable, UsageError):
            sys.exit(message)
        print(message, file=sys.stderr)
        sys.exit(2)
    finally:
        running.set("")


def _of_the_disk(error: Exception) -> str | None:
    """Return what to say of a disk that is full or cannot be written; None for another error."""
    if (full := disk_full(error)) is not None:
        return f"{full}. Make room, then the same command."
    refused = isinstance(error, OSError) and error.errno in REFUSED
    return str(error) if refused or str(error).startswith("The checkpoint") else None


if __name__ == "__main__":
    main()
