"""Module and datamodule of a configuration, which hold nothing yet, and no trainer."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from typing_extensions import override

from ..pretune_cli import PretuneCLI


class UnbuiltCLI(PretuneCLI):
    """Makes module and datamodule, and no trainer: the devices may not be this machine's. There is no run folder."""

    options: Any = None
    """The trainer's, as they are configured."""
    writes = False

    @override
    def after_instantiate_classes(self) -> None:
        """Write nothing."""

    @override
    def instantiate_trainer(self, **kwargs: Any) -> Any:
        self.options = self._get(self.config_init, "trainer")
        return SimpleNamespace(is_global_zero=False, callbacks=[])

    @override
    def _run_subcommand(self, subcommand: str) -> None:
        """Run nothing."""
