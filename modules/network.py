"""A module's network: built when its data are known, built again from what a checkpoint says, written as an export."""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ..checkpoints import STORED
from ..contracts import ModuleFacts, Stored, data_facts
from ..errors import InputError
from ..text.tokenizer import pack_tokenizer, unpack_tokenizer
from .backbone.architecture import config_from_json
from .backbone.backbone import Backbone
from .backbone.carried import CARRIED
from .backbone.known_words import check_words
from .backbone.positions import check_length, max_positions
from .backbone.weight_report import WeightReport
from .export import export, export_adapters
from .export_check import Sample
from .late_data import agree_with_data
from .optimization.averages import give_to_averages
from .optimization.module import OptimizedModule
from .refusals import refuse_divided
from .sharding import is_sharded, shard
from .sketch import architecture, find_out


class NetworkModule(OptimizedModule, ModuleFacts):
    """A module around one Hugging Face network, or around several that learn together.

    The network is built in `configure_model`, when the data are known, or by `build`. A checkpoint holds all that is
    needed to build it anew, without a datamodule, a hub or a folder.

    Args:
        backbone: a hub id, a folder, an earlier run's folder or its `.ckpt`, or a `Backbone` with options.
        **optimization: how it learns: `learning_rate`, `weight_decay`, `schedule`, `warmup`, ...
    """

    auto_class: str
    """Name of the Hugging Face auto class of its network, such as `AutoModelForMaskedLM`."""
    needs_tokenizer: bool = True
    """Whether it cannot do without one; not where batches say all that there is to know."""

    def __init__(self, backbone: str | Backbone, **optimization: Any) -> None:
        known = list(inspect.signature(OptimizedModule.__init__).parameters)[1:]
        if unknown := [name for name in optimization if name not in known]:
            raise TypeError(f"{type(self).__name__} has no option {unknown[0]!r}; it learns by: {', '.join(known)}.")
        super().__init__(**optimization)
        self.save_hyperparameters(logger=False)
        self.backbone = Backbone.of(backbone)
        # A checkpoint must load with weights_only=True: plain data instead of the dataclass, lists instead of tuples.
        self.hparams.update(backbone=self.backbone.to_dict(), betas=list(self.betas))
        if name := next((name for name, value in self.hparams.items() if not _is_finite(value)), None):
            raise InputError(f"model.{name} is {self.hparams[name]}; it must be finite.")
        self.model: Any = None
        self.tokenizer: Any = None
        self.weight_report: WeightReport | None = None
        self._trained = self._trained_elsewhere = False
        self._sample: Sample | None = None
        self._packed_tokenizer: dict[str, str] | None = None

    # ------------------------------------------------------------------ hooks for subclasses

    def check_backbone(self, config: Any) -> None:
        """Raise an `InputError`, before any text is read, if an architecture cannot be trained like this."""

    def check_tokenizer(self, tokenizer: Any) -> None:
        """Raise an `InputError`, before any text is tokenized, if a tokenizer (or None) lacks what is needed."""

    def check_stored(self, entry: Stored) -> None:
        """Raise an `InputError` if a checkpoint's outputs mean something else than those of the network built."""

    def head_options(self) -> dict[str, Any]:
        """Return the fields of the Hugging Face configuration that the head needs."""
        return {}

    def make_tables(self, vocabulary: int) -> None:
        """Make the buffers that a step draws by, such as which tokens are special; there may be no network."""

    def finish(self) -> None:
        """Derive what a subclass needs from the network, which is there now."""

    def networks(self) -> list[nn.Module]:
        """Return everything that learns."""
        return [self.model]

    def pretrained(self) -> dict[str, nn.Parameter]:
        """Return the learning parameters whose weights were loaded, by name."""
        loaded = set(self.weight_report.loaded) if self.weight_report is not None else set()
        return {f"model.{n}": p for n, p in self.model.named_parameters() if n in loaded and p.requires_grad}

    # ------------------------------------------------------------------ what is known before it is built

    @property
    def datamodule(self) -> Any:
        """The trainer's datamodule, if there is one."""
        return getattr(self._trainer, "datamodule", None) if self._trainer is not None else None

    def prepare(self, data: Any) -> None:
        """Find the tokenizer: the checkpoint's, the datamodule's, or the backbone's own."""
        if self.tokenizer is not None:
            return
        if (of_data := data_facts(data).tokenizer) is not None:
            self.tokenizer = of_data
        elif self.stored is not None and self.stored.tokenizer:
            self.tokenizer = unpack_tokenizer(self.stored.tokenizer)
        elif self.backbone.name is not None:
            self.tokenizer = self.backbone.load_tokenizer(self.needs_tokenizer)

    def input_limit(self) -> int | None:
        """Return the longest input in tokens that the backbone takes, or None when nothing bounds it."""
        stored = self.stored
        return max_positions(config_from_json(stored.config) if stored else self.backbone.load_config(self.tokenizer))

    def sketch(self) -> None:
        """Find out, without a network, all that `shown` asks; nothing where it is built."""
        if self.model is None:
            find_out(self)
            self.make_tables(max(getattr(architecture(self), "vocab_size", 0), len(self.tokenizer or ())))

    def check_length(self) -> None:
        """Raise an `InputError` if the inputs of the data are longer than the network takes."""
        check_length(self.datamodule, self.input_limit(), self.backbone)

    def check_data(self, data: Any) -> None:
        """Raise an `InputError` if a datamodule's tokenizer or lengths will not do; it asks before it tokenizes."""
        if self.model is None and self.stored is None:
            self.check_tokenizer(data.tokenizer)
            self.backbone.load_config(data.tokenizer)
            check_words(self.backbone, data.tokenizer)
        self.check_length()

    # ------------------------------------------------------------------ building

    def configure_model(self) -> None:
        """Build the network once its surroundings are known; without a trainer, loading or `build` does."""
        if self._trainer is None:
            return
        if self.model is not None:
            agree_with_data(self, self.datamodule)
        self.build()
        self.empty_metrics()
        if self.device_mesh is not None and not is_sharded(self.model):  # a strategy that wants it so (FSDP2)
            refuse_divided(self)
            half = str(self.trainer.precision) == "bf16-mixed"
            shard(self.networks(), self.device_mesh["data_parallel"], self.trainer.strategy.root_device, half)
        give_to_averages(self)

    def build(self) -> None:
        """Build network and metrics, unless that was done; everything late is asked of the datamodule here.

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
        config = find_out(self)
        self.model, self.weight_report = self.backbone.build(
            self.auto_class,
            self.tokenizer,
            config=config,
            weights=self.stored is None,
            new_words=None if self.stored is None else self.stored.new_words,
            **self.head_options(),
        )
        self._sample = Sample(self.model)
        if self.stored is None:
            self.weight_report.print()
        self.finish()

    def forward(self, **inputs: torch.Tensor) -> Any:
        """Return the network's own output for the given Hugging Face inputs."""
        self.build()
        return self.model(**inputs)

    def parameters(self, recurse: bool = True) -> Iterator[nn.Parameter]:
        """As torch's; builds the network if nothing did so far: an optimizer of no weights would learn nothing."""
        self.build()
        return super().parameters(recurse)

    def is_untrained(self) -> bool:
        """Return whether the network, or its head, is new: neither trained, nor loaded with trained weights."""
        report = self.weight_report
        return self.stored is None and not self._trained and report is not None and report.head_is_new

    def on_fit_start(self) -> None:
        """Take it for trained from here on."""
        super().on_fit_start()
        self._trained, self.kept_step = True, None

    kept_step: int | None = None
    """After which step the weights are as they are now, where those of the last one were put back."""

    # ------------------------------------------------------------------ checkpoints

    def describe(self) -> dict[str, Any]:
        """Return what is needed to rebuild it without a datamodule, a hub or a folder; plain data."""
        if self._packed_tokenizer is None and self.tokenizer is not None:
            self._packed_tokenizer = pack_tokenizer(self.tokenizer)
        return {
            "class": type(self).__name__,
            "config": self.model.config.to_json_string(use_diff=False),
            "tokenizer": self._packed_tokenizer or {},
            "seed": self._seed,
            "lora": bool(self.backbone.adapters),
            "new_words": self.weight_report.new_words if self.weight_report is not None else [],
        }

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add the module's description."""
        super().on_save_checkpoint(checkpoint)
        checkpoint[STORED] = self.describe()
        if self.weight_report is not None and self.weight_report.carried:
            checkpoint[CARRIED] = self.weight_report.carried

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuse another class's checkpoint, and build the network if nothing did so far."""
        entry = Stored.of(checkpoint.get(STORED, {}))
        self.check_class(entry)
        super().on_load_checkpoint(checkpoint)
        self.stored = entry
        self._seed, self._seeded = entry.seed, True
        self.build()
        if self.weight_report is not None:
            self.weight_report.carried = checkpoint.get(CARRIED, {})
        self.check_stored(entry)

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

    # ------------------------------------------------------------------ exports

    def save_pretrained(self, folder: str | Path, check: bool = True) -> None:
        """Write a Hugging Face folder: safetensors, configuration, tokenizer, model card.

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
        """Write adapters and head alone, as `peft.PeftModel.from_pretrained` reads them.

        Args:
            folder: made if missing.
            check: read them back, and compare outputs.

        Raises:
            InputError: as `save_pretrained`, and where there are no weights that they adapt.
        """
        export_adapters(self, folder, check)

    def sample_inputs(self) -> dict[str, Any]:
        """Return a few rows that the network was given, to compare its exports by; empty before it was given any."""
        return self._sample.inputs() if self._sample is not None else {}


def _is_finite(value: Any) -> bool:
    """Return whether no number in an option is infinite or none."""
    if isinstance(value, dict | list | tuple):
        return all(map(_is_finite, value.values() if isinstance(value, dict) else value))
    return not isinstance(value, float) or math.isfinite(value)
