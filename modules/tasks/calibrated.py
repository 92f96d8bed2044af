"""The base of the tasks that give probabilities: they can be made to come true (temperature scaling)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

from lightning.pytorch.utilities.rank_zero import rank_zero_info, rank_zero_warn
from torch import Tensor, nn

from ...checkpoints import locate, stored
from ...contracts import data_facts
from ...errors import InputError, check_range
from ..backbone.backbone import Backbone
from ..base import BaseModule
from ..calibration.folding import folded, last_linear
from ..calibration.temperature import Calibration, fit_temperature
from ..calibration.validation import rows_of, validated, validation_loader
from ..callbacks.summary import add_to_summary

FEWEST = 50
"""Rows of validation that a temperature is fitted on."""
CONFIG_FIELD = "pretune_calibration"
"""The entry of an exported configuration that says which temperature its last layer is divided by."""


def refuse_few(rows: int) -> None:
    """Raise an `InputError` where validation has too few rows for a temperature."""
    if rows < FEWEST:
        raise InputError(
            f"model.calibrate is fitted on validation, which has {rows:,} rows: at least {FEWEST} would work. "
            "More of data.validation_files or data.validation_fraction, or leave it out."
        )


class CalibratedModule(BaseModule):
    """A task whose probabilities are those of its logits, divided by a temperature.

    In training it is 1. With `calibrate` it is fitted on validation when training is over, for the weights that are
    kept; it travels with the checkpoint, and an export has it in its last layer.

    Args:
        backbone: a hub id, a folder, an earlier run's folder or its `.ckpt`, or a `Backbone` with options.
        calibrate: `temperature` (arXiv 1706.04599) fits one on validation after training, for the weights that are
            kept: the loss of a test and all probabilities change, what is predicted does not. null leaves them as
            they are.
        **optimization: the options of every module: `learning_rate`, `weight_decay`, `schedule`, `warmup`, ...
    """

    def __init__(
        self, backbone: str | Backbone, calibrate: Literal["temperature"] | None = None, **optimization: Any
    ) -> None:
        super().__init__(backbone, **optimization)
        if calibrate not in (None, "temperature"):
            raise InputError(f"model.calibrate is {calibrate!r}; temperature would work, or null.")
        self.calibrate = calibrate
        self.temperature = 1.0
        """That logits are divided by."""
        self.calibration: Calibration | None = None
        """What it came to, once it is fitted here."""
        self._owes_calibration = False

    # ------------------------------------------------------------------ hooks for subclasses

    def answer_logits(self, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Return the logits of a labeled batch, as they come from the network, and what is right.

        Returns:
            (targets, classes) float32 and (targets,) int64; of yes or no (rows, labels) each.
        """
        raise TypeError(f"{type(self).__name__} must define `answer_logits`.")

    def number_of_outputs(self) -> int:
        """Return how many logits the head gives."""
        raise TypeError(f"{type(self).__name__} must define `number_of_outputs`.")

    # ------------------------------------------------------------------ using it

    def answered_by(self) -> tuple[str, ...]:
        """Return all options, after a look at the threshold."""
        check_range("--threshold", self.answer_options.threshold, least=0, most=1)
        return ("top_k", "threshold")

    def tempered(self, logits: Tensor) -> Tensor:
        """Return logits whose probabilities are meant; decisions go by the others, which rounding left alone."""
        return logits if self.temperature == 1 else logits / self.temperature

    @contextmanager
    def exporting(self) -> Iterator[None]:
        """Put the temperature into the last layer, as long as the network is written."""
        if self.temperature == 1:
            yield
            return
        config, fitted = self.model.config, self.calibration
        setattr(config, CONFIG_FIELD, fitted.to_dict() if fitted else {"temperature": self.temperature})
        try:
            with folded(self._last_layer(), self.temperature):
                yield
        finally:
            delattr(config, CONFIG_FIELD)

    def finish(self) -> None:
        """Take the temperature that belongs to the weights, and find the layer that will have it."""
        super().finish()
        if self.calibrate:
            self._last_layer()
        if self.stored is not None:
            self.temperature = self.stored.temperature
        elif self.backbone.name is not None and (place := str(locate(self.backbone.name))).endswith(".ckpt"):
            new = self.weight_report is None or self.weight_report.head_is_new
            self.temperature = 1.0 if new else stored(place).temperature

    def _last_layer(self) -> nn.Linear:
        layer = last_linear(self.model, self.number_of_outputs())
        if layer is None:
            raise InputError(
                f"model.calibrate: the head of {self.backbone.label} does not end in a linear layer, which an export "
                "could have the temperature in: leave it out."
            )
        return layer

    # ------------------------------------------------------------------ the course of a run

    def setup(self, stage: str) -> None:
        """Refuse validation data that are too few or those of the training, before any weights are there."""
        super().setup(stage)
        datasets = getattr(self.datamodule, "datasets", None)
        held_out = datasets.get("validation") if isinstance(datasets, dict) else None
        if data_facts(self.datamodule).problem == "regression":
            return  # which is refused for more than its rows
        if stage == "fit" and self.calibrate and held_out is not None and not self.trainer.fast_dev_run:  # type: ignore[attr-defined]
            with suppress(TypeError):  # of somebody else's, which has no length
                refuse_few(len(held_out))
            self._refuse_same()

    def on_fit_start(self) -> None:
        """Train without one."""
        super().on_fit_start()
        self.temperature, self.calibration = 1.0, None
        vars(self.model.config).pop(CONFIG_FIELD, None)  # of an export that this one begins with
        self._owes_calibration = self.calibrate is not None and not self.trainer.fast_dev_run  # type: ignore[attr-defined]

    def on_train_start(self) -> None:
        """Refuse validation data that no temperature can be fitted on.

        Raises:
            InputError: if there are none, few, or those of the training.
        """
        super().on_train_start()
        if not self._owes_calibration:
            return
        loader, _ = validation_loader(self.trainer)
        if loader is None:
            raise InputError(
                "model.calibrate is fitted on validation, and there is none: set data.validation_files, or "
                "data.validation_fraction and trainer.limit_val_batches above 0; or leave it out."
            )
        if (rows := rows_of(loader)) is not None:
            refuse_few(rows)
        self._refuse_same()

    def _refuse_same(self) -> None:
        if self.trainer.overfit_batches or data_facts(self.datamodule).are_same("train", "validation"):  # type: ignore[attr-defined]
            raise InputError(
                "model.calibrate is fitted on validation, which here holds the rows that are trained on: how sure the "
                "model may be of others they do not tell. Set other data.validation_files, or leave it out."
            )

    def on_fit_end(self) -> None:
        """Fit it, unless who put the best weights back did."""
        super().on_fit_end()
        self.calibrate_kept()

    def calibrate_kept(self, in_vain: bool = False) -> float | None:
        """Fit the temperature on validation, with the weights as they are, if that was asked for and is not done.

        Args:
            in_vain: whether nothing was learned: how sure to be of chance no temperature says.

        Returns:
            The temperature, or None where nothing was to be done.
        """
        if not self._owes_calibration:
            return None
        self._owes_calibration = False
        count, why = 0, "nothing was learned"
        if not in_vain:
            logits, targets = validated(self, self.answer_logits)
            count, why = len(logits), "no temperature is best there: all is right, or nothing is told apart"
            if count < FEWEST:
                why = f"there are {count:,} targets in it"
        self.calibration = fit_temperature(logits, targets) if count >= FEWEST else None
        if self.calibration is None:
            rank_zero_warn(f"The probabilities are not calibrated on validation: {why}.")
        else:
            self.temperature = self.calibration.temperature
            rank_zero_info(f"Calibrated: {self.calibration}.")
            if worsened := self.calibration.worsened():
                rank_zero_warn(worsened)
        summary = {"temperature": self.temperature, **(self.calibration.to_dict() if self.calibration else {})}
        add_to_summary(self.trainer, "calibration", summary)
        return self.temperature

    # ------------------------------------------------------------------ checkpoints and exports

    def save_pretrained(self, folder: str | Path, check: bool = True) -> None:
        """Write a Hugging Face folder, with the temperature in the last layer; of it `pretune_calibration` tells."""
        self.build()
        with self.exporting():
            super().save_pretrained(folder, check)

    def save_adapters(self, folder: str | Path, check: bool = True) -> None:
        """Write adapters and head alone, with the temperature in the last layer of that."""
        with self.exporting():
            super().save_adapters(folder, check)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take the temperature of the checkpoint."""
        super().on_load_checkpoint(checkpoint)
        self.temperature = self.stored.temperature if self.stored is not None else 1.0

    def describe(self) -> dict[str, Any]:
        """Return what the base says, and the temperature."""
        return {**super().describe(), "temperature": self.temperature}
