"""The command line of pretune: `python main.py VERB --config FILE [--config OVERLAY ...] [--key value ...]`."""

from __future__ import annotations

import errno
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pretune.cli.launch import is_launched
from pretune.cli.run_command import run_command
from pretune.cli.stop_signals import Interrupted, handling_signals
from pretune.cli.verbs import VERBS, running
from pretune.errors import input_error
from pretune.text.visible import visible

PATH_ERRORS = {errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EDQUOT, errno.EPERM}

HELP = """usage: {program} VERB --config FILE [--config OVERLAY ...] [--key value ...]

{verbs}

VERB --help lists the options, fit --model.help CLASS and --data.help CLASS those of a class.
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
        SystemExit: with a message and a code that is not 0, for whatever the user can mend; with 128 and a signal's
            number where one ended the command.
    """
    given = list(sys.argv[1:] if args is None else args)
    if given in ([], ["-h"], ["--help"]):
        program = "pretune" if Path(sys.argv[0]).name == "pretune" else "python main.py"
        print(HELP.format(program=program, verbs="\n".join(f"  {name:<11}{verb.says}" for name, verb in VERBS.items())))
        sys.exit(0 if given else 2)
    try:
        with handling_signals():
            done = run_command(given, alone=args is None)
        return None if args is None else done
    except Interrupted as stop:
        if not is_launched():
            stop.tell()
        raise
    except ValueError as error:
        found = input_error(error)
        if found is None:
            raise
        sys.exit(f"error: {visible(str(found))}")
    except OSError as error:
        if error.errno not in PATH_ERRORS and not str(error).startswith("The checkpoint"):
            raise
        sys.exit(f"error: {visible(str(error))}")
    finally:
        running.set("")


if __name__ == "__main__":
    main()
