"""A run that takes a second, and nothing of the user's own logins."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

VARIABLES = ("WANDB_", "MLFLOW_", "COMET_", "AIM_")
FEW = ("--trainer.max_steps=4", "--trainer.log_every_n_steps=1", "--export_check=false")


@pytest.fixture(autouse=True)
def _no_logins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in [name for name in os.environ if name.startswith(VARIABLES)]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def tracked(mine: Path, run: Callable[..., Any]) -> Callable[..., Any]:
    """Runs a command on the few steps of that configuration, with a `logger`."""

    def command(verb: str, logger: str, *more: str) -> Any:
        few = FEW if verb == "fit" else ()
        return run(verb, "--config", str(mine), "--logger", logger, *few, *more)

    return command
