"""Options of many runs, read once before the first of them begins."""

from __future__ import annotations

from collections.abc import Sequence

from typing_extensions import override

from ..pretune_cli import PretuneCLI
from ..recipes import with_recipe


class ParsingCLI(PretuneCLI):
    """Reads options, and does nothing with them."""

    @override
    def before_instantiate_classes(self) -> None:
        pass

    @override
    def instantiate_classes(self) -> None:
        pass

    @override
    def after_instantiate_classes(self) -> None:
        pass

    @override
    def _run_subcommand(self, subcommand: str) -> None:
        pass


def check_options(args: Sequence[str]) -> None:
    """Exits with a message if an option is none of `fit`, or its value cannot be.

    Args:
        args: what would stand after `fit`.
    """
    ParsingCLI(with_recipe(["fit", *args]))
