"""Losses far above those before them: which they are, and whether they last."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from statistics import median
from typing import Any

WINDOW, ENOUGH = 200, 30
"""The latest losses that one is compared with, and how many they must be."""
FACTOR, DEVIATIONS = 1.5, 6.0
"""A high loss is above the median of the window by this factor, and by so many deviations."""
HIGHEST = 4.0
"""A loss is high in any case where it is above the highest of the window by this factor."""
LASTING = 3
"""Steps after which a spike is one that lasts."""
MOST = 1000
"""Spikes that are written down."""


class Spikes:
    """Takes down where the training loss rises far above what is typical.

    A loss is high where it is more than `FACTOR` times the median of the latest losses, and its logarithm is
    `DEVIATIONS` standard deviations above, as the median absolute deviation tells these: neither earlier spikes nor
    the slow fall of the loss count for much, and where single batches differ by factors, as at the end of a
    fine-tuning, it takes more than such a factor. While the window holds the fall of the beginning, its deviation is so
    large that nothing would be above it: what is `HIGHEST` times the highest loss in it is high in any case. What
    follows a high loss belongs to the same spike until it is below that factor.
    """

    def __init__(self) -> None:
        self.noted: list[dict[str, Any]] = []
        """Of each spike: its first `step`, its highest `loss`, what was `typical` before, and its number of `steps`."""
        self.is_open = False
        """Whether the latest loss belongs to a spike."""
        self._losses: deque[float] = deque(maxlen=WINDOW)

    def add(self, step: int, loss: float) -> None:
        """Take down the loss of a step; one that is no number tells nothing."""
        if not math.isfinite(loss):
            return
        typical = self._typical(loss)
        self._losses.append(loss)
        if self.is_open:
            latest = self.noted[-1]
            steps = step - latest["step"] + 1
            # It lasts while the loss is far from what was typical before, and not yet so often that this is typical.
            self.is_open = loss > FACTOR * latest["typical"] and steps < WINDOW
            if self.is_open:
                latest.update(loss=max(loss, latest["loss"]), steps=steps)
        elif typical is not None and len(self.noted) < MOST:
            self.noted.append({"step": step, "loss": loss, "typical": typical, "steps": 1})
            self.is_open = True

    def _typical(self, loss: float) -> float | None:
        """Return the median so far, if the loss is high beside it."""
        if len(self._losses) < ENOUGH:
            return None
        typical = median(self._losses)
        if typical <= 0 or loss <= FACTOR * typical:
            return None
        deviation = 1.4826 * median(abs(math.log(max(one, 1e-12) / typical)) for one in self._losses)
        above = math.log(loss / typical) > DEVIATIONS * deviation or loss > HIGHEST * max(self._losses)
        return typical if above else None

    def lasting(self, since: int) -> dict[str, Any] | None:
        """Return the latest spike, if it lasts and did not end before the step `since`."""
        latest = self.noted[-1] if self.noted else None
        if latest is None or latest["steps"] < LASTING or latest["step"] + latest["steps"] <= since:
            return None
        return latest

    def close(self) -> None:
        """End the spike at hand, whose losses are undone: what is high after this is another one."""
        self.is_open = False
        for _ in range(min(self.noted[-1]["steps"] if self.noted else 0, len(self._losses))):
            self._losses.pop()

    def state(self) -> dict[str, Any]:
        """Return plain data for a checkpoint."""
        return {"losses": list(self._losses), "noted": [dict(spike) for spike in self.noted], "open": self.is_open}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from there; from nothing where an earlier version wrote nothing."""
        self._losses = deque(state.get("losses", []), maxlen=WINDOW)
        self.noted = [dict(spike) for spike in state.get("noted", [])]
        self.is_open = state.get("open", False)

    def sentence(self) -> str:
        """Return what a run says of them; empty where there are none."""
        if not self.noted:
            return ""
        shown = [f"step {s['step']:,} ({s['loss']:.4g}; typical: {s['typical']:.4g})" for s in self.noted[:5]]
        more = f", and {len(self.noted) - 5:,} times more" if len(self.noted) > 5 else ""
        return f"The training loss jumped at {', '.join(shown)}{more}."
