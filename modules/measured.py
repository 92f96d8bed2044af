"""What a module measures of its steps, and the metric that a run goes by."""

from __future__ import annotations

from typing import Any

from torchmetrics import Metric

from .backbone.backbone import Backbone
from .metrics.directions import Direction
from .monitors import change_monitor, direct_followers, known_direction, monitor_direction
from .network import NetworkModule
from .scores import STAGES, Scores
from .shortcuts.lightning_state import forget_metric_names
from .untrained import warn_untrained


class MeasuredModule(NetworkModule):
    """A module with metrics for each stage, one of which it is `monitor`ed by.

    Args:
        backbone: a hub id, a folder, an earlier run's folder or its `.ckpt`, or a `Backbone` with options.
        monitor: the metric that early stopping and the best checkpoint go by; null means the module's own.
        monitor_mode: whether it should fall (`min`) or rise (`max`); only for what no module of this suite logs, the
            others know.
        **optimization: how it learns: `learning_rate`, `weight_decay`, `schedule`, `warmup`, ...
    """

    default_monitor: str = "val/loss"
    perplexity_of: str | None = None
    """The part whose perplexity is reported; None where none is."""
    may_score: tuple[str, ...] = ()
    """What `make_metrics` may measure, whatever the data are; all of these are in `metrics.directions.SCORES`."""
    scores_training: bool = True
    """Whether that is measured on training rows, too."""
    scores_all_before_training: bool = True
    """Whether the validation before training measures everything that those in training do."""

    def __init__(
        self,
        backbone: str | Backbone,
        monitor: str | None = None,
        monitor_mode: Direction | None = None,
        **optimization: Any,
    ) -> None:
        super().__init__(backbone, **optimization)
        self.monitor: str = monitor or self.default_monitor
        self.monitor_mode = monitor_mode
        self.metrics = Scores()

    # ------------------------------------------------------------------ hooks for subclasses

    def make_metrics(self, part: str) -> dict[str, Metric]:
        """Return the metrics of a part beside its loss, by name."""
        return {}

    def directions(self) -> dict[str, Direction]:
        """Return, of what is logged, whether it should fall or rise; a subclass adds what it logs besides metrics."""
        parts = self.parts()
        losses = ["loss", *(f"{part}_loss" for part in parts if part)]
        losses += ["perplexity"] if self.perplexity_of in parts else []
        of_losses: dict[str, Direction] = {f"{stage}/{name}": "min" for stage in STAGES for name in losses}
        return of_losses | self.metrics.directions()

    # ------------------------------------------------------------------ the monitored metric

    @property
    def mode(self) -> Direction:  # type: ignore[override]
        """Whether the monitored metric should fall or rise.

        Raises:
            InputError: if neither the metric nor `monitor_mode` says so.
        """
        return known_direction(self)

    def direction(self) -> Direction | None:
        """Return the same, or None where nobody knows."""
        return monitor_direction(self)

    def use_monitor(self, name: str) -> None:
        """Go by another metric, when what suits was not known before the data were; callbacks follow."""
        change_monitor(self, name)

    # ------------------------------------------------------------------ the course of a run

    def _build(self) -> None:
        super()._build()
        self.make_scores()
        direct_followers(self)

    def make_scores(self) -> None:
        """Make the metrics of all stages, now that the data are known."""
        for stage in STAGES:
            self.metrics.make(self, stage)

    def on_fit_start(self) -> None:
        """Begin to measure anew."""
        super().on_fit_start()
        self.metrics.start_training()

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Leave out the scores of an epoch that was begun before an interruption."""
        super().on_train_batch_start(batch, batch_idx)
        self.metrics.start_batch(self.current_epoch, batch_idx)

    def on_test_start(self) -> None:
        """Warn if what is tested was never trained."""
        warn_untrained(self)

    def expect_loader(self, stage: str, loader: int) -> None:
        """Make the metrics of a loader beyond the first when its first batch comes.

        Args:
            stage: `val` or `test`.
            loader: its number.
        """
        if loader and not self.metrics.knows(stage, loader):
            self.metrics.make(self, stage, loader)
            self.metrics.to(self.device)
            forget_metric_names(self.host or self)
