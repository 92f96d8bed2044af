"""What is asked of each tracker, and what they share."""

from __future__ import annotations

import inspect
import os
import secrets
import socket
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from ...errors import InputError
from ..mistakes.class_names import nearest
from .choice import SHARED, Choice

PROJECT = "pretune"
PATIENCE = 5.0
"""Seconds that a server has to answer before training."""


@dataclass
class Place:
    """The run that is tracked.

    Args:
        folder: of the run.
        runs: the folder of all runs.
        name: how it is shown.
        group: that it belongs to.
        kept: what the tracker noted of an earlier start of the same run.
    """

    folder: Path
    runs: Path
    name: str
    group: str | None = None
    kept: dict[str, Any] = field(default_factory=dict)


class Tracker(ABC):
    """A service, and one run in it.

    Args:
        choice: what the user asks for.

    Raises:
        InputError: if its package is missing, or it has no such option.
    """

    title: ClassVar[str]
    """What people call it."""
    module: ClassVar[str]
    """Of its package."""
    package: ClassVar[str]
    """What pip installs."""
    offline_way: ClassVar[str]
    """What works without a network, for messages."""
    reserved: ClassVar[tuple[str, ...]] = ()
    """Options of its logger that a run sets itself."""

    logger: Any

    def __init__(self, choice: Choice) -> None:
        self.choice = choice
        try:
            found = find_spec(self.module) is not None
        except (ImportError, ValueError):
            found = False
        if not found:
            raise InputError(
                f"logger: {choice.name} needs the package {self.package}, which is not installed: "
                f'pip install "pretune[{choice.name}]", or pip install {self.package}.'
            )
        known = [name for function in self.takers() for name in _options(function)]
        known = [name for name in known if name not in (*self.reserved, *SHARED)]
        for name in choice.options:
            if name not in known:
                raise InputError(
                    f"logger: {choice.name} has no option {name!r}{nearest(name, [*SHARED, *known])}; there are: "
                    f"{', '.join(sorted({*SHARED, *known}))}."
                )

    @property
    def project(self) -> str:
        """What its runs are shown below."""
        return self.choice.project or PROJECT

    @abstractmethod
    def takers(self) -> list[Callable[..., Any]]:
        """Return what takes the options that are not shared."""

    @abstractmethod
    def check(self) -> None:
        """Raise an InputError where nothing could be sent: no credentials, or no server."""

    @abstractmethod
    def make(self, place: Place) -> Any:
        """Return Lightning's logger for a run."""

    @abstractmethod
    def open(self) -> dict[str, Any]:
        """Begin the run in the service, or go on with it; return what finds it again: its `id`, and its `url`."""

    @abstractmethod
    def send(self, files: dict[str, Path]) -> None:
        """Send files and folders.

        Args:
            files: by the name that they get.
        """

    def send_options(self, options: dict[str, Any]) -> None:
        """Send the configuration of a run."""
        self.logger.log_hyperparams(options)

    def how_to_sync(self) -> str | None:
        """Return the command that sends what was written offline; None where there is none to send."""
        return None

    def close(self, status: str) -> None:
        """End the run in the service.

        Args:
            status: `success` or `failed`.
        """
        self.logger.end(status)

    def refuse(self, why: str) -> InputError:
        """Return the error of a tracker that nothing can be sent to.

        Args:
            why: a clause.
        """
        return InputError(f"logger: {self.title}: {why}. Without a network: {self.offline_way}.")


def _options(function: Callable[..., Any]) -> list[str]:
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return [name for name, p in inspect.signature(function).parameters.items() if p.kind in kinds and name != "self"]


def new_id(length: int = 8) -> str:
    """Return an id that no other run has.

    Args:
        length: in hexadecimal digits.
    """
    return secrets.token_hex(length // 2)


def why_unreachable(url: str) -> str | None:
    """Return why no server answers at a URL; None where one does, or a proxy stands between.

    Args:
        url: of http or https.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme in getproxies() and not proxy_bypass(host):
        return None
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
        socket.create_connection((host, port), timeout=PATIENCE).close()
    except (OSError, ValueError) as error:
        return f"no server answers at {parts.scheme}://{parts.netloc.rpartition('@')[2]} ({error})"
    return None


def is_set(name: str) -> bool:
    """Return whether an environment variable says yes."""
    return os.environ.get(name, "").strip().lower() in ("1", "true", "yes", "on")
