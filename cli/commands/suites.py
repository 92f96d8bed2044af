"""Several tasks with several seeds in one command: `python main.py suite --config configs/suites/glue.yaml`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...errors import InputError
from ..arguments import read_config, split_arguments, values_of
from ..parser import HelpfulParser
from ..verb_options import option_names
from .suite_checks import check_shape
from .suite_runner import Runner, Suite


def run_suite(args: Sequence[str]) -> dict[str, Any]:
    """Run a suite.

    Further options of `fit` (--model.backbone X, --trainer.max_steps 100, ...) hold for every task. What is done is
    kept below FOLDER/NAME/TASK/seed_N and skipped when the command is given again; a run that was killed goes on from
    its last checkpoint; one whose options have changed starts anew. A task that fails does not stop the others. A run
    uses one device; with several, run seeds side by side (--seeds 1, --seeds 2), then all of them for the table.

    Args:
        args: what stands after `suite`: its own options (`Suite`), and those of `fit`.

    Returns:
        The results, as `results.json` has them.

    Raises:
        InputError: if the suite is none; if a task failed, once the others are done.
    """
    own, rest = divide(args)
    if not own:
        raise InputError("Nothing says what to run: give --config FILE, such as configs/suites/glue.yaml.")
    if single := next((path for path in values_of(own, "config") if "model" in read_config(path)), None):
        raise InputError(
            f"{single} is of one training: fit --config {single}. A suite is such as configs/suites/glue.yaml."
        )
    check_shape(own)
    parser: Any = HelpfulParser(prog="main.py suite")
    parser.add_argument("--config", action="config")
    parser.add_class_arguments(Suite, skip={"config"})
    config = parser.parse_args(own)
    files = [str(path) for path in config.config or []]
    suite = getattr(parser, "instantiate", parser.instantiate_classes)(config)  # the name before jsonargparse 4.49
    options = {name: suite[name] for name in option_names(Suite) if name != "config"}
    places = [*(Path(file).parent for file in files), Path(__file__).parents[2] / "configs", Path()]
    return Runner(Suite(config=files, **options), places, rest).run()


def divide(args: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the suite's own arguments, seeds as a list, and those that go to every `fit`."""
    own, rest = split_arguments(args, option_names(Suite))
    return [re.sub(r"^(--seeds=)?(\d[\d,]*)$", r"\1[\2]", arg) for arg in own], rest
