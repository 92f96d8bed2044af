"""Whether the model's probabilities can be believed."""

from __future__ import annotations

from ...pages import Line, lines
from ..calibration import calibration
from ..section import Section, fill
from ..tested import Tested

OF = {
    "label": "of the predicted label",
    "choice": "of the chosen ending",
    "answer": "of the answer, against an exact match",
    "labels": "of each label",
    "entities": "of each entity that was found",
}


def calibrated(tested: Tested) -> Section | None:
    """Return the reliability curve and the calibration error; None where there are no probabilities."""
    chances = tested.chances()
    if chances is None:
        return None
    result = calibration(*chances)
    said, true = [b.said for b in result.bins], [b.true for b in result.bins]
    low, high = [b.low for b in result.bins], [b.high for b in result.bins]
    series = [
        Line("as it should be", [0, 1], [0, 1], "dotted", 4, tabled=False),
        Line("share that is right", said, true, tabled=False, low=low, high=high),
    ]
    over = sum(b.count for b in result.bins if b.said > b.true) / max(1, sum(b.count for b in result.bins))
    words = f"Probabilities {OF[tested.kind]}. {over:.0%} of them lie in bins that are right less often than they say."
    chart = lines(
        "Reliability", words, series, "probability that was given", "share that is right", y_range=(-0.02, 1.02)
    )
    rows = [[f"{b.said:.3f}", f"{b.true:.3f}", f"{b.low:.3f} to {b.high:.3f}", f"{b.count:,}"] for b in result.bins]
    return Section(
        "Whether its probabilities can be believed",
        fill("calibration.html", chart=chart, rows=rows, error=result.error, brier=result.brier, words=words),
    )
