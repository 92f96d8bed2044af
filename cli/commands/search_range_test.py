"""The learning-rate range test of Lightning (arXiv 1506.01186), in place of `fit`."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lightning.pytorch.utilities.rank_zero import rank_zero_info
from typing_extensions import override

from ..pretune_cli import PretuneCLI
from ..recipes import with_recipe
from .search_plots import draw_range_test
from .search_space import RATE


class RangeTestCLI(PretuneCLI):
    """Run Lightning's learning-rate range test in place of `fit`."""

    tracked = False
    finder: Any = None
    """Lightning's `_LRFinder`; None where the test was broken off."""

    @override
    def _run_subcommand(self, subcommand: str) -> None:
        from lightning.pytorch.tuner import Tuner

        self.model.max_skips = self.model.max_rollbacks = 0  # the test goes on until the loss breaks
        self.finder = Tuner(self.trainer).lr_find(
            self.model, datamodule=self.datamodule, min_lr=1e-7, max_lr=1e-1, update_attr=False
        )


def range_test(root: Path, args: Sequence[str]) -> float | None:
    """Return the rate that the test proposes; None where it finds none.

    Args:
        root: the folder of the search, which keeps what the test came to.
        args: the options of `fit`.
    """
    kept = root / "range_test.json"
    if not kept.is_file():
        where = [f"--trainer.default_root_dir={root}", "--name=range_test", "--trainer.num_sanity_val_steps=0"]
        where += ["--trainer.max_epochs=1000", "--trainer.max_steps=-1"]  # it ends after a hundred steps
        finder = RangeTestCLI(with_recipe(["fit", *args, *where])).finder
        proposed = finder.suggestion() if finder is not None else None
        curves = {key: [float(v) for v in finder.results[key]] for key in ("lr", "loss")} if finder is not None else {}
        kept.write_text(json.dumps({"proposed": proposed, **curves}))
        shutil.rmtree(root / "range_test", ignore_errors=True)
        if curves:
            draw_range_test(curves["lr"], unbiased(curves["loss"]), proposed, root / "range_test.png")
    proposed = json.loads(kept.read_text())["proposed"]
    rank_zero_info(
        f"The range test proposes {RATE} {proposed:.2g} ({root / 'range_test.png'})."
        if proposed
        else "The range test proposes no learning rate: the loss never fell."
    )
    return proposed  # type: ignore[no-any-return]


def unbiased(losses: list[float], beta: float = 0.98) -> list[float]:
    """Return Lightning's smoothed losses as they are: it divides the first ones as if there were one more."""
    return [loss * (1 - beta ** (i + 2)) / (1 - beta ** (i + 1)) for i, loss in enumerate(losses)]
