"""A command line that refuses what cannot work before it makes anything, and says what to install."""

from __future__ import annotations

from typing import Any

import torch
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI
from typing_extensions import override

from ..errors import InputError
from .mistakes.known_options import PARTS, classes
from .mistakes.missing_packages import packages_named
from .mistakes.null_options import refuse_null_options
from .mistakes.option_values import check_values
from .mistakes.other_options import own_options_named
from .mistakes.processes import check_processes
from .run_folder import RunFolder


class CheckedCLI(LightningCLI):
    """Looks at what was parsed before a run folder or a class is made."""

    run: RunFolder
    writes: bool = True
    """Whether the command has a run folder."""

    @override
    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        super().parse_arguments(parser, args)
        verb = self.config.get("subcommand")
        if verb is not None:
            refuse_null_options(self._parser(verb), self.config[verb])
            check_values(verb, self.config[verb])

    @override
    def before_instantiate_classes(self) -> None:
        config = self.config[self.subcommand]
        if not self.writes:
            return
        # Somebody else's module may have data of its own.
        if config.data is None and config.model.class_path.startswith("pretune."):
            names = sorted(kind.__name__ for kind in classes(PARTS["data"]))
            raise InputError(
                f"nothing says which data to read: give --data CLASS with its options; there are: {names}."
            )
        accelerator = str(config.trainer.accelerator)
        if accelerator == "cpu" or (accelerator == "auto" and not torch.accelerator.is_available()):
            check_processes(config.trainer.devices)
        able = torch.cuda.is_available() or (accelerator == "gpu" and torch.backends.mps.is_available())
        if accelerator in ("gpu", "cuda") and not able:
            raise InputError(f"trainer.accelerator is {accelerator}, and no GPU is seen here; auto or cpu would work.")

    @override
    def instantiate_classes(self) -> None:
        with packages_named(self.config[self.subcommand]):
            super().instantiate_classes()

    @override
    def _run_subcommand(self, subcommand: str) -> None:
        with own_options_named(self.run.folder, self.run.checkpoint, subcommand, self.config[subcommand]):
            super()._run_subcommand(subcommand)
