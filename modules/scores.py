"""What a module measures: made for each stage, brought up to date with every step, logged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

import torch
from lightning.pytorch.utilities.rank_zero import rank_zero_info
from torch import nn
from torchmetrics import Metric, MetricCollection

from .metrics.basic import MeanPerTarget, Perplexity
from .metrics.directions import Direction, directions_of

if TYPE_CHECKING:
    from .measured import MeasuredModule
    from .output import Output

STAGES = ("train", "val", "test")


class Scores(nn.Module):
    """The metrics of a module: objects over the whole set, never means of batch means.

    Of each stage, and of each loader beyond the first, there is the loss; of each part its own loss, its perplexity if
    it has one, and what `make_metrics` makes for it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.by_place = nn.ModuleDict()
        self._logged_epoch = -1
        """In which scores of training rows are logged already: once an epoch, as it takes long."""
        self._part_epoch = -1
        """In which they are left out, as a part of it was trained on before the run was resumed."""

    # ------------------------------------------------------------------ making

    def make(self, module: MeasuredModule, stage: str, loader: int = 0) -> None:
        """Make the metrics of a stage.

        Args:
            module: what it measures.
            stage: `train`, `val` or `test`.
            loader: which of several that are evaluated in one go.
        """
        parts, place = module.parts(), _place(stage, loader)
        self.by_place[f"{place}_loss"] = MeanPerTarget(list(parts.values()))
        for part in parts:
            prefix = f"{stage}/{part}_" if part else f"{stage}/"
            if part:
                self.by_place[f"{place}_loss_{part}"] = MeanPerTarget()
            if part == module.perplexity_of:
                self.by_place[f"{place}_perplexity"] = Perplexity()
            scored = stage != "train" or module.scores_training
            metrics: dict[str, Metric | MetricCollection] = {**module.make_metrics(part)} if scored else {}
            self.by_place[f"{place}_scores_{part}"] = MetricCollection(metrics, prefix=prefix)

    def of(self, stage: str, part: str = "", loader: int | None = 0) -> MetricCollection:
        """Return what `make_metrics` made for a part.

        Args:
            stage: `train`, `val` or `test`.
            part: of the module's `parts`.
            loader: which of several.
        """
        return cast(MetricCollection, self.by_place[f"{_place(stage, loader)}_scores_{part}"])

    def __getitem__(self, key: str) -> nn.Module:
        """Return a metric or a collection by stage and name, as `val_scores_`: how all were found in version 0.1."""
        return self.by_place[key]

    def knows(self, stage: str, loader: int) -> bool:
        """Return whether the metrics of a stage were made."""
        return f"{_place(stage, loader)}_loss" in self.by_place

    def directions(self) -> dict[str, Direction]:
        """Return, of what `make_metrics` made, whether it should fall or rise, by the names that are logged."""
        return directions_of({key: metrics for key, metrics in self.by_place.items() if "_scores_" in key})

    # ------------------------------------------------------------------ measuring

    def update(self, module: MeasuredModule, stage: str, outputs: Mapping[str, Output]) -> None:
        """Take a step in, and log.

        Args:
            module: whose step it was; it logs.
            stage: `train`, `val` or `test`.
            outputs: of each part.
        """
        epoch = module.current_epoch
        if stage != "train":
            self._update_losses(module, stage, outputs)
        for part, output in outputs.items():
            metrics = self.of(stage, part, module.loader_number)
            if not len(metrics) or (stage == "train" and self._part_epoch == epoch):
                continue
            metrics.update(output.predictions.detach(), output.targets)
            if stage != "train" or self._logged_epoch != epoch:
                module.log_dict(metrics, prog_bar=stage == "val", batch_size=1, on_step=False, on_epoch=True)
        if stage == "train":
            self._logged_epoch = epoch

    def _update_losses(self, module: MeasuredModule, stage: str, outputs: Mapping[str, Output]) -> None:
        losses = torch.stack([output.loss.detach() for output in outputs.values()])
        counts = torch.stack([output.count for output in outputs.values()])
        place = _place(stage, module.loader_number)
        whole: Any = self.by_place[f"{place}_loss"]
        whole.update(losses, counts)
        module.log(f"{stage}/loss", whole, prog_bar=stage == "val", batch_size=1)
        for part, output in outputs.items():
            named = {f"{stage}/{part}_loss": f"{place}_loss_{part}"} if part else {}
            if part == module.perplexity_of:
                named[f"{stage}/perplexity"] = f"{place}_perplexity"
            for name, key in named.items():
                metric: Any = self.by_place[key]
                metric.update(output.loss.detach(), output.count)
                module.log(name, metric, prog_bar=stage == "val", batch_size=1)

    # ------------------------------------------------------------------ training that was interrupted

    def start_training(self) -> None:
        """Forget the epochs of an earlier training."""
        self._logged_epoch = self._part_epoch = -1

    def start_batch(self, epoch: int, batch: int) -> None:
        """Leave the scores of training rows out of an epoch of which the rows before an interruption are not known.

        Args:
            epoch: the one at hand.
            batch: the number of the batch to come, in it.
        """
        if self._logged_epoch >= 0 or not batch:
            return
        self._part_epoch = self._logged_epoch = epoch
        if any(len(m) for name, m in self.by_place.items() if name.startswith("train_scores_")):  # type: ignore[arg-type]
            rank_zero_info(
                f"Scores of training rows are left out of epoch {epoch:,}: a part of it was trained on before the run "
                "was resumed."
            )


def _place(stage: str, loader: int | None) -> str:
    """Return what the keys of a stage begin with; those of a second loader are its own."""
    return f"{stage}{loader or ''}"
