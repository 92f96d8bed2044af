"""The command line: a thin LightningCLI that adds run folders, early stopping and checkpoints."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import Callback, ModelCheckpoint, ProgressBar
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI
from lightning.pytorch.strategies import StrategyRegistry
from typing_extensions import override

from ..errors import InputError
from ..recipes import names
from ..runs import RunFolder, stored
from .callbacks import (
    AtomicCheckpointIO,
    EarlyStopping,
    ExportBest,
    LastCheckpoint,
    LearningCurves,
    OverfittingWarnings,
    Pace,
    PredictionWriter,
    RunProgressBar,
    RunReport,
    StepTimes,
    Throughput,
)
from .callbacks.prediction_place import weights_of
from .callbacks.save_config import SaveConfig
from .loggers import RunCSVLogger, RunTensorBoardLogger
from .options import CheckpointOptions, EarlyStoppingOptions, PaceOptions, default_precision
from .parser import HelpfulParser, as_plain
from .strategies import FullySharded

StrategyRegistry.register("fully_sharded", FullySharded, "FSDP2")


class PretuneCLI(LightningCLI):
    """`python main.py {fit,validate,test,predict} --config FILE [--key value ...]`."""

    run: RunFolder

    def __init__(self, args: list[str] | None = None) -> None:
        super().__init__(
            parser_class=HelpfulParser,
            save_config_callback=SaveConfig,
            save_config_kwargs={"overwrite": True},
            trainer_defaults={
                "default_root_dir": "runs",
                "precision": default_precision(),
                "gradient_clip_val": 1.0,
                "enable_model_summary": False,  # the report of weights counts the parameters
                "num_sanity_val_steps": -1,  # all of them: whether training beats no training is to be seen
            },
            seed_everything_default=42,
            auto_configure_optimizers=False,
            args=args,
        )

    @override
    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        parser.add_argument(
            "--name", type=str | None, default=None, help="Of the run: runs/NAME/version_N. Null: the config's."
        )
        parser.add_argument(
            "--early_stopping", type=EarlyStoppingOptions | None, default=EarlyStoppingOptions(), help="Null: off."
        )
        parser.add_argument(
            "--recipe",
            type=str | None,
            default=None,
            help=f"Sets of options to start from ({', '.join(names())}); what you write yourself overrides them.",
        )
        parser.add_argument(
            "--seeds",
            type=str | list[int] | None,
            default=None,
            help="Of `fit`: 1,2,3 trains each, tells their spread.",
        )
        parser.add_argument("--pace", type=PaceOptions, default=PaceOptions())
        parser.add_argument("--checkpoint", type=CheckpointOptions, default=CheckpointOptions())
        parser.add_argument("--predictions", type=Literal["jsonl", "csv"], default="jsonl", help="Format of `predict`.")
        parser.add_argument(
            "--predictions_file",
            type=str | None,
            default=None,
            help="Of `predict`: this file (.jsonl or .csv) instead of the next free one of the run.",
        )
        parser.add_argument(
            "--predictions_top",
            type=int | None,
            default=None,
            help="Of `predict`: so many of a row's probabilities, the highest. Null: all of up to 100, else 20.",
        )

    @override
    def _parse_ckpt_path(self) -> None:
        """Lightning lays a checkpoint's hyperparameters over YAML and command line here; nothing overrides the user."""

    @override
    def before_instantiate_classes(self) -> None:
        config = self.config[self.subcommand]
        files = [path for path in config.get("config") or [] if path is not None]  # a recipe is no file
        first = Path(str(files[0])).stem if files else config.model.class_path.rpartition(".")[2]
        config.name = config.name or first
        identity = as_plain([config.model.class_path, config.model.init_args.get("backbone")])
        self.run = RunFolder.choose(
            Path(config.trainer.default_root_dir or "runs") / config.name,
            str(self.subcommand),
            config.ckpt_path,
            identity,
        )
        config.ckpt_path = str(self.run.checkpoint) if self.run.checkpoint else None
        if self.subcommand == "predict" and config.return_predictions is None:
            config.return_predictions = False  # they are written, and would fill the memory

    @override
    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        config = self._get(self.config_init, "trainer")
        callbacks = [*self._callbacks(), *(config.callbacks or [])]  # the user's see the best weights at the end
        if self.subcommand == "fit":
            kwargs |= self._pace(config, callbacks)
        if config.enable_progress_bar is not False and not any(isinstance(c, ProgressBar) for c in callbacks):
            callbacks.append(RunProgressBar())
        kwargs["callbacks"] = callbacks
        if config.logger in (None, True):
            place: dict[str, Any] = {"name": self.run.folder.parent.name, "version": self.run.folder.name}
            root = str(self.run.folder.parent.parent)
            kwargs["logger"] = [RunTensorBoardLogger(root, **place), RunCSVLogger(root, **place)]
        if isinstance(config.strategy, str) and not config.strategy.startswith(("fsdp", "deepspeed", "xla")):
            known = ["auto", *StrategyRegistry.available_strategies()]
            if config.strategy not in known:
                raise InputError(f"trainer.strategy is {config.strategy!r}; there are: {', '.join(sorted(known))}.")
            kwargs["plugins"] = [*(config.plugins or []), AtomicCheckpointIO()]
        return super().instantiate_trainer(**kwargs)

    def _pace(self, config: Any, callbacks: list[Callback]) -> dict[str, Any]:
        """Adds what sets epochs and validations where the user did not."""
        pace: PaceOptions = self._get(self.config_init, "pace")
        free = config.max_epochs is None and config.max_steps == -1 and config.max_time is None
        every = pace.validate_every if config.val_check_interval is None else None
        callbacks.append(Pace(pace.epochs if free else None, pace.min_steps, every))
        return {"max_epochs": pace.epochs} if free else {}

    def _callbacks(self) -> list[Callback]:
        folder, model = self.run.folder, self.model
        callbacks: list[Callback] = [StepTimes(), Throughput(), RunReport(folder)]
        if self.subcommand == "predict":
            return [self._writer(folder)]
        if self.subcommand != "fit":
            return callbacks
        callbacks += [LearningCurves(folder), OverfittingWarnings(recipe=self._get(self.config, "recipe"))]
        if (stopping := self._get(self.config_init, "early_stopping")) is not None:
            callbacks.append(EarlyStopping(monitor=model.monitor, mode=model.mode, **asdict(stopping)))
        best = ModelCheckpoint(
            folder / "checkpoints",
            filename="best",
            monitor=model.monitor,
            mode=model.mode,
            save_weights_only=True,
            save_on_train_epoch_end=False,
            enable_version_counter=False,
        )
        last = LastCheckpoint(folder / "checkpoints", **asdict(self._get(self.config_init, "checkpoint")))
        return [*callbacks, best, last, ExportBest(folder / "export")]

    def _writer(self, folder: Path) -> PredictionWriter:
        options = {name: self._get(self.config, f"predictions_{name}") for name in ("file", "top")}
        inline = getattr(self.datamodule, "predict_texts", None) is not None
        kind = self._get(self.config, "predictions")
        weights = weights_of(self.run.checkpoint, self.model.backbone)
        return PredictionWriter(folder, kind, **options, weights=weights, answers=inline)

    @property
    def predictions(self) -> Path | None:
        """Where `predict` wrote."""
        writers = [c for c in self.trainer.callbacks if isinstance(c, PredictionWriter)]  # type: ignore[attr-defined]
        return writers[0].path if writers else None

    @override
    def _run_subcommand(self, subcommand: str) -> None:
        try:
            super()._run_subcommand(subcommand)
        except Exception:
            if subcommand == "fit" and self.trainer.is_global_zero:
                self.run.discard()
            raise

    @override
    def after_instantiate_classes(self) -> None:
        if self.run.checkpoint is not None:
            entry = stored(self.run.checkpoint)
            if hasattr(self.model, "check_class"):
                self.model.check_class(entry)
                self.model.stored = entry
        if self.trainer.is_global_zero:
            self.run.create(self.subcommand == "fit" and not self._get(self.config, "trainer").fast_dev_run)
        self.run.tell()
