"""The progress bar: what is learned and how fast, without bookkeeping, in a line."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import RichProgressBar
from lightning.pytorch.callbacks.progress.rich_progress import MetricsTextColumn
from rich.console import Console
from rich.progress import BarColumn
from rich.table import Column
from rich.text import Text
from typing_extensions import override

from ...contracts import module_facts
from ...text.progress import Bar
from .history import loss_of_step
from .throughput import Throughput

READ_EVERY = 0.5
"""Seconds between two looks at the loss in training, each of which waits for the device."""
DRAWN_EVERY = 0.2
"""Seconds between two pictures of the bar."""
WIDE = 120
"""Columns of a terminal that has room for a long bar, and for batches per second beside the measures."""
SHORT = 10
"""Columns of the bar in any other."""


class RunProgressBar(RichProgressBar):
    """Lightning's rich bar with the loss, the monitored score, true tokens per second and the time left.

    It stays in one line, whatever the terminal's width, and goes when its work is done: what stays is what `RunReport`
    and others log, such as all scores of a validation.
    """

    _shown: Mapping[str, str] = {}
    _read_at = _drawn_at = 0.0
    _lines: Bar | None = None
    """Where there is no terminal: what is told of a test or of predictions."""

    @property
    @override
    def sanity_check_description(self) -> str:
        return "Before training"

    @override
    def _get_train_description(self, current_epoch: int) -> str:
        epochs = self.trainer.max_epochs
        bounded = epochs is not None and epochs > 0  # -1 is as many as there is time or steps for
        return f"Epoch {current_epoch + 1}" + (f"/{epochs}" if bounded else "")

    @override
    def configure_columns(self, trainer: Trainer) -> list[Any]:
        columns = super().configure_columns(trainer)
        narrow = self._console is not None and self._console.width < WIDE
        for column in columns:
            column._table_column = Column(no_wrap=True)  # what is cut where room is short are the measures
            if narrow and isinstance(column, BarColumn):
                column.bar_width = SHORT
        return columns[:-1] if narrow else columns

    @override
    def _init_progress(self, trainer: Trainer) -> None:
        console = Console()
        if not (console.is_terminal or console.is_jupyter):
            self.disable()  # a file would get its empty lines
        super()._init_progress(trainer)
        if self.progress is not None and not isinstance(self._metric_component, _Measures):
            self._metric_component = _Measures(trainer, self.theme.metrics, "  ", self.theme.metrics_format)
            self.progress.columns = (*self.progress.columns[:-1], self._metric_component)
            self.progress.live.transient = True

    @override
    def refresh(self, hard: bool = False) -> None:
        """Draw now and then, in the thread that trains.

        Lightning's own has another thread draw, which may do so while a message is on its way: then rich rubs out lines
        of the message in place of the bar.
        """
        now = time.monotonic()
        if self.progress is not None and (hard or now - self._drawn_at >= DRAWN_EVERY):
            self._drawn_at = now
            self.progress.refresh()

    @override
    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        super().on_predict_start(trainer, pl_module)
        self._begin_lines("predicting", trainer.num_predict_batches)

    @override
    def on_predict_batch_end(self, *args: Any, **options: Any) -> None:
        super().on_predict_batch_end(*args, **options)
        self._advance_lines()

    @override
    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        super().on_predict_end(trainer, pl_module)
        self._end_lines()

    @override
    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        super().on_test_start(trainer, pl_module)
        self._begin_lines("testing", trainer.num_test_batches)

    @override
    def on_test_batch_end(self, *args: Any, **options: Any) -> None:
        super().on_test_batch_end(*args, **options)
        self._advance_lines()

    @override
    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        super().on_test_end(trainer, pl_module)
        self._end_lines()

    def _begin_lines(self, what: str, batches: list[int | float]) -> None:
        """Tell in lines of what training does not: it tells of each validation."""
        total = sum(batches)
        if self.is_disabled:
            self._lines = Bar(what, int(total) if total != float("inf") else None, "batches")

    def _advance_lines(self) -> None:
        if self._lines is not None:
            self._lines.advance()

    def _end_lines(self) -> None:
        if self._lines is not None:
            self._lines.close()
            self._lines = None

    @override
    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        super().on_train_end(trainer, pl_module)
        self._stop_progress()

    @override
    def get_metrics(self, trainer: Trainer, pl_module: LightningModule) -> dict[str, str]:  # type: ignore[override]
        soon = time.monotonic() - self._read_at < READ_EVERY
        if soon and trainer.training and not trainer.fit_loop.epoch_loop.done:
            return dict(self._shown)
        known = super().get_metrics(trainer, pl_module)
        if trainer.training and (loss := loss_of_step(trainer)) is not None:
            known["train/loss"] = float(loss)
        shown = {name: f"{value:.3f}" if isinstance(value, float) else str(value) for name, value in known.items()}
        for callback in trainer.callbacks:  # type: ignore[attr-defined]
            if isinstance(callback, Throughput) and callback.tokens_per_second:
                shown["tokens/s"] = f"{callback.tokens_per_second:,.0f}"
        # In the order of what is looked at: a narrow terminal has no room for all.
        wanted = ("train/loss", "tokens/s", module_facts(pl_module).monitor)
        out = {name: shown[name] for name in wanted if name in shown}
        self._shown, self._read_at = out, time.monotonic()
        return out


class _Measures(MetricsTextColumn):
    """Lightning's column of metrics, which ends where the terminal does."""

    @override
    def render(self, task: Any) -> Text:
        text = super().render(task)
        text.no_wrap, text.overflow = True, "ellipsis"
        return text
