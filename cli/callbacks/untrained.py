"""Scores of weights that were never trained are chance, and asked for by name only."""

from __future__ import annotations

from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from typing_extensions import override

from ...contracts import module_facts
from ...errors import InputError

CURE = (
    "Give --ckpt_path (a checkpoint or a run folder), or a fine-tuned model as model.backbone; --untrained true scores "
    "untrained weights."
)


class RefuseUntrained(Callback):
    """Ends an evaluation of a network, or a head, that is new.

    Args:
        why: why no checkpoint was found.
    """

    def __init__(self, why: str | None) -> None:
        self.why = why

    @override
    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn == "validate":
            self._check(pl_module)

    @override
    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._check(pl_module)

    @override
    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._check(pl_module)

    def _check(self, pl_module: Any) -> None:
        if module_facts(pl_module).is_untrained():
            raise InputError(f"{self.why or 'The head is new and untrained.'} {CURE}")
