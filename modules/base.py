"""The base of every objective and task: building, one shared step, loss per target, optimiser and schedule."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.callbacks import Timer
from lightning.pytorch.trainer.states import RunningStage
from lightning.pytorch.utilities.rank_zero import rank_zero_info, rank_zero_warn
from torch import Tensor, nn
from torchmetrics import Metric, MetricCollection

from ..errors import InputError
from ..runs import STORED
from ..tokenization import pack_tokenizer, unpack_tokenizer
from .backbone import Backbone, WeightReport, config_from_json
from .card import model_card
from .layers.adapters import merge_lora
from .layers.metrics import MeanPerTarget, Perplexity
from .layers.optimizers import OptimizerName, make_optimizer, parameter_groups
from .layers.packed_attention import packed_inputs
from .layers.positions import max_positions
from .layers.schedules import ScheduleName, schedule
from .layers.window import Window

NETWORK_INPUTS = frozenset({"input_ids", "attention_mask", "token_type_ids", "position_ids"})


@dataclass
class Output:
    """What a step computes, or one part of it.

    Args:
        loss: scalar, the sum over targets.
        count: scalar, the number of targets (or their total weight).
        predictions: what the metrics take as predictions.
        targets: what the metrics take as targets.
    """

    loss: Tensor
    count: Tensor
    predictions: Tensor
    targets: Tensor


@cache
def _inputs_of(kind: Any) -> frozenset[str]:
    return NETWORK_INPUTS & set(inspect.signature(kind.forward).parameters)


class BaseModule(LightningModule):
    """One Hugging Face network trained on one signal.

    A subclass names the `auto_class` of its network and the `monitor`ed metric, computes an `Output` in `step`, and
    says in `make_metrics` what to measure. The network is built in `configure_model`, when the data are known. An
    objective with several losses names them in `parts` and returns an `Output` for each.

    Args:
        backbone: a hub id, a folder, an earlier run's folder or its `.ckpt`, or a `Backbone` with options.
        learning_rate: the peak of the schedule.
        weight_decay: decoupled decay, not on biases and norms.
        optimizer: `adamw`, fused and bias-corrected; or `sgd` with momentum 0.9.
        betas: AdamW's averaging factors.
        schedule: `constant`, `linear`, `cosine`, or `wsd` (arXiv 2405.18392); it steps with the optimiser.
        warmup: steps in which the rate rises, or a fraction of the run when below 1.
        layer_decay: factor on the rate from each layer to the one below it (arXiv 1801.06146).
        monitor: the metric that early stopping and the best checkpoint go by; null means the module's own.
    """

    auto_class: str
    default_monitor: str = "val/loss"
    perplexity_of: str | None = None
    """The part whose perplexity is reported; None where none is."""
    batch_keys: tuple[str, ...] = ("input_ids",)
    """What a batch must hold."""
    datamodules: tuple[str, ...] = ()
    """Those that give such batches, for messages."""
    frames_text: bool = True
    """Whether a text is to be put between the tokenizer's special tokens; what a corpus asks."""
    needs_word_ids: bool = False
    """Whether batches must tell words apart; what a corpus asks."""

    def __init__(
        self,
        backbone: str | Backbone,
        learning_rate: float = 5e-5,
        weight_decay: float = 0.01,
        optimizer: OptimizerName = "adamw",
        betas: tuple[float, float] = (0.9, 0.999),
        schedule: ScheduleName = "linear",
        warmup: float = 0.1,
        layer_decay: float = 1.0,
        monitor: str | None = None,
    ) -> None:
        super().__init__()
        for name, value, fine, range_ in (
            ("learning_rate", learning_rate, learning_rate > 0, "above 0"),
            ("weight_decay", weight_decay, weight_decay >= 0, "at least 0"),
            ("warmup", warmup, warmup >= 0, "at least 0"),
            ("layer_decay", layer_decay, 0 < layer_decay <= 1, "above 0 and at most 1"),
            ("betas", betas, all(0 <= beta < 1 for beta in betas), "at least 0 and below 1"),
        ):
            if not fine:
                raise InputError(f"model.{name} is {value}; it must be {range_}.")
        self.save_hyperparameters(logger=False)
        self.backbone = Backbone.of(backbone)
        # A checkpoint must load with weights_only=True: plain data instead of the dataclass, lists instead of tuples.
        self.hparams.update(backbone=self.backbone.to_dict(), betas=list(betas))
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.optimizer_name = optimizer
        self.betas = betas
        self.schedule = schedule
        self.warmup = warmup
        self.layer_decay = layer_decay
        self.monitor = monitor or self.default_monitor
        self.model: Any = None
        self.tokenizer: Any = None
        self.weight_report: WeightReport | None = None
        self.stored: dict[str, Any] | None = None
        """What the checkpoint to be restored says about itself; set before the trainer runs, or while loading."""
        self.metrics = nn.ModuleDict()
        self._window: Window | None = None
        self._steps: float = float("inf")
        self._seed = 0
        self._logged_epoch = -1
        self._trained = False

    # ------------------------------------------------------------------ hooks for subclasses

    def step(self, batch: dict[str, Tensor], stage: str) -> Output | dict[str, Output]:
        """Loss and predictions of one batch, or of each part; `stage` is `train`, `val` or `test`."""
        raise TypeError(f"{type(self).__name__} must define `step`.")

    def parts(self) -> dict[str, float]:
        """The weights of the losses whose sum is the loss, by name; one nameless part unless a subclass says more."""
        return {"": 1.0}

    def make_metrics(self, part: str) -> dict[str, Metric]:
        """The metrics of a part beside its loss, by name."""
        return {}

    def check_backbone(self, config: Any) -> None:
        """Raises an `InputError`, before any weight is made, if an architecture cannot be trained like this."""

    def networks(self) -> list[nn.Module]:
        """Everything that learns."""
        return [self.model]

    def head_options(self) -> dict[str, Any]:
        """Fields of the Hugging Face configuration that the head needs."""
        return {}

    def details(self) -> dict[str, Any]:
        """What a report says of a test beside its scores; plain data."""
        return {}

    # ------------------------------------------------------------------ building

    @property
    def mode(self) -> Literal["min", "max"]:
        """Whether the monitored metric should fall or rise."""
        return "min" if self.monitor.rpartition("/")[2] in {"loss", "perplexity"} else "max"

    def use_monitor(self, name: str) -> None:
        """Goes by another metric, when what suits was not known before the data were; callbacks follow."""
        for callback in getattr(self._trainer, "callbacks", None) or []:
            if getattr(callback, "monitor", None) == self.monitor:
                callback.monitor = name
        self.monitor = name

    def configure_model(self) -> None:
        """Builds the network once its surroundings are known; without a trainer, loading or `build` does."""
        if self._trainer is not None:
            self.build()

    def build(self) -> None:
        """Builds network and metrics, unless that was done; everything late is asked of the datamodule here.

        Raises:
            InputError: if something needed is neither given nor to be had from a datamodule.
        """
        if self.model is not None:
            return
        self.prepare(self.datamodule)
        config = None
        if self.stored is not None:
            config = config_from_json(self.stored["config"])
        self.check_backbone(config or self.backbone.load_config(self.tokenizer))
        self._check_length()
        self.model, self.weight_report = self.backbone.build(
            self.auto_class, self.tokenizer, config=config, weights=self.stored is None, **self.head_options()
        )
        if self.stored is None:
            self.weight_report.print()
        self.finish()
        self._make_metrics()

    def _make_metrics(self) -> None:
        parts = self.parts()
        for stage in ("train", "val", "test"):
            self.metrics[f"{stage}_loss"] = MeanPerTarget(list(parts.values()))
            for part in parts:
                prefix = f"{stage}/{part}_" if part else f"{stage}/"
                if part:
                    self.metrics[f"{stage}_loss_{part}"] = MeanPerTarget()
                if part == self.perplexity_of:
                    self.metrics[f"{stage}_perplexity"] = Perplexity()
                scores: dict[str, Metric | MetricCollection] = {**self.make_metrics(part)}
                self.metrics[f"{stage}_scores_{part}"] = MetricCollection(scores, prefix=prefix)

    def finish(self) -> None:
        """Called once the network is there; for what a subclass derives from it."""

    @property
    def datamodule(self) -> Any:
        """The trainer's datamodule, if there is one."""
        return getattr(self._trainer, "datamodule", None) if self._trainer is not None else None

    def prepare(self, data: Any) -> None:
        """Finds the tokenizer: the checkpoint's, the datamodule's, or the backbone's own."""
        if self.tokenizer is not None:
            return
        if getattr(data, "tokenizer", None) is not None:
            self.tokenizer = data.tokenizer
        elif self.stored is not None and self.stored.get("tokenizer"):
            self.tokenizer = unpack_tokenizer(self.stored["tokenizer"])
        elif self.backbone.name is not None:
            self.tokenizer = self.backbone.load_tokenizer()

    def input_limit(self) -> int | None:
        """The longest input in tokens that the backbone takes, or None when nothing bounds it."""
        stored = self.stored
        return max_positions(
            config_from_json(stored["config"]) if stored else self.backbone.load_config(self.tokenizer)
        )

    def _check_length(self) -> None:
        length, limit = getattr(self.datamodule, "longest", None), self.input_limit()
        if length is not None and limit is not None and length > limit:
            name = getattr(self.datamodule, "length_option", "max_length")
            cure = " or raise backbone.config.max_position_embeddings" if self.backbone.name is None else ""
            raise InputError(
                f"data.{name} is {length}, but {self.backbone.label} takes at most {limit} tokens: "
                f"set data.{name} to at most {limit}{cure}."
            )

    def forward(self, **inputs: Tensor) -> Any:
        """The network's own output for the given Hugging Face inputs."""
        self.build()
        return self.model(**inputs)

    def network_inputs(self, batch: dict[str, Tensor], network: Any = None) -> dict[str, Any]:
        """What a network takes out of a batch; `network` is this module's own unless another one is given."""
        network = self.model if network is None else network
        accepted = _inputs_of(type(network))  # type: ignore[arg-type]
        if getattr(network.config, "type_vocab_size", 0) < 2:  # GPT-2 would take types for words
            accepted = accepted - {"token_type_ids"}
        inputs = {key: value for key, value in batch.items() if key in accepted}
        return {**inputs, **packed_inputs(network, batch)} if "cu_seq_lens" in batch else inputs

    # ------------------------------------------------------------------ steps

    def shared_step(self, batch: dict[str, Tensor], stage: str) -> dict[str, Output]:
        """One step of any stage; metrics are objects over the whole set, never means of batch means."""
        if missing := [key for key in self.batch_keys if key not in batch]:
            raise InputError(
                f"{type(self).__name__} needs batches with {', '.join(missing)}, and these have {', '.join(batch)}; "
                f"the data of {' or '.join(self.datamodules) or 'another datamodule'} would work."
            )
        found = self.step(batch, stage)
        outputs = {"": found} if isinstance(found, Output) else found
        if stage != "train":
            self._log_losses(outputs, stage)
        for part, output in outputs.items():
            metrics: Any = self.metrics[f"{stage}_scores_{part}"]
            if len(metrics):
                metrics.update(output.predictions.detach(), output.targets)
                if stage != "train" or self._logged_epoch != self.current_epoch:  # once an epoch: it takes long
                    self.log_dict(metrics, prog_bar=stage == "val", batch_size=1, on_step=False, on_epoch=True)
        if stage == "train":
            self._logged_epoch = self.current_epoch
        return outputs

    def _log_losses(self, outputs: dict[str, Output], stage: str) -> None:
        losses = torch.stack([output.loss.detach() for output in outputs.values()])
        counts = torch.stack([output.count for output in outputs.values()])
        whole: Any = self.metrics[f"{stage}_loss"]
        whole.update(losses, counts)
        self.log(f"{stage}/loss", whole, prog_bar=stage == "val", batch_size=1)
        for part, output in outputs.items():
            named = {f"{stage}/{part}_loss": f"{stage}_loss_{part}"} if part else {}
            if part == self.perplexity_of:
                named[f"{stage}/perplexity"] = f"{stage}_perplexity"
            for name, key in named.items():
                metric: Any = self.metrics[key]
                metric.update(output.loss.detach(), output.count)
                self.log(name, metric, prog_bar=stage == "val", batch_size=1)

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        """Sums over targets; `on_before_optimizer_step` divides by their number in the whole window."""
        outputs = self.shared_step(batch, "train")
        if self._window is None:
            self._window = Window(list(self.parts().values()))
        return self._window.add(
            [output.loss for output in outputs.values()],
            [output.count for output in outputs.values()],
            self._learning(),
            whole=self.trainer.accumulate_grad_batches == 1,
            reduce=self._sum_over_processes,
        )

    def _learning(self) -> list[nn.Parameter]:
        groups = [group for optimizer in self.trainer.optimizers for group in optimizer.param_groups]
        return [parameter for group in groups for parameter in group["params"] if parameter.requires_grad]

    def _sum_over_processes(self, tensor: Tensor) -> Tensor:
        return self.trainer.strategy.reduce(tensor, reduce_op="sum") if self.trainer.world_size > 1 else tensor

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        """Updates the metrics."""
        self.shared_step(batch, "val")

    def test_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        """Updates the metrics."""
        self.shared_step(batch, "test")

    def on_fit_start(self) -> None:
        """Takes the seed that everything random in training is derived from."""
        if not self._seed:
            self._seed = self.trainer.strategy.broadcast(torch.initial_seed() % (1 << 31))
        self._trained, self._window, self._logged_epoch = True, None, -1

    def on_test_start(self) -> None:
        """Warns if what is tested was never trained."""
        if self._untrained():
            rank_zero_warn(f"The head is new and untrained: the scores of this test are chance. {self._cure()}")

    def on_predict_start(self) -> None:
        """Refuses to predict where there is nothing to, and with a head that was never trained."""
        if type(self).predict_step is LightningModule.predict_step:
            raise InputError(
                f"{type(self).__name__} predicts nothing of its own; give its run or export as model.backbone of a "
                "downstream task, such as TextClassification."
            )
        if self._untrained():
            raise InputError(f"The head is new and untrained: predictions would be chance. {self._cure()}")

    def _untrained(self) -> bool:
        report = self.weight_report
        return self.stored is None and not self._trained and report is not None and report.head_is_new

    def _cure(self) -> str:
        return "Give --ckpt_path (a checkpoint or a run folder), or a fine-tuned model as model.backbone."

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Seeds dropout by (seed, batch), so that a resumed run draws what the uninterrupted one would."""
        drawn = self.trainer.fit_loop.epoch_loop.total_batch_idx * self.trainer.world_size + self.trainer.global_rank
        seed = (self._seed * 1_000_003 + drawn) % (1 << 63)
        if self.device.type == "cpu":
            torch.default_generator.manual_seed(seed)  # alone: looking for other devices takes longer than a small step
        else:
            torch.manual_seed(seed)

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Makes the gradient the mean over all targets of the accumulation window and of all processes.

        Lightning divides by the number of micro-batches and averages over processes: both are undone. Averaging means
        of unequal micro-batches would weight a target by the size of the batch it happened to be in.
        """
        if self._window is None:
            return
        lightning = self.trainer.accumulate_grad_batches * self.trainer.world_size
        losses, counts = self._window.close(self._learning(), lightning, self._sum_over_processes).unbind(1)
        self._window = None
        weights = torch.tensor(list(self.parts().values()), device=losses.device)
        self.log("train/loss", (weights * losses / counts.clamp(min=1e-12)).sum().float(), prog_bar=True)

    # ------------------------------------------------------------------ optimisation

    def configure_optimizers(self) -> Any:
        """AdamW or SGD over parameter groups, with a schedule per optimiser step."""
        optimizer = make_optimizer(self.optimizer_name, self.parameter_groups(), self.betas, self.trainer.precision)
        try:
            self._steps = self.trainer.estimated_stepping_batches
            factor = schedule(self.schedule, self._steps, self.warmup, clock=self._clock())
        except ValueError as error:
            raise InputError(str(error)) from error
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def _clock(self) -> Callable[[], float] | None:
        """The share of `trainer.max_time` that is spent, if there is such a limit."""
        for callback in self.trainer.callbacks:  # type: ignore[attr-defined]
            if isinstance(callback, Timer) and callback._duration:
                timer, budget = callback, callback._duration
                return lambda: min(1.0, timer.time_elapsed(RunningStage.TRAINING) / budget)
        return None

    def progress(self) -> float:
        """The share of the training that is done, in steps or in time; 0 where nothing says when it ends."""
        clock = self._clock()
        done = self.global_step / self._steps if self._steps else 1.0
        return min(1.0, max(done, clock() if clock is not None else 0.0))

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Learning parameters by depth, and by whether they decay: not biases and norms."""
        return parameter_groups(self.networks(), self.learning_rate, self.weight_decay, self.layer_decay)

    # ------------------------------------------------------------------ saving and loading

    def describe(self) -> dict[str, Any]:
        """What a checkpoint needs to be rebuilt without a datamodule, a hub or a folder; plain data."""
        if self._packed is None and self.tokenizer is not None:
            self._packed = pack_tokenizer(self.tokenizer)
        return {
            "class": type(self).__name__,
            "config": self.model.config.to_json_string(use_diff=False),
            "tokenizer": self._packed or {},
            "seed": self._seed,
            "lora": bool(self.backbone.lora),
        }

    _packed: dict[str, str] | None = None

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Adds the module's description."""
        checkpoint[STORED] = self.describe()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuses another class's checkpoint, and builds the network if nothing did so far."""
        self.check_class(checkpoint.get(STORED, {}))
        self.stored = checkpoint[STORED]
        self._seed = self.stored["seed"]
        self.build()

    def check_class(self, entry: dict[str, Any]) -> None:
        """Raises an `InputError` if a checkpoint's description is not of this class."""
        found = entry.get("class", "something else")
        if found != type(self).__name__:
            raise InputError(
                f"The checkpoint is of a {found}, the model is a {type(self).__name__}. --ckpt_path only resumes or "
                "evaluates the same class; to start from its weights, give it as model.backbone."
            )

    def save_pretrained(self, folder: str | Path) -> None:
        """Writes a Hugging Face folder: safetensors, configuration, tokenizer, model card.

        Args:
            folder: made if missing.
        """
        self.build()
        model: Any = merge_lora(self.model) if self.backbone.lora else self.model
        model.save_pretrained(folder)
        if self.tokenizer is not None:
            trained = getattr(self.datamodule, "longest", None) if self.backbone.name is None else None
            limits = [n for n in (max_positions(self.model.config), trained, self.tokenizer.model_max_length) if n]
            self.tokenizer.model_max_length = min(limits)
            self.tokenizer.save_pretrained(folder)
        Path(folder, "README.md").write_text(model_card(self), encoding="utf-8")
        rank_zero_info(f"Exported to {folder}: transformers.{self.auto_class}.from_pretrained reads it.")
