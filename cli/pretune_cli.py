"""The command line: a thin LightningCLI that adds run folders, early stopping and checkpoints."""

from __future__ import annotations

import signal
import threading
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import Callback, Checkpoint, ProgressBar
from lightning.pytorch.cli import LightningArgumentParser
from lightning.pytorch.strategies import StrategyRegistry
from lightning.pytorch.utilities.model_helpers import is_overridden
from lightning.pytorch.utilities.rank_zero import rank_zero_info
from typing_extensions import override

from ..checkpoints import read_checkpoint, stored, versions
from ..contracts import AnswerOptions, ModuleFacts, data_facts, module_facts
from ..errors import InputError, first_line
from ..modules.base import BaseModule
from ..modules.optimization.resuming import refuse_shorter
from ..modules.strategies import FullySharded
from ..storage.paths import local_folder
from .announcement import announce
from .arguments import check_name
from .callbacks import (
    AtomicCheckpointIO,
    BestCheckpoint,
    EarlyStopping,
    ExportBest,
    LastCheckpoint,
    LearningCurves,
    OrderlyStop,
    OverfittingWarnings,
    Pace,
    PredictionWriter,
    RefuseUntrained,
    ReportPage,
    RunCard,
    RunProgressBar,
    RunReport,
    StepTimes,
    TestedRows,
    Throughput,
    TokenLosses,
)
from .callbacks.prediction_place import weights_of
from .callbacks.save_config import SaveConfig, is_same
from .callbacks.untrained import CURE
from .full_disk import full_disk_message
from .launch import speak_alone
from .loggers import RunCSVLogger, RunTensorBoardLogger
from .options import PaceOptions, default_precision
from .parser import HelpfulParser, as_plain
from .run_folder import RunFolder
from .run_options import add_run_options
from .stop_signals import STARTED, TIME_LIMIT, Interrupted, requests, seconds_of
from .tracked_cli import TrackedCLI
from .verbs import running

StrategyRegistry.register("fully_sharded", FullySharded, "FSDP2")


class PretuneCLI(TrackedCLI):
    """`python main.py {fit,validate,test,predict} --config FILE [--key value ...]`."""

    _taken: RunFolder | None = None
    _alarm: Any = None
    """Who handled SIGALRM before."""

    def __init__(self, args: list[str] | None = None) -> None:
        done = False
        try:
            super().__init__(
                parser_class=HelpfulParser,
                save_config_callback=SaveConfig,
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
            done = True
        finally:
            if self._alarm is not None:
                signal.setitimer(signal.ITIMER_REAL, 0)
                signal.signal(signal.SIGALRM, self._alarm)
            if self._taken is not None:
                self._taken.release(keep=done)

    @override
    def setup_parser(self, *args: Any) -> None:
        super().setup_parser(*args)
        for verb in self.subcommands():
            parser: Any = self._parser(verb)
            parser.verb = running.get() or verb  # what `--help` is of

    @override
    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        add_run_options(parser)

    @override
    def _parse_ckpt_path(self) -> None:
        """Do nothing: Lightning lays a checkpoint's options over YAML and command line; the user has the last word."""

    @override
    def before_instantiate_classes(self) -> None:
        super().before_instantiate_classes()
        config = self.config[self.subcommand]
        files = [path for path in config.get("config") or [] if path is not None]  # a recipe is no file
        first = Path(str(files[0])).stem if files else config.model.class_path.rpartition(".")[2]
        config.name = check_name(config.name or first)
        self._set_alarm(seconds_of(config.stop_after))
        if not self.writes:
            return
        backbone = config.model.init_args.get("backbone")
        parser = self._parser(self.subcommand)
        self.run = self._taken = RunFolder.choose(
            Path(local_folder(config.trainer.default_root_dir or "runs", "trainer.default_root_dir"), config.name),
            str(self.subcommand),
            config.ckpt_path,
            as_plain([config.model.class_path, backbone]),
            same=lambda run: is_same(parser, config, run),
            training=not config.trainer.fast_dev_run,
            name=config.name,
        )
        config.ckpt_path = str(self.run.checkpoint) if self.run.checkpoint else None
        if self.subcommand == "predict" and config.return_predictions is None:
            config.return_predictions = False  # they are written, and would fill the memory
        self.save_config_kwargs = {"folder": self.run.folder}

    def _set_alarm(self, limit: float | None) -> None:
        """Ask to stop when the time is over, wherever the command is then."""
        if limit is None or threading.current_thread() is not threading.main_thread():
            return
        self._alarm = signal.signal(signal.SIGALRM, lambda number, frame: requests.handle(TIME_LIMIT, frame))
        signal.setitimer(signal.ITIMER_REAL, max(0.01, limit - (time.monotonic() - STARTED)))

    @override
    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        config = self._get(self.config_init, "trainer")
        callbacks = [*self._callbacks(), *(config.callbacks or [])]  # the user's see the best weights at the end
        if self.subcommand == "fit":
            pace, options = self._pace(config)
            callbacks, kwargs = [*callbacks, pace], kwargs | options
        if config.enable_progress_bar is not False and not any(isinstance(c, ProgressBar) for c in callbacks):
            callbacks.append(RunProgressBar())
        last = next((c for c in callbacks if isinstance(c, LastCheckpoint)), None)
        if config.enable_checkpointing is not False:  # it counts as a checkpoint callback
            callbacks.append(OrderlyStop(self.run.folder, last))
        kwargs["callbacks"] = callbacks
        kwargs["default_root_dir"] = str(self.run.folder)  # where Lightning looks for files of Slurm jobs, and writes
        if config.logger in (None, True) and self.subcommand == "predict":
            kwargs["logger"] = False  # there is nothing to log
        elif config.logger in (None, True):
            place: dict[str, Any] = {"name": self.run.folder.parent.name, "version": self.run.folder.name}
            root = str(self.run.folder.parent.parent)
            board = RunTensorBoardLogger(root, **place, trains=self.subcommand == "fit")
            kwargs["logger"] = [board, RunCSVLogger(root, **place)]
        if isinstance(config.strategy, str) and not config.strategy.startswith(("fsdp", "deepspeed", "xla")):
            known = ["auto", *StrategyRegistry.available_strategies()]
            if config.strategy not in known:
                raise InputError(f"trainer.strategy is {config.strategy!r}; there are: {', '.join(sorted(known))}.")
            kwargs["plugins"] = [*(config.plugins or []), AtomicCheckpointIO()]
        try:
            trainer = super().instantiate_trainer(**kwargs)
        except RuntimeError as error:
            if "SLURM" not in str(error):
                raise
            raise InputError(f"{first_line(error)} (It was started under Slurm, as the environment has it.)") from error
        speak_alone(trainer)
        if self.subcommand == "fit":
            announce(trainer, self.run.folder)
        # What ends a run comes before what has its last step validated, and that before checkpoints are taken.
        trainer.callbacks.sort(key=lambda c: 2 if isinstance(c, Checkpoint) else int(isinstance(c, Pace)))  # type: ignore[attr-defined]
        return trainer

    def _pace(self, config: Any) -> tuple[Pace, dict[str, Any]]:
        """Return what sets epochs and validations where the user did not, and options of the trainer."""
        pace: PaceOptions = self._get(self.config_init, "pace")
        free = config.max_epochs is None and config.max_steps == -1 and config.max_time is None
        every = pace.validate_every if config.val_check_interval is None else None
        settled = data_facts(self.datamodule).passes
        epochs = pace.epochs if free and settled is None else None
        callback = Pace(epochs, pace.min_steps, every, pace.validation_share)
        return callback, {"max_epochs": settled or pace.epochs} if free else {}

    def _callbacks(self) -> list[Callback]:
        folder, model = self.run.folder, self.model
        callbacks: list[Callback] = [StepTimes(), Throughput(), RunReport(folder)]
        if self.subcommand in ("validate", "test") and not self._get(self.config, "untrained"):
            callbacks.append(RefuseUntrained(self.run.why_untrained))
        if self.subcommand == "predict":
            return [RunReport(folder), self._writer(folder)]
        if self.subcommand == "test":
            return [*callbacks, TestedRows(folder), TokenLosses(), ReportPage(folder), RunCard(folder)]
        if self.subcommand != "fit":
            return callbacks
        callbacks += [LearningCurves(folder), OverfittingWarnings(recipe=self._get(self.config, "recipe"))]
        # What a metric says of its direction is heard when there are metrics.
        mode = (model.direction() or "min") if isinstance(model, BaseModule) else model.mode
        if (stopping := self._get(self.config_init, "early_stopping")) is not None:
            callbacks.append(EarlyStopping(monitor=model.monitor, mode=mode, **asdict(stopping)))
        best = BestCheckpoint(
            folder / "checkpoints",
            filename="best",
            monitor=model.monitor,
            mode=mode,
            save_weights_only=True,
            save_on_train_epoch_end=False,
            enable_version_counter=False,
        )
        last = LastCheckpoint(folder / "checkpoints", **asdict(self._get(self.config_init, "checkpoint")))
        check = self._get(self.config_init, "export_check")
        card = self._get(self.config_init, "card")
        export = ExportBest(folder / "export", check, card)
        return [*callbacks, best, last, export, TokenLosses(), ReportPage(folder), RunCard(folder)]

    def _writer(self, folder: Path) -> PredictionWriter:
        options = {name: self._get(self.config, f"predictions_{name}") for name in ("file", "top")}
        if options["top"] is not None and self._get(self.config, "top_k") is not None:
            raise InputError("--predictions_top bounds the probabilities, which --top_k leaves out: give one of them.")
        inline = data_facts(self.datamodule).predict_texts is not None
        kind = self._get(self.config, "predictions")
        weights = weights_of(self.run.checkpoint, self.model.backbone)
        return PredictionWriter(folder, kind, **options, weights=weights, answers=inline)

    @property
    def predictions(self) -> Path | None:
        """Return where `predict` wrote."""
        writers = [c for c in self.trainer.callbacks if isinstance(c, PredictionWriter)]  # type: ignore[attr-defined]
        return writers[0].path if writers else None

    @override
    def _run_subcommand(self, subcommand: str) -> None:
        try:
            super()._run_subcommand(subcommand)
        except Interrupted as stop:
            if stop.message is None:
                step = self.trainer.global_step
                trained = f"after step {step:,}, before all was written" if step else "before the first step was done"
                stop.message = f"{trained if subcommand == 'fit' else f'during {subcommand}'}; {self.run.saved()}"
            raise
        except Exception as error:
            if (full := full_disk_message(error, str(subcommand), self.run)) is None:
                raise
            raise InputError(full) from error

    @override
    def after_instantiate_classes(self) -> None:
        model = module_facts(self.model)
        if self.run.checkpoint is not None:
            entry = stored(self.run.checkpoint)
            asked = self._get(self.config, "seed_everything")
            if self.subcommand == "fit" and type(asked) is int and asked % (1 << 31) != entry.seed:
                raise InputError(
                    f"seed_everything is {asked}, but the run that is resumed goes on with its own: set it to "
                    f"{entry.seed}."
                )
            if self.subcommand == "fit":
                content = read_checkpoint(self.run.checkpoint, whole=False)
                refuse_shorter(self._get(self.config_init, "trainer"), content, str(self.run.checkpoint))
            model.check_class(entry)
            model.stored = entry
        if (why := self.run.why_untrained) and not self._get(self.config, "untrained"):
            backbone, able = model.backbone, self.subcommand != "predict"
            able = able or is_overridden("predict_step", self.model)
            if able and backbone is not None and backbone.name is None:  # of a new head, once its weights are loaded
                raise InputError(f"{why} {CURE}")
            if backbone is not None and backbone.name is not None:
                try:
                    backbone.load_config()
                except InputError as error:  # which would hide what is to be mended
                    raise InputError(f"{why} {CURE} As it is: {error}") from error
                if versions(self.run.folder.parent):  # there are runs, of which none is taken
                    rank_zero_info(why)
        if self.subcommand == "predict":
            asked = AnswerOptions(self._get(self.config, "top_k"), self._get(self.config, "threshold"))
            if asked != AnswerOptions() and not isinstance(self.model, ModuleFacts):
                raise InputError(
                    f"--top_k and --threshold mean nothing for {type(self.model).__name__}, which predicts by itself: "
                    "leave them out."
                )
            model.answer_options = asked
        model.predicts_untrained = self._get(self.config, "untrained")
        model.why_untrained = f"{why} " if why else ""
        self.run.tell()
        super().after_instantiate_classes()
