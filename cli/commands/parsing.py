"""Options of many runs, read once before the first of them begins."""

from __future__ import annotations

from collections.abc import Sequence

from typing_extensions import override

from ..pretune_cli import PretuneCLI
from ..recipes import with_recipe


class ParsingCLI(PretuneCLI):
    """Read options, and do nothing with them."""

    @property
    def only_reads(self) -> bool:
        """Whether to stop once they are read."""
        return True

    @override
    def before_instantiate_classes(self) -> None:
        if not self.only_reads:
            super().before_instantiate_classes()

    @override
    def instantiate_classes(self) -> None:
        if not self.only_reads:
            super().instantiate_classes()

    @override
    def after_instantiate_classes(self) -> None:
        if not self.only_reads:
            super().after_instantiate_classes()

    @override
    def _run_subcommand(self, subcommand: str) -> None:
        if not self.only_reads:
            super()._run_subcommand(subcommand)


def check_options(args: Sequence[str]) -> None:
    """Refuse an option that is none of `fit`, or whose value cannot be.

    Args:
        args: what would stand after `fit`.

    Raises:
        InputError: with what is wrong, and what would work.
    """
    ParsingCLI(with_recipe(["fit", *args]))
