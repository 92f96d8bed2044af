"""The base of every objective and task: building, one shared step, metrics, checkpoints and export."""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.utilities.rank_zero import rank_zero_info, rank_zero_warn
from torch import Tensor, nn
from torchmetrics import Metric, MetricCollection

from ..checkpoints import STORED
from ..contracts import FULL, DataKind, ModuleFacts, data_facts
from ..errors import InputError
from ..text.tokenizer import pack_tokenizer, unpack_tokenizer
from .backbone.backbone import Backbone, WeightReport, config_from_json
from .backbone.carried import CARRIED
from .backbone.positions import max_positions
from .batches.targets import Targets, find_targets
from .early_callbacks import refuse_early
from .early_checks import check_early
from .export import export, export_adapters
from .export_check import Sample
from .losses.agreement import Kind, disagreement
from .metrics.basic import MeanPerTarget, Perplexity
from .metrics.directions import Direction, directions_of, named_directions, redirect
from .optimization.guard import NumericGuard
from .optimization.module import OptimizedModule
from .refusals import refuse_divided, refuse_predicting
from .sharding import is_sharded, shard
from .shortcuts.dropout import use_fast_dropout
from .shortcuts.packed_attention import full_inputs, packed_inputs, prefer_own_attention
from .shortcuts.padding_check import leave_out_padding_check
from .shortcuts.static_shapes import compiling, fill_pack, has_the_shape
from .shortcuts.unpadding import leave_out_padding, unpadding_inputs
from .shortcuts.varlen_attention import dropout_works

NETWORK_INPUTS = frozenset({"input_ids", "attention_mask", "token_type_ids", "position_ids", "use_cache"})


@dataclass
class Output:
    """What a step computes, or one part of it.

    Args:
        loss: scalar, the sum over targets.
        count: scalar, the number of targets (or their total weight).
        predictions: what the metrics take as predictions.
        targets: what the metrics take as targets.
        outputs: what the loss compares with the targets, (targets, ...) each: what R-Drop holds together.
        kind: what `outputs` are: logits of `classes`, logits of yes or no (`binary`), or `numbers`.
    """

    loss: Tensor
    count: Tensor
    predictions: Tensor
    targets: Tensor
    outputs: tuple[Tensor, ...] = ()
    kind: Kind = "classes"


def _finite(value: Any) -> bool:
    """Whether no number in an option is infinite or none."""
    if isinstance(value, dict | list | tuple):
        return all(map(_finite, value.values() if isinstance(value, dict) else value))
    return not isinstance(value, float) or math.isfinite(value)


@cache
def _inputs_of(kind: Any) -> frozenset[str]:
    return NETWORK_INPUTS & set(inspect.signature(kind.forward).parameters)


class BaseModule(OptimizedModule, ModuleFacts):
    """One Hugging Face network trained on one signal.

    A subclass names the `auto_class` of its network and the `monitor`ed metric, computes an `Output` in `step`, and
    says in `make_metrics` what to measure. The network is built in `configure_model`, when the data are known. An
    objective with several losses names them in `parts` and returns an `Output` for each.

    Args:
        backbone: a hub id, a folder, an earlier run's folder or its `.ckpt`, or a `Backbone` with options.
        label_smoothing: probability mass spread over the other classes, in the training loss alone (arXiv 1512.00567).
        r_drop: weight of the disagreement of two passes with different dropout (arXiv 2106.14448), such as 1; 0 is
            off. A step takes twice the time.
        monitor: the metric that early stopping and the best checkpoint go by; null means the module's own.
        monitor_mode: whether it should fall (`min`) or rise (`max`); only for what no module of this suite logs, the
            others know.
        shortcuts: leave out what changes no result (the head where there is no target, masks where nothing is padded,
            on a CPU the padding of encoders) and compute the rest as the device does it fastest; false computes all the
            plain way, for comparison.
        **optimization: how it learns: `learning_rate`, `weight_decay`, `schedule`, `warmup`, ...
    """

    auto_class: str
    default_monitor: str = "val/loss"
    perplexity_of: str | None = None
    """The part whose perplexity is reported; None where none is."""
    batch_keys: tuple[str, ...] = ("input_ids",)
    """What a batch must hold."""
    learns_from: DataKind = "text"
    """What the rows of its data must be."""
    datamodules: tuple[str, ...] = ()
    """Those that give such batches, for messages."""
    kept_step: int | None = None
    """After which step the weights are as they are now, where those of the last one were put back."""
    needs_tokenizer: bool = True
    """Whether it cannot do without one; not where batches say all that there is to know."""
    may_score: tuple[str, ...] = ()
    """What `make_metrics` may measure, whatever the data are; all of these are in `layers.directions.SCORES`."""
    scores_all_before_training: bool = True
    """Whether the validation before training measures everything that those in training do."""

    def __init__(
        self,
        backbone: str | Backbone,
        label_smoothing: float = 0.0,
        r_drop: float = 0.0,
        monitor: str | None = None,
        monitor_mode: Direction | None = None,
        shortcuts: bool = True,
        **optimization: Any,
    ) -> None:
        known = list(inspect.signature(OptimizedModule.__init__).parameters)[1:]
        if unknown := [name for name in optimization if name not in known]:
            raise TypeError(f"{type(self).__name__} has no option {unknown[0]!r}; it learns by: {', '.join(known)}.")
        super().__init__(**optimization)
        if not 0 <= label_smoothing < 1:
            raise InputError(f"model.label_smoothing is {label_smoothing}; it must be at least 0 and below 1.")
        if r_drop < 0:
            raise InputError(f"model.r_drop is {r_drop}; it must be at least 0.")
        self.save_hyperparameters(logger=False)
        self.backbone = Backbone.of(backbone)
        # A checkpoint must load with weights_only=True: plain data instead of the dataclass, lists instead of tuples.
        self.hparams.update(backbone=self.backbone.to_dict(), betas=list(self.betas))
        for name, value in self.hparams.items():
            if not _finite(value):
                raise InputError(f"model.{name} is {value}; it must be finite.")
        self.label_smoothing = label_smoothing
        self.r_drop = r_drop
        self.monitor: str = monitor or self.default_monitor
        self.monitor_mode = monitor_mode
        self.shortcuts = shortcuts
        self.model: Any = None
        self.tokenizer: Any = None
        self.weight_report: WeightReport | None = None
        self.metrics = nn.ModuleDict()
        self.target_counts: dict[str, Tensor] = {}
        """Of each part the targets of the latest training batch; scalars on the device."""
        self._logged_epoch = -1
        self._part_epoch = -1
        self._trained = False
        self._sample: Sample | None = None
        self._shaped = True
        self._trained_elsewhere = False

    # ------------------------------------------------------------------ hooks for subclasses

    def step(self, batch: dict[str, Tensor], stage: str) -> Output | dict[str, Output]:
        """Loss and predictions of one batch, or of each part; `stage` is `train`, `val` or `test`."""
        raise TypeError(f"{type(self).__name__} must define `step`.")

    def make_metrics(self, part: str) -> dict[str, Metric]:
        """The metrics of a part beside its loss, by name."""
        return {}

    def check_backbone(self, config: Any) -> None:
        """Raises an `InputError`, before any text is read, if an architecture cannot be trained like this."""

    def check_tokenizer(self, tokenizer: Any) -> None:
        """Raises an `InputError`, before any text is tokenized, if a tokenizer (or None) lacks what is needed."""

    def networks(self) -> list[nn.Module]:
        """Everything that learns."""
        return [self.model]

    def pretrained(self) -> dict[str, nn.Parameter]:
        """The learning parameters whose weights were loaded, by name."""
        loaded = set(self.weight_report.loaded) if self.weight_report is not None else set()
        return {f"model.{n}": p for n, p in self.model.named_parameters() if n in loaded and p.requires_grad}

    def head_options(self) -> dict[str, Any]:
        """Fields of the Hugging Face configuration that the head needs."""
        return {}

    # ------------------------------------------------------------------ building

    @property
    def mode(self) -> Direction:  # type: ignore[override]
        """Whether the monitored metric should fall or rise.

        Raises:
            InputError: if neither the metric nor `monitor_mode` says so.
        """
        if (found := self.direction()) is None:
            known = ", ".join(sorted(name for name in self.directions() if name.startswith("val/")))
            raise InputError(
                f"model.monitor is {self.monitor!r}, which validation does not log of itself; it logs: {known}. If a "
                "callback or a module of yours logs it, say whether it should fall or rise: model.monitor_mode: min or "
                "max."
            )
        return found

    def direction(self) -> Direction | None:
        """The same, or None where nobody knows; before the network is built, metrics are known by their names alone."""
        callbacks = getattr(self._trainer, "callbacks", None) or []
        theirs = {name: d for c in callbacks for name, d in getattr(c, "directions", {}).items()}
        found = {**theirs, **self.directions()}.get(self.monitor)
        if found is not None and self.monitor_mode not in (None, found):
            raise InputError(
                f"model.monitor_mode is {self.monitor_mode}, but {self.monitor} is better when it is "
                f"{'lower' if found == 'min' else 'higher'}: leave model.monitor_mode out."
            )
        return found or self.monitor_mode or named_directions([self.monitor], self.parts()).get(self.monitor)

    def directions(self) -> dict[str, Direction]:
        """Of what the module logs, whether it should fall or rise; a subclass adds what it logs besides its metrics."""
        parts = self.parts()
        losses = ["loss", *(f"{part}_loss" for part in parts if part)]
        losses += ["perplexity"] if self.perplexity_of in parts else []
        found: dict[str, Direction] = {f"{s}/{name}": "min" for s in ("train", "val", "test") for name in losses}
        return found | directions_of({key: scores for key, scores in self.metrics.items() if "_scores_" in key})

    def use_monitor(self, name: str) -> None:
        """Goes by another metric, when what suits was not known before the data were; callbacks follow."""
        before, self.monitor = self.monitor, name
        direction = self.mode
        for callback in getattr(self._trainer, "callbacks", None) or []:
            if getattr(callback, "monitor", None) == before:
                redirect(callback, name, direction)

    def _direct_callbacks(self) -> None:
        """Tells those that go by the module's metric which way it should go, now that the metric can be asked."""
        for callback in getattr(self._trainer, "callbacks", None) or []:
            if getattr(callback, "follows_module", False) and callback.mode != self.mode:
                redirect(callback, self.monitor, self.mode)

    def configure_callbacks(self) -> list[Callback]:
        """Adds what `max_rollbacks` asks for; refuses, before anything is read, what cannot come to a good end."""
        if self._compiler_ctx is not None:
            raise InputError(
                "torch.compile cannot follow the steps of a whole module, which look at the data: "
                "Backbone(..., compile=True) compiles the layers of its network."
            )
        refuse_early(self.trainer, self.model is not None)
        check_early(self)
        from .callbacks.rollback import Rollback  # callbacks know modules

        if not self.max_rollbacks or any(isinstance(c, Rollback) for c in self.trainer.callbacks):  # type: ignore[attr-defined]
            return []
        return [Rollback(self.max_rollbacks)]

    def check_data(self, data: Any) -> None:
        """Raises an `InputError` if a datamodule's tokenizer or lengths will not do; it asks before it tokenizes."""
        if self.model is None and self.stored is None:
            self.check_tokenizer(data.tokenizer)
            self.backbone.load_config(data.tokenizer)
        self._check_length()

    def configure_model(self) -> None:
        """Builds the network once its surroundings are known; without a trainer, loading or `build` does."""
        if self._trainer is not None:
            if self.model is not None:
                self._meet(self.datamodule)
            self.build()
            self.empty_metrics()
            if self.device_mesh is not None and not is_sharded(self.model):
                self._divide(self.device_mesh)
            self.give_to_averages()

    def _meet(self, data: Any) -> None:
        """Agrees with data that were not known when the network was built."""
        theirs = data_facts(data).tokenizer
        if theirs is None:
            return
        if self.tokenizer is None and len(theirs) <= self.model.config.vocab_size:
            self.tokenizer = theirs
        elif self.tokenizer is None or not theirs.get_vocab().items() <= self.tokenizer.get_vocab().items():
            raise InputError(
                f"The network was built before the data were known, and their tokenizer ({len(theirs):,} entries) is "
                "not its own: give the datamodule the tokenizer of the module (data.use_tokenizer(module.tokenizer)), "
                "or leave building to the trainer."
            )

    def _divide(self, mesh: Any) -> None:
        """Divides the networks over the devices of a strategy that wants it so (FSDP2)."""
        refuse_divided(self)
        half = str(self.trainer.precision) == "bf16-mixed"
        shard(self.networks(), mesh["data_parallel"], self.trainer.strategy.root_device, half)

    def build(self) -> None:
        """Builds network and metrics, unless that was done; everything late is asked of the datamodule here.

        Raises:
            InputError: if something needed is neither given nor to be had from a datamodule.
        """
        if self.model is not None:
            return
        with torch.inference_mode(False):  # what is made in it cannot learn, and a first `forward` may stand in it
            self._build()
        if self._trainer is None and (self.device, self.dtype) != (torch.device("cpu"), torch.float32):
            self.to(self.device)  # as it was before there was anything to move
            for network in self.networks():
                network.to(self.dtype)

    def _build(self) -> None:
        if self._trained_elsewhere and self.stored is None:
            raise InputError(
                "This module was given weights before it could build the network for them, as at the end of ddp_fork, "
                "ddp_spawn and ddp_notebook, whose processes alone knew the data: it has none. Give ckpt_path, take "
                "load_from_checkpoint, or train with strategy='ddp'."
            )
        self.prepare(self.datamodule)
        config = None
        if self.stored is not None:
            config = config_from_json(self.stored["config"])
        self.check_backbone(config or self.backbone.load_config(self.tokenizer))
        self.check_tokenizer(self.tokenizer)
        self._check_length()
        self.model, self.weight_report = self.backbone.build(
            self.auto_class,
            self.tokenizer,
            config=config,
            weights=self.stored is None,
            new_words=(self.stored or {}).get("new_words"),
            **self.head_options(),
        )
        self._sample = Sample(self.model)
        if self.stored is None:
            self.weight_report.print()
        self.finish()
        self._make_metrics()
        self._direct_callbacks()

    def _make_metrics(self) -> None:
        for stage in ("train", "val", "test"):
            self._add_metrics(stage)

    def _add_metrics(self, stage: str, loader: str = "") -> None:
        parts = self.parts()
        self.metrics[f"{stage}{loader}_loss"] = MeanPerTarget(list(parts.values()))
        for part in parts:
            prefix = f"{stage}/{part}_" if part else f"{stage}/"
            if part:
                self.metrics[f"{stage}{loader}_loss_{part}"] = MeanPerTarget()
            if part == self.perplexity_of:
                self.metrics[f"{stage}{loader}_perplexity"] = Perplexity()
            scores: dict[str, Metric | MetricCollection] = {**self.make_metrics(part)}
            self.metrics[f"{stage}{loader}_scores_{part}"] = MetricCollection(scores, prefix=prefix)

    def metric_key(self, stage: str) -> str:
        """What the names in `metrics` begin with, in the step at hand: those of a second loader are its own."""
        return f"{stage}{self.loader_number or ''}"

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
        if (theirs := data_facts(data).tokenizer) is not None:
            self.tokenizer = theirs
        elif self.stored is not None and self.stored.get("tokenizer"):
            self.tokenizer = unpack_tokenizer(self.stored["tokenizer"])
        elif self.backbone.name is not None:
            self.tokenizer = self.backbone.load_tokenizer(self.needs_tokenizer)

    def input_limit(self) -> int | None:
        """The longest input in tokens that the backbone takes, or None when nothing bounds it."""
        stored = self.stored
        return max_positions(
            config_from_json(stored["config"]) if stored else self.backbone.load_config(self.tokenizer)
        )

    def _check_length(self) -> None:
        data, limit = data_facts(self.datamodule), self.input_limit()
        length = data.longest
        if length is not None and limit is not None and length > limit:
            name = data.length_option or "max_length"
            cure = " or raise backbone.config.max_position_embeddings" if self.backbone.name is None else ""
            raise InputError(
                f"data.{name} is {length}, but {self.backbone.label} takes at most {limit} tokens: "
                f"set data.{name} to at most {limit}{cure}."
            )

    def forward(self, **inputs: Tensor) -> Any:
        """The network's own output for the given Hugging Face inputs."""
        self.build()
        return self.model(**inputs)

    def network_inputs(self, batch: dict[str, Any], network: Any = None) -> dict[str, Any]:
        """What a network takes out of a batch; `network` is this module's own unless another one is given."""
        network = self.model if network is None else network
        if self.backbone.compile and self.shortcuts and "cu_seq_lens" in batch:
            batch = fill_pack(batch)
        accepted = _inputs_of(type(network))  # type: ignore[arg-type]
        if getattr(network.config, "type_vocab_size", 0) < 2:  # GPT-2 would take types for words
            accepted = accepted - {"token_type_ids"}
        full = self.shortcuts and bool(batch.get(FULL))
        if full:
            accepted = accepted - {"attention_mask"}
        given = {**batch, "use_cache": False}  # keys and values, which no step asks for again
        inputs = {key: value for key, value in given.items() if key in accepted}
        if "cu_seq_lens" in batch:
            return {**inputs, **packed_inputs(network, batch)}
        return {**inputs, **(full_inputs if full else unpadding_inputs)(network, batch)}

    def targets(self, chosen: Tensor, most: int | None = None) -> Targets:
        """The places to predict at.

        Args:
            chosen: (rows, length), boolean.
            most: how many there are at the most, if that is known: a GPU is not asked to count them then.
        """
        if not self.shortcuts and not self.r_drop:
            return Targets(torch.arange(chosen.numel(), device=chosen.device), chosen.flatten())
        return find_targets(chosen, most if chosen.is_cuda and not self.r_drop else None)

    # ------------------------------------------------------------------ steps

    def shared_step(self, batch: dict[str, Tensor], stage: str) -> dict[str, Output]:
        """One step of any stage; metrics are objects over the whole set, never means of batch means."""
        there = list(batch) if isinstance(batch, Mapping) else None
        if missing := [key for key in self.batch_keys if there is None or key not in there]:
            those = f"these are of type {type(batch).__name__}" if there is None else f"these have {', '.join(there)}"
            raise InputError(
                f"{type(self).__name__} needs batches with {', '.join(missing)}, and {those}; "
                f"the data of {' or '.join(self.datamodules) or 'another datamodule'} would work."
            )
        outputs = self._training_outputs(batch) if stage == "train" else self._outputs(batch, stage)
        if stage != "train":
            self._log_losses(outputs, stage)
        for part, output in outputs.items():
            metrics: Any = self.metrics[f"{self.metric_key(stage)}_scores_{part}"]
            if len(metrics) and not (stage == "train" and self._part_epoch == self.current_epoch):
                metrics.update(output.predictions.detach(), output.targets)
                if stage != "train" or self._logged_epoch != self.current_epoch:  # once an epoch: it takes long
                    self.log_dict(metrics, prog_bar=stage == "val", batch_size=1, on_step=False, on_epoch=True)
        if stage == "train":
            self._logged_epoch = self.current_epoch
        return outputs

    def _training_outputs(self, batch: dict[str, Tensor]) -> dict[str, Output]:
        if self.model is None:
            raise InputError(
                f"The network of this {type(self).__name__} is not built yet, so that no optimizer has its weights: "
                "where no trainer of its own trains it, call build() first (in configure_model of the module that it "
                "is a part of, or before the optimizer is made)."
            )
        self.begin_step()
        try:
            outputs = self._outputs(batch, "train")
            return self._held_together(outputs, self._outputs(batch, "train")) if self.r_drop else outputs
        finally:
            self.end_step()

    def _outputs(self, batch: dict[str, Tensor], stage: str) -> dict[str, Output]:
        self._shaped = not (self.backbone.compile and self.shortcuts) or has_the_shape(batch)
        with compiling(self._shaped):
            found = self.step(batch, stage)
        if not isinstance(found, Output | dict):
            raise TypeError(
                f"{type(self).__name__}.step must return an Output (the sum of the losses, their number, predictions, "
                f"targets), or one for each part, and returned a {type(found).__name__}."
            )
        return {"": found} if isinstance(found, Output) else found

    def _held_together(self, first: dict[str, Output], second: dict[str, Output]) -> dict[str, Output]:
        """R-Drop: the mean of both losses, and how far the two passes are apart."""
        return {
            part: replace(
                one,
                loss=(one.loss + other.loss) / 2 + self.r_drop * disagreement(one.outputs, other.outputs, one.kind),
            )
            for (part, one), other in zip(first.items(), second.values(), strict=True)
        }

    def backward(self, loss: Tensor, *args: Any, **kwargs: Any) -> None:
        """Compiles nothing for a batch of another shape, either."""
        with compiling(self._shaped):
            super().backward(loss, *args, **kwargs)

    def smoothing(self, stage: str) -> float:
        """The share of label smoothing in the loss of a stage."""
        return self.label_smoothing if stage == "train" else 0.0

    def loss_options(self, stage: str) -> dict[str, Any]:
        """How the loss over a vocabulary is computed in a stage, as `recovered` takes it."""
        compiled = self.backbone.compile and self.shortcuts and self.device.type == "cuda"
        return {"smoothing": self.smoothing(stage), "plain": not self.shortcuts, "compiled": compiled}

    def _log_losses(self, outputs: dict[str, Output], stage: str) -> None:
        losses = torch.stack([output.loss.detach() for output in outputs.values()])
        counts = torch.stack([output.count for output in outputs.values()])
        key = self.metric_key(stage)
        whole: Any = self.metrics[f"{key}_loss"]
        whole.update(losses, counts)
        self.log(f"{stage}/loss", whole, prog_bar=stage == "val", batch_size=1)
        for part, output in outputs.items():
            named = {f"{stage}/{part}_loss": f"{key}_loss_{part}"} if part else {}
            if part == self.perplexity_of:
                named[f"{stage}/perplexity"] = f"{key}_perplexity"
            for name, place in named.items():
                metric: Any = self.metrics[place]
                metric.update(output.loss.detach(), output.count)
                self.log(name, metric, prog_bar=stage == "val", batch_size=1)

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        """Sums over targets; `on_before_optimizer_step` divides by their number in the whole window."""
        found = self.shared_step(batch, "train")
        self.target_counts = {part: output.count.detach() for part, output in found.items()}
        return self.add_to_window([output.loss for output in found.values()], list(self.target_counts.values()))

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int, dataloader_idx: int = 0) -> None:
        """Updates the metrics; those of a second loader are its own, logged as `val/loss/dataloader_idx_1`."""
        self._evaluate(batch, "val", dataloader_idx)

    def test_step(self, batch: dict[str, Tensor], batch_idx: int, dataloader_idx: int = 0) -> None:
        """Updates the metrics; those of a second loader are its own, logged as `test/loss/dataloader_idx_1`."""
        self._evaluate(batch, "test", dataloader_idx)

    def _evaluate(self, batch: dict[str, Tensor], stage: str, loader: int) -> None:
        self.loader_number = loader
        self.build()
        if loader and f"{stage}{loader}_loss" not in self.metrics:
            self._add_metrics(stage, str(loader))
            self.metrics.to(self.device)
            (self.host or self)._metric_attributes = None  # where Lightning keeps the names of those it knows
        try:
            self.shared_step(batch, stage)
        finally:
            self.loader_number = None

    def on_fit_start(self) -> None:
        """Takes the seed that everything random in training is derived from."""
        if not self._seeded:  # by an earlier fit, or by the checkpoint that this one goes on from
            self._seeded = True
            self._seed = self.trainer.strategy.broadcast(torch.initial_seed() % (1 << 31))
        self._trained, self._window, self.kept_step = True, None, None
        self._logged_epoch = self._part_epoch = -1
        if self.trainer.ckpt_path is None:
            self.guard, self.resumed = NumericGuard(self.max_skips), None
        self.take_shortcuts()

    def take_shortcuts(self) -> None:
        """Changes how the networks compute, and not what; for training, on the device where they are now."""
        for network in self.networks() if self.shortcuts else []:
            leave_out_padding_check(network)
            prefer_own_attention(network)
            leave_out_padding(network)
            if self.device.type == "cpu":
                use_fast_dropout(network)
            elif self.device.type == "cuda":
                dropout_works(self.device)  # looked at before anything is compiled

    def on_test_start(self) -> None:
        """Warns if what is tested was never trained."""
        if self.is_untrained():
            rank_zero_warn(f"The head is new and untrained: the scores of this test are chance. {self._cure()}")

    def on_predict_start(self) -> None:
        """Refuses to predict where there is nothing to, and with a head that was never trained."""
        refuse_predicting(self)
        if self.is_untrained() and not self.predicts_untrained:
            raise InputError(f"The head is new and untrained: predictions would be chance. {self._cure()}")

    def is_untrained(self) -> bool:
        """Whether the network, or its head, is new: neither trained, nor loaded with trained weights."""
        report = self.weight_report
        return self.stored is None and not self._trained and report is not None and report.head_is_new

    def _cure(self) -> str:
        cure = "Give --ckpt_path (a checkpoint or a run folder), or a fine-tuned model as model.backbone."
        return f"{self.why_untrained}{cure}"

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Seeds dropout by (seed, batch), so that a resumed run draws what the uninterrupted one would."""
        super().on_train_batch_start(batch, batch_idx)
        if self._logged_epoch < 0 and batch_idx:  # resumed within it
            self._leave_out_part_epoch()
        drawn = self.trainer.fit_loop.epoch_loop.total_batch_idx * self.trainer.world_size + self.trainer.global_rank
        seed = (self._seed * 1_000_003 + drawn) % (1 << 63)
        if self.device.type == "cpu":
            torch.default_generator.manual_seed(seed)  # alone: looking for other devices takes longer than a small step
        else:
            torch.manual_seed(seed)

    def _leave_out_part_epoch(self) -> None:
        """Measures no training scores in this epoch, of which the rows before the interruption are not known."""
        self._part_epoch = self._logged_epoch = self.current_epoch
        if any(len(scores) for name, scores in self.metrics.items() if name.startswith("train_scores_")):  # type: ignore[arg-type]
            rank_zero_info(
                f"Scores of training rows are left out of epoch {self.current_epoch:,}: a part of it was trained on "
                "before the run was resumed."
            )

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
            "lora": bool(self.backbone.adapters),
            "new_words": self.weight_report.new_words if self.weight_report is not None else [],
        }

    _packed: dict[str, str] | None = None

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Adds the module's description."""
        super().on_save_checkpoint(checkpoint)
        checkpoint[STORED] = self.describe()
        if self.weight_report is not None and self.weight_report.carried:
            checkpoint[CARRIED] = self.weight_report.carried

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuses another class's checkpoint, and builds the network if nothing did so far."""
        self.check_class(checkpoint.get(STORED, {}))
        super().on_load_checkpoint(checkpoint)
        self.stored = checkpoint[STORED]
        self._seed, self._seeded = checkpoint[STORED]["seed"], True
        self.build()
        if self.weight_report is not None:
            self.weight_report.carried = checkpoint.get(CARRIED, {})
        self.check_stored(checkpoint[STORED])

    def check_stored(self, entry: dict[str, Any]) -> None:
        """Raises an `InputError` if a checkpoint's outputs mean something else than those of the network built."""

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        """As torch's; builds the network if nothing did so far, instead of finding no place for any weight."""
        was_built = self.model is not None
        try:
            self.build()
            return super().load_state_dict(state_dict, strict, assign)
        except (InputError, RuntimeError):
            if was_built or strict:
                raise
            # So end ddp_fork and ddp_spawn, of which only the processes that are gone knew the data: training is done,
            # and must not fail now.
            self.model, self._trained_elsewhere = None, True
            return super().load_state_dict(state_dict, False, assign)

    def parameters(self, recurse: bool = True) -> Iterator[nn.Parameter]:
        """As torch's; builds the network if nothing did so far: an optimizer of no weights would learn nothing."""
        self.build()
        return super().parameters(recurse)

    def save_pretrained(self, folder: str | Path, check: bool = True) -> None:
        """Writes a Hugging Face folder: safetensors, configuration, tokenizer, model card.

        Of a network that is divided over processes, each must call this.

        Args:
            folder: made if missing.
            check: read it back by its own library, and compare weights, and outputs on rows of the first batch.

        Raises:
            InputError: if weights are not finite, or what is read back is not what was trained.
        """
        self.build()
        export(self, folder, check)

    def save_adapters(self, folder: str | Path, check: bool = True) -> None:
        """Writes adapters and head alone, as `peft.PeftModel.from_pretrained` reads them.

        Args:
            folder: made if missing.
            check: read them back, and compare outputs.

        Raises:
            InputError: as `save_pretrained`, and where there are no weights that they adapt.
        """
        export_adapters(self, folder, check)

    def sample_inputs(self) -> dict[str, Any]:
        """A few rows that the network was given, to compare its exports by; empty before it was given any."""
        return self._sample.inputs() if self._sample is not None else {}
