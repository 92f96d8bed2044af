"""Loggers whose failures stop no training: the run folder holds everything that they are sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lightning.pytorch.utilities.rank_zero import rank_zero_warn

from ...errors import first_line

GIVES_UP = 3
"""Failures in a row after which nothing more is sent: each may have waited for the network for a minute."""


class Tolerant:
    """Stands before a logger of Lightning: what it raises while a run goes on becomes a warning.

    `finalize` waits for `end`: what is sent after training needs a run that is still open.
    """

    title = "The tracker"
    status: str | None = None
    failures = 0
    """In a row."""
    not_sent = 0
    """Calls in all that failed, or were not tried any more."""

    def log_metrics(self, *args: Any, **options: Any) -> None:
        """Send metrics."""
        self.attempt("metrics", super().log_metrics, *args, **options)  # type: ignore[misc]

    def log_hyperparams(self, *args: Any, **options: Any) -> None:
        """Send options."""
        self.attempt("options", super().log_hyperparams, *args, **options)  # type: ignore[misc]

    def finalize(self, status: str) -> None:
        """Keep how training ended, for `end`."""
        self.status = status

    def end(self, status: str) -> None:
        """Finalize indeed.

        Args:
            status: `success` or `failed`.
        """
        super().finalize(status)  # type: ignore[misc]

    def attempt(self, what: str, work: Callable[..., Any], *args: Any, **options: Any) -> bool:
        """Do what may fail, and return whether it did not.

        Args:
            what: is sent, for the message.
            work: sends it.
            args: of `work`.
            options: of `work`.
        """
        if self.failures >= GIVES_UP:
            self.not_sent += 1
            return False
        try:
            work(*args, **options)
        except Exception as error:  # a library's, the network's or the server's
            self.failures, self.not_sent = self.failures + 1, self.not_sent + 1
            more = "" if self.failures < GIVES_UP else "; nothing more is sent"
            rank_zero_warn(
                f"{self.title}: {what} could not be sent ({type(error).__name__}: {first_line(error)}){more}. The run "
                "folder holds all of it, and training goes on."
            )
            return False
        self.failures = 0
        return True
