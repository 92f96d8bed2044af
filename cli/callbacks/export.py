"""After training: the best weights, not the last ones, are kept, tested and exported."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint, StochasticWeightAveraging
from lightning.pytorch.utilities.rank_zero import rank_zero_info
from typing_extensions import override

from ...checkpoints import STORED, read_checkpoint
from ...contracts import Stored, module_facts
from ...errors import InputError
from ...modules.cards.options import CardOptions
from ...modules.sharding import is_sharded, load_whole
from ...storage.whole_folders import swapped_in
from ...text.progress import working
from .best import BestCheckpoint
from .checkpoints import AtomicCheckpointIO
from .nothing_learned import nothing_learned
from .report import RunReport


class ExportBest(Callback):
    """Loads the best checkpoint back into the module after `fit` and writes a Hugging Face folder.

    Args:
        folder: where to; null loads the best weights and exports nothing.
        check: read the export back, and compare it with what was trained.
        card: what its model card says that no run can know; null leaves it out.
    """

    def __init__(self, folder: str | Path | None = None, check: bool = True, card: CardOptions | None = None) -> None:
        self.folder = folder
        self.check = check
        self.card = card

    @override
    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.fast_dev_run:  # type: ignore[attr-defined]
            return
        if trainer.global_step == 0:
            raise InputError(
                "No step was trained: untrained weights are not exported as if they were. More of trainer.max_time, "
                "max_epochs or max_steps would work."
            )
        best = next(
            (
                c
                for c in trainer.checkpoint_callbacks
                if isinstance(c, ModelCheckpoint) and c.monitor and c.best_model_path
            ),
            None,
        )
        swa = next((c for c in trainer.callbacks if isinstance(c, StochasticWeightAveraging)), None)  # type: ignore[attr-defined]
        if swa is not None and not swa._initialized:
            rank_zero_info(f"Training ended before StochasticWeightAveraging began (epoch {swa.swa_start}).")
        if swa is not None and swa._initialized and swa._average_model is not None:
            # Lightning takes the average at the very end, after the last validation, and not where a run stops early;
            # what is tested later is best.ckpt.
            swa.transfer_weights(swa._average_model, pl_module)
            rank_zero_info(
                "The averaged weights of the end are kept (StochasticWeightAveraging); no validation saw them."
            )
            if best is not None:
                trainer.save_checkpoint(best.best_model_path, weights_only=True)
        elif best is None:
            for callback in trainer.checkpoint_callbacks:
                if isinstance(callback, BestCheckpoint):
                    callback.refuse_in_vain()  # a run that went on, and had nothing left to train
            rank_zero_info("There was no validation: the last weights are kept.")
        else:
            content = read_checkpoint(best.best_model_path)
            load_whole(pl_module, content["state_dict"])
            module_facts(pl_module).temperature = Stored.of(content.get(STORED, {})).temperature
            pl_module.kept_step = int(content["global_step"])  # type: ignore[assignment]
            score = float(best.best_model_score) if best.best_model_score is not None else float("nan")
            rank_zero_info(f"The best weights are kept: {best.monitor} {score:.4f} ({best.best_model_path}).")
        report = next((c for c in trainer.callbacks if isinstance(c, RunReport)), None)  # type: ignore[attr-defined]
        in_vain = bool(nothing_learned(trainer, pl_module, report.read().get("before", {}) if report else {}))
        if module_facts(pl_module).calibrate_kept(in_vain) is not None and best is not None:
            add_temperature(trainer, best.best_model_path, module_facts(pl_module).temperature)
        if self.folder is not None and (trainer.is_global_zero or is_sharded(pl_module)):
            module: Any = pl_module
            first = trainer.is_global_zero
            if self.card is not None:
                module.card = self.card
            what = "exporting and reading it back" if self.check else "exporting"
            with swapped_in(self.folder) if first else nullcontext(Path(self.folder)) as place, working(what):
                module.save_pretrained(place, self.check)
            if module.backbone.adapters and module.backbone.merge_adapters and module.backbone.name is not None:
                with swapped_in(Path(self.folder).parent / "adapter") as place:  # small, beside the whole
                    module.save_adapters(place, self.check)


def add_temperature(trainer: Trainer, path: str, temperature: float) -> None:
    """Have a checkpoint say by what the logits of its weights are divided; it is whole at any moment.

    Args:
        trainer: that wrote it.
        path: of the checkpoint.
        temperature: that was fitted for its weights.
    """
    content = read_checkpoint(path)
    content[STORED] = {**content[STORED], "temperature": temperature}
    if trainer.is_global_zero:
        AtomicCheckpointIO().save_checkpoint(content, path)
    trainer.strategy.barrier("temperature")
