"""The command line of pretune: `python main.py VERB --config FILE [--config OVERLAY ...] [--key value ...]`."""

from __future__ import annotations

import errno
import os
import sys
import warnings
from collections.abc import Sequence
from contextlib import nullcontext
from itertools import pairwise
from pathlib import Path
from typing import Any

from pretune.cli.launch import is_launched
from pretune.cli.process import prepare_process
from pretune.cli.startup import quick_imports
from pretune.cli.stop_signals import Interrupted, handling_signals
from pretune.cli.verbs import running, with_known_verb
from pretune.errors import InputError, input_error
from pretune.text.visible import visible

PATH_ERRORS = {errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EDQUOT, errno.EPERM}

HELP = """usage: python main.py VERB --config FILE [--config OVERLAY ...] [--key value ...]

  fit        trains; keeps, exports and reports the best weights; several seeds: --seeds 1,2,3
  validate   scores a run, or weights, on the validation part
  test       the same on the test part
  predict    writes predictions for files or texts
  tune       finds a learning rate and other options on validation, and writes them as an overlay
  suite      tasks x seeds in one command, with one table at the end
  compare    says whether one run is really better than another: compare RUN_A RUN_B
  estimate   says what a training would need: parameters, FLOPs, memory, time, before anything is allocated
  benchmark  measures how fast a configuration trains, and what limits it

VERB --help lists the options, fit --model.help CLASS and --data.help CLASS those of a class.
Configurations to begin with: configs/quickstart, configs/pretrain, configs/finetune; overlays: configs/backbones,
configs/trainers, configs/recipes (--recipe few_labels)."""


def main(args: Sequence[str] | None = None) -> Any:
    """Runs one command.

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
        print(HELP.replace("python main.py", "pretune", 1) if Path(sys.argv[0]).name == "pretune" else HELP)
        sys.exit(0 if given else 2)
    try:
        with handling_signals():
            done = run(with_known_verb(given), alone=args is None)
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


def see_own_code(given: list[str]) -> None:
    """Lets YAML name classes of files in the working folder and beside the YAML, as `class_path: mine.Mine`.

    They come last, so that a file of the user's cannot stand in for a library. The folder of this file, which Python
    puts first when it runs as a script, goes: what is in it is the package `pretune`, and `modules` or `runs` are
    names that a user may well use.

    Args:
        given: the verb and its arguments.
    """
    here = Path(__file__).resolve().parent
    sys.path[:] = [entry for entry in sys.path if not entry or Path(entry).resolve() != here]
    files = [after for option, after in pairwise(given) if option in ("--config", "-c")]
    files += [argument.partition("=")[2] for argument in given if argument.startswith("--config=")]
    for folder in [Path.cwd(), *(Path(file).resolve().parent for file in files if os.path.isfile(file))]:
        if str(folder) not in sys.path:
            sys.path.append(str(folder))


def run(given: list[str], alone: bool) -> Any:
    """Imports what a verb needs, which takes longer than many a verb, and runs it.

    Args:
        given: the verb and its arguments.
        alone: whether the process has nothing else to do.

    Raises:
        InputError: for whatever the user can mend.
    """
    if given[:1] == ["compare"]:  # needs no torch
        from pretune.cli.commands.compare import run_compare

        return run_compare(given[1:])
    from pretune.cli.arguments import check_once
    from pretune.cli.mistakes.overlays import undone
    from pretune.cli.mistakes.written import check_configurations
    from pretune.cli.pipes import without_pipes

    if (read := without_pipes(given)) != given:
        given = read
        if alone:  # what a strategy launches reads these, and has no such pipe
            sys.argv[1:] = given
    check_once(given)
    check_configurations(given)
    for said in undone(given) if not is_launched() else ():
        print(f"Note: {visible(said)}", file=sys.stderr)
    if alone:
        prepare_process()
        see_own_code(given)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    with quick_imports() if alone else nullcontext():
        from lightning.fabric.utilities.exceptions import MisconfigurationException

        from pretune import datamodules, modules  # noqa: F401  so that bare class names work in YAML
        from pretune.cli.commands.benchmark import run_benchmark
        from pretune.cli.commands.estimate import run_estimate
        from pretune.cli.commands.seeds import run_seeds, seeds_of
        from pretune.cli.commands.suites import run_suite
        from pretune.cli.commands.tune import run_tune
        from pretune.cli.pretune_cli import PretuneCLI
        from pretune.cli.quiet import silence
        from pretune.cli.recipes import with_recipe

    try:
        with warnings.catch_warnings():
            silence()
            if given[:1] == ["suite"]:
                return run_suite(given[1:])
            if given[:1] == ["tune"]:
                return run_tune(given[1:])
            if given[:1] == ["benchmark"]:
                return run_benchmark(given[1:])
            if given[:1] == ["estimate"]:
                return run_estimate(given[1:])
            if given[:1] == ["fit"] and seeds_of(given) is not None:
                return run_seeds(given[1:])
            return PretuneCLI(with_recipe(given))
    except MisconfigurationException as error:
        raise input_error(error) or InputError(str(error)) from error


if __name__ == "__main__":
    main()
