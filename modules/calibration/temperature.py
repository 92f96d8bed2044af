"""Temperature scaling: one number that logits are divided by, so that probabilities come true (arXiv 1706.04599)."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import torch.nn.functional as F
from scipy.optimize import minimize_scalar
from torch import Tensor
from torchmetrics.functional.classification import binary_calibration_error

COOLEST, HOTTEST = 0.02, 50.0
"""Between which a temperature is looked for; one at either end is none."""
BINS = 15
"""Of probabilities, for the calibration error."""
FEW_A_BIN = 50
"""With fewer targets in a bin, chance moves the share of what is right by more than a few percent."""


@dataclass(frozen=True)
class Calibration:
    """A temperature, and what it does to the probabilities that it was fitted on.

    Args:
        temperature: that logits are divided by.
        targets: how many it was fitted on: rows, or words where each has a label.
        nll_before: mean negative log likelihood of what is right, in nats, of the logits as they are.
        nll_after: the same of the divided ones.
        ece_before: expected calibration error, from 0 to 1, over 15 bins of equal width.
        ece_after: the same of the divided ones.
    """

    temperature: float
    targets: int
    nll_before: float
    nll_after: float
    ece_before: float
    ece_after: float

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        return asdict(self)

    def __str__(self) -> str:
        return (
            f"temperature {self.temperature:.3f} of {self.targets:,} validation targets: negative log likelihood, "
            f"which is what is fitted, {self.nll_before:.4f} -> {self.nll_after:.4f}, calibration error by {BINS} bins "
            f"{self.ece_before:.4f} -> {self.ece_after:.4f}"
        )

    def worsened(self) -> str | None:
        """Return what to say where the calibration error is larger than before, which no fit of likelihood rules out.

        Returns:
            The text, or None where it is not, in what is shown of both.
        """
        if round(self.ece_after, 4) <= round(self.ece_before, 4):
            return None
        each = self.targets / BINS
        few = f"; {self.targets:,} targets, {each:.0f} a bin, are few to tell by" if each < FEW_A_BIN else ""
        return (
            f"The temperature made the negative log likelihood better ({self.nll_before:.4f} -> {self.nll_after:.4f}), "
            f"which is what is fitted, and the calibration error by {BINS} bins worse ({self.ece_before:.4f} -> "
            f"{self.ece_after:.4f}), on the rows that it was fitted on{few}. More validation rows would tell; without "
            "model.calibrate the probabilities stay as they are."
        )


def fit_temperature(logits: Tensor, targets: Tensor) -> Calibration | None:
    """Return the temperature at which what is right is likeliest.

    Args:
        logits: (targets, classes), minus infinity where there is no such class; or those of yes or no, (rows, labels).
        targets: (targets,) integers; or (rows, labels), 0 or 1.

    Returns:
        The calibration, or None where no temperature is best: every target is right, so that the surest would be, or
        the logits say nothing.
    """
    logits = logits.double()

    def of(log_temperature: float) -> float:
        return likelihood(logits / math.exp(log_temperature), targets)

    # Convex in 1 / temperature: there is one minimum, and a bounded search finds it.
    bounds = (math.log(COOLEST), math.log(HOTTEST))
    best = minimize_scalar(of, bounds=bounds, method="bounded", options={"xatol": 1e-6})
    if best.fun >= min(map(of, bounds)):
        return None
    temperature = math.exp(best.x)
    return Calibration(
        temperature,
        len(logits),
        likelihood(logits, targets),
        likelihood(logits / temperature, targets),
        calibration_error(logits, targets),
        calibration_error(logits / temperature, targets),
    )


def likelihood(logits: Tensor, targets: Tensor) -> float:
    """Return the mean negative log likelihood of what is right, in nats; arguments as those of `fit_temperature`."""
    if targets.ndim == 2:
        return float(F.binary_cross_entropy_with_logits(logits, targets.to(logits.dtype)))
    return float(F.cross_entropy(logits, targets.long()))


def calibration_error(logits: Tensor, targets: Tensor) -> float:
    """Return by how much, on the mean, the likeliest class is right more or less often than its probability says.

    Where rows have several labels, it is how often each label is there against its probability. Arguments as those of
    `fit_temperature`.
    """
    if targets.ndim == 2:
        sure, right = logits.sigmoid().flatten(), targets.flatten()
    else:
        sure, chosen = logits.softmax(-1).max(-1)
        right = chosen == targets
    return float(binary_calibration_error(sure, right.long(), n_bins=BINS, norm="l1"))
