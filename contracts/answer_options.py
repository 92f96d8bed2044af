"""How much a prediction says, and how sure it must be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class AnswerOptions:
    """What is asked of predictions.

    Args:
        top_k: so many of the likeliest answers, with their probabilities; null: as many as the task shows by itself.
        threshold: how probable an answer must be to be given; of questions, how much likelier no answer must be than
            the best one. null: what the task does by itself.
    """

    top_k: int | None = None
    threshold: float | None = None

    def labeled(self, prediction: Any, names: list[Any], chances: list[float]) -> dict[str, Any]:
        """Return what is written of one label out of some: none where the likeliest is not probable enough.

        Args:
            prediction: the likeliest.
            names: of the labels.
            chances: their probabilities.
        """
        if self.threshold is None:
            return {"prediction": prediction, **self.shown(names, chances)}
        abstained = max(chances) < self.threshold
        row = {"prediction": None if abstained else prediction, "abstained": abstained}
        return {**row, **self.shown(names, chances)}

    def shown(self, names: list[Any], chances: list[float]) -> dict[str, Any]:
        """Return the likeliest labels with their probabilities, the likeliest first; else all probabilities by name."""
        if self.top_k is None:
            return {"probabilities": dict(zip(names, chances, strict=True))}
        best = sorted(range(len(names)), key=chances.__getitem__, reverse=True)[: self.top_k]
        return {"top_k": [{"label": names[i], "probability": chances[i]} for i in best]}
