"""The command line's own options, and the defaults that depend on the hardware."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ..errors import refuse_nulls


@dataclass
class EarlyStoppingOptions:
    """When to stop early.

    Args:
        patience: validations without an improvement after which training stops.
        min_delta: what counts as one.
        stopping_threshold: stop once the metric is this good.
        divergence_threshold: stop once it is this bad.
        check_finite: stop when it is not a number.
    """

    patience: int = 5
    min_delta: float = 0.0
    stopping_threshold: float | None = None
    divergence_threshold: float | None = None
    check_finite: bool = True

    def __post_init__(self) -> None:
        refuse_nulls(self, "early_stopping")


@dataclass
class PaceOptions:
    """How long training lasts and how often it is validated, where the trainer's own options do not say.

    Args:
        epochs: passes over the data where none of trainer.max_epochs, max_steps and max_time is set.
        min_steps: then as many epochs more as make at least so many optimizer steps: small sets want more of them.
        validate_every: the most optimizer steps between two validations where trainer.val_check_interval is not set;
            null validates once an epoch.
        validation_share: of the run's time, the most that validating may take where neither trainer.val_check_interval
            nor trainer.check_val_every_n_epoch is set; there is always a validation at the end. null sets no limit.
    """

    epochs: int = 3
    min_steps: int = 200
    validate_every: int | None = 500
    validation_share: float | None = 0.2

    def __post_init__(self) -> None:
        refuse_nulls(self, "pace")


@dataclass
class CheckpointOptions:
    """When to save `last.ckpt`, besides after every validation.

    Args:
        every_n_minutes: minutes between two checkpoints; null switches this off.
        every_n_steps: optimizer steps between two; null switches this off.
    """

    every_n_minutes: float | None = 5.0
    every_n_steps: int | None = None


def default_precision() -> str:
    """Return bf16-mixed where the hardware computes in bf16 (CUDA, AMX, AVX512-BF16), else 32-true."""
    if torch.cuda.is_available():
        return "bf16-mixed" if torch.cuda.is_bf16_supported(including_emulation=False) else "16-mixed"
    capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    fast = capabilities.get("avx512_bf16") or capabilities.get("amx_bf16")
    return "bf16-mixed" if fast else "32-true"
