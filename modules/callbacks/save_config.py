"""The configuration of a run, written so that it can be repeated."""

from __future__ import annotations

from pathlib import Path

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.cli import SaveConfigCallback
from typing_extensions import override


class SaveConfig(SaveConfigCallback):
    """Saves the merged configuration as `config.yaml`, without the checkpoint that this start resumed from."""

    @override
    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        folder = trainer.log_dir
        if folder and (stage == "fit" or not Path(folder, "config.yaml").exists()):
            self.config = self.config.clone()
            self.config["ckpt_path"] = None
            self.config.pop("config", None)
            super().setup(trainer, pl_module, stage)
