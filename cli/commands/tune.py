"""The learning rate and its friends, found: `python main.py tune --config FILE`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lightning.pytorch.utilities.rank_zero import rank_zero_info

from ...errors import InputError
from ...text.progress import Rounds
from ..arguments import run_name, runs_folder, without
from ..trackers import one_group
from ..verb_options import read_options
from .parsing import check_options
from .search_fixed import leave_out_fixed
from .search_range_test import range_test
from .search_report import report
from .search_space import RATE, Space
from .search_study import ended, open_study, try_interrupted_again
from .search_trial import run_trial

SPACE = Path(__file__).parents[2] / "configs" / "spaces" / "bert.yaml"
HOPELESS = 3
"""Trials at the beginning that fail for the same reason, after which no other is tried."""


@dataclass(frozen=True)
class TuneOptions:
    """What `tune` is asked.

    Args:
        space: what to search; left out, configs/spaces/bert.yaml.
        trials: how many in all, those of an earlier command among them.
        range_test: whether to begin with a learning-rate range test.
        sampler_seed: of what the trials try.

    Raises:
        InputError: if there is no trial to make.
    """

    space: str | None = field(default=None, metadata={"metavar": "FILE"})
    trials: int = field(default=20, metadata={"metavar": "N"})
    range_test: bool = True
    sampler_seed: int = field(default=0, metadata={"metavar": "N"})

    def __post_init__(self) -> None:
        if self.trials < 1:
            raise InputError("--trials is 0; it must be at least 1.")


def run_tune(args: Sequence[str]) -> dict[str, Any]:
    """Search hyperparameters on validation, and write the best as an overlay that `fit` takes.

    First Lightning's learning-rate range test (arXiv 1506.01186), whose proposal bounds the rates to search, then a
    search by Optuna: every trial is an ordinary `fit`, stopped early where it falls behind the median of the others.
    Options on the command line are not searched, nor, unless --space names them, those of a configuration but for the
    rate. Everything lies in NAME/tune: `study.db`, `range_test.png`, `search.png` and `best.yaml`. The same command
    goes on where it stopped, up to `--trials` in all. The test set plays no part.

    Args:
        args: what stands after `tune`: its own options (`TuneOptions`), and those of `fit`.

    Returns:
        `best` (the options), `score`, `trials` (a row for each), and `folder`.

    Raises:
        InputError: if the space or an option is wrong, or every trial failed.
    """
    try:
        import optuna  # noqa: F401
    except ImportError as error:
        raise InputError("tune needs the package optuna: pip install optuna.") from error
    options, rest = read_options(TuneOptions, args)
    space = Space(options.space or SPACE)
    root = runs_folder(rest) / run_name(rest) / "tune"
    rest = without(rest, "name", "trainer.default_root_dir")
    _check_options(space, rest)
    leave_out_fixed(space, rest, shipped=not options.space)
    root.mkdir(parents=True, exist_ok=True)
    tested = RATE in space.entries and (options.range_test or space.needs_range_test)
    proposed = range_test(root, rest) if tested else None

    search = json.loads(json.dumps({"options": rest, "space": space.entries}))
    if sentence := space.bound(proposed, tested):
        rank_zero_info(sentence)
    study = open_study(root, search, options.sampler_seed)
    try_interrupted_again(study)
    rounds = Rounds(options.trials)
    rounds.number = len(ended(study))
    while len(ended(study)) < options.trials:
        trial = study.ask()
        with one_group(f"{root.parent.name}/tune", root.parent.parent):
            run_trial(study, trial, space.suggest(trial, proposed), root, rest, rounds.next())
        reasons = [t.user_attrs.get("why") for t in ended(study)]
        if len(reasons) >= HOPELESS and reasons[0] is not None and len(set(reasons)) == 1:
            break  # each failed, and in the same way: so would the others
    return report(study, root, space)


def _check_options(space: Space, args: Sequence[str]) -> None:
    """Refuse an option of the space that is none of `fit`, before anything is trained."""
    options = [f"--{name}={json.dumps(value)}" for name, value in space.examples().items()]
    check_options([*args, *options])
