"""The configuration of a run, written so that it can be repeated."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from jsonargparse import Namespace
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.cli import LightningArgumentParser, SaveConfigCallback
from typing_extensions import override

from ...errors import InputError
from ...storage.atomic_files import write_text

CONFIG = "config.yaml"
PASSING = frozenset(
    {"config", "ckpt_path", "name", "seeds", "stop_after", "untrained", "predictions", "card", "logger"}
)
"""Options of a start, not of a run."""


class SaveConfig(SaveConfigCallback):
    """Saves the merged configuration as `config.yaml` in the run folder, whatever the loggers do.

    Without the checkpoint that this start resumed from.

    Args:
        parser: of the command line.
        config: what it parsed.
        folder: the run folder.
    """

    def __init__(self, parser: LightningArgumentParser, config: Namespace, folder: Path) -> None:
        super().__init__(parser, config)
        self.folder = folder

    @override
    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        first = trainer.strategy.broadcast(str(self.folder))
        if first != str(self.folder):
            raise InputError(
                f"The processes of this job chose different run folders, {first} and {self.folder}: start it by srun "
                "or torchrun, which tell them apart from those of another start."
            )
        target = self.folder / CONFIG
        if trainer.is_global_zero and (stage == "fit" or not target.exists()):
            write_text(target, dumped(self.parser, self.config))


def dumped(parser: LightningArgumentParser, config: Namespace) -> str:
    """Return the configuration of a run as YAML."""
    config = config.clone()
    config["ckpt_path"] = None
    config.pop("config", None)
    text: str = parser.dump(config, skip_none=False)
    return text


def is_same(parser: LightningArgumentParser, config: Namespace, run: Path) -> bool:
    """Return whether the run in a folder has this configuration."""
    try:
        saved = yaml.safe_load((run / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return False
    return _lasting(saved) == _lasting(yaml.safe_load(dumped(parser, config)))


def _lasting(config: Any) -> dict[str, Any]:
    return {key: value for key, value in config.items() if key not in PASSING} if isinstance(config, dict) else {}
