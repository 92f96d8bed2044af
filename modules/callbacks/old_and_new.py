"""What an update brings and what it costs: the objective on old and on new text, before and after."""

from __future__ import annotations

from typing import Any

import torch
from lightning.pytorch import Callback, LightningDataModule, LightningModule, Trainer
from lightning.pytorch.utilities.rank_zero import rank_zero_info
from typing_extensions import override

from ...errors import InputError
from ..backbone.backbone import Backbone
from ..base import BaseModule
from .held_out import held_out
from .summary import add_to_summary

Table = dict[str, dict[str, dict[str, float]]]


class OldAndNew(Callback):
    """An evaluation of continued pretraining on held-out text of the old and of the new kind, before it and after.

    Before: the backbone as it came, with its own tokenizer. After: the best weights, with the tokenizer of the run.
    Shows loss and perplexity per target, tokens a word (fertility) and the share of unknown tokens. Where the tokenizer
    was extended, targets are other ones: perplexity per word, the last column, is the one that still compares.

    Args:
        old: what the backbone was trained on, such as `CorpusDataModule(test_files="old.txt")`.
        new: what it is updated to; the same form.
    """

    def __init__(self, old: LightningDataModule, new: LightningDataModule) -> None:
        self.texts = {"old": old, "new": new}
        self._before: dict[str, dict[str, float]] = {}

    @override
    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not isinstance(pl_module, BaseModule) or pl_module.backbone.name is None:
            raise InputError("OldAndNew compares with what there was: it needs a backbone with a name.")
        trained = pl_module.backbone
        plain = Backbone(trained.name, trained.config, trained.revision, trust_remote_code=trained.trust_remote_code)
        with torch.random.fork_rng():  # whether anybody looks changes no training
            options = {name: value for name, value in pl_module.hparams.items() if not name.startswith("_")}
            parent = type(pl_module)(**{**options, "backbone": plain})
            parent.tokenizer = plain.load_tokenizer()
            parent.build()
        self._before = self._measure(parent, trainer.strategy.root_device)

    @override
    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not self._before or trainer.fast_dev_run:  # type: ignore[attr-defined]
            return
        after = self._measure(pl_module, trainer.strategy.root_device)  # type: ignore[arg-type]
        measures = {"before": self._before, "after": after}
        rank_zero_info(table(measures))
        add_to_summary(trainer, "old_and_new", measures)
        self._before = {}

    def _measure(self, module: BaseModule, device: torch.device) -> dict[str, dict[str, float]]:
        return {name: held_out(module, data, device) for name, data in self.texts.items()}


def table(measures: Table) -> str:
    """Return a table to be printed.

    Args:
        measures: by time (`before`, `after`) and text (`old`, `new`), as `held_out` returns them.
    """
    lines = [f"{'text':<6}{'':<8}{'loss':>9}{'perplexity':>13}{'tokens/word':>13}{'unknown':>10}{'per word':>13}"]
    for text in ("old", "new"):
        for when in ("before", "after"):
            row: Any = measures[when][text]
            lines.append(
                f"{text:<6}{when:<8}{row['loss']:>9.4f}{row['perplexity']:>13.2f}{row['tokens_per_word']:>13.3f}"
                f"{row['unknown']:>10.2%}{row['word_perplexity']:>13.2f}"
            )
    return "\n".join(lines)
