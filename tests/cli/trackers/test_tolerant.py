"""A logger that fails stops no training."""

from __future__ import annotations

import warnings
from typing import Any

from pretune.cli.trackers.tolerant import GIVES_UP, Tolerant


class Failing:
    """A logger whose service is gone now and then."""

    def __init__(self, good: set[int]) -> None:
        self.calls, self.good, self.ended = 0, good, ""

    def log_metrics(self, metrics: Any, step: int) -> None:
        self.calls += 1
        if self.calls not in self.good:
            raise ConnectionError("gone\nwith more")

    def finalize(self, status: str) -> None:
        self.ended = status


class Logger(Tolerant, Failing):
    title = "Somebody"


def test_it_gives_up_after_some_failures_in_a_row() -> None:
    logger = Logger(good={3})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for step in range(10):
            logger.log_metrics({}, step)
    assert logger.calls == 3 + GIVES_UP  # two failures, one that went well, and then failures alone
    assert logger.not_sent == 9
    texts = [str(warning.message) for warning in caught]
    assert len(texts) == 2 + GIVES_UP
    assert texts[0].startswith("Somebody: metrics could not be sent (ConnectionError: gone). The run folder holds")
    assert "nothing more is sent" in texts[-1]
    assert not any("nothing more" in text for text in texts[:-1])


def test_what_comes_after_training_finds_it_open() -> None:
    logger = Logger(good=set())
    logger.finalize("success")
    assert logger.ended == ""
    logger.end("success")
    assert logger.ended == "success"
