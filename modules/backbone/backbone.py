"""A backbone: weights, their architecture and their tokenizer, and how they are adapted."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from lightning.pytorch.utilities.rank_zero import rank_zero_warn

from ...checkpoints import locate, read_checkpoint, stored
from ...errors import InputError, check_range
from ...storage.checksums import refuse_damaged_weights
from ...text.hub_access import model_options
from ...text.tokenizer import EXTENDS, MissingTokenizer, load_tokenizer
from ..shortcuts.fresh_weights import reinitialize
from .adapters import add_adapters
from .architecture import change_fields, config_from_json, nearest, new_config, refuse_unsupported, set_dropout
from .carried import CARRIED, is_carried, read_carried
from .depth import layer_stacks
from .layers import compile_layers, freeze, in_body
from .skeleton import new_network, no_attention
from .vocabulary import fit_vocabulary
from .weight_report import WeightReport
from .why_not import why_not

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase


@dataclass
class Backbone:
    """Where weights come from and how they are adapted.

    Args:
        name: a hub id, a folder in Hugging Face's format, an earlier run's folder, or its `.ckpt`.
        config: an architecture to build from scratch, as `model_type` and the fields of its Hugging Face
            configuration; beside `name`, fields to change in the loaded configuration.
        revision: branch, tag or commit of a hub model.
        dropout: replaces every dropout probability of the architecture (layer drop excepted).
        attention: Hugging Face's attention implementation, such as `sdpa` or `eager`.
        gradient_checkpointing: recompute activations in the backward pass: less memory, about 30% more time.
        freeze: `embeddings`, a number n (the embeddings and the lowest n layers), or `all` (only the head learns).
        reinitialize_layers: give the top n layers fresh weights (arXiv 2006.05987).
        lora: options of `peft.LoraConfig` such as `{r: 8, lora_alpha: 16}` (arXiv 2106.09685); needs peft. Words
            that are new to the weights learn beside them. The run keeps in `adapter/` all in which it differs from
            `name`, for peft.
        adapter: another method of peft, with fields of its configuration, such as `{peft_type: IA3}`.
        merge_adapters: whether the export is the whole model, with the adapters merged into its weights; otherwise it
            holds what differs from `name` alone, for `peft.PeftModel.from_pretrained`.
        compile: `torch.compile` each layer in place; fast where inputs keep one shape, as blocks of a corpus do.
        trust_remote_code: run modeling code that comes with a hub model. Off unless you switch it on.
    """

    name: str | None = None
    config: dict[str, Any] | None = None
    revision: str | None = None
    dropout: float | None = None
    attention: str | None = None
    gradient_checkpointing: bool = False
    freeze: int | Literal["embeddings", "all"] | None = None
    reinitialize_layers: int = 0
    lora: dict[str, Any] | None = None
    adapter: dict[str, Any] | None = None
    merge_adapters: bool = True
    compile: bool = False
    trust_remote_code: bool = False

    def check(self) -> Backbone:
        """Return itself; refuse what is out of range before anything is loaded.

        Not as `__post_init__`, whose messages the command line's parser would bury in its own.
        """
        if self.name is None and "model_type" not in (self.config or {}):
            raise InputError(
                "backbone needs a `name` (hub id, folder, earlier run) or a `config` with a `model_type`. (In a "
                "LightningCLI of your own, --model.backbone.dropout takes the place of a mere --model.backbone NAME: "
                "write --model.backbone.name NAME.)"
            )
        check_range("backbone.dropout", self.dropout, least=0, below=1)
        if isinstance(self.freeze, int) and self.freeze < 0:
            raise InputError(
                f"backbone.freeze is {self.freeze}; `embeddings`, a number of layers (0 freezes the embeddings alone) "
                "or `all` would work."
            )
        check_range("backbone.reinitialize_layers", self.reinitialize_layers, least=0)
        if self.name is None and not self.merge_adapters and (self.lora is not None or self.adapter is not None):
            raise InputError(
                "backbone.merge_adapters: false exports adapters alone, which are of no use without the weights that "
                "they adapt, and those of a `config` are made up anew each time: give a `name`, or leave it true."
            )
        return self

    @classmethod
    def of(cls, value: str | dict[str, Any] | Backbone) -> Backbone:
        """Return a backbone from what users write: a name, a dictionary, or the thing itself."""
        if isinstance(value, Backbone):
            return value.check()
        if isinstance(value, str):
            return cls(name=value)
        known = [field.name for field in dataclasses.fields(cls)]
        for key in value:
            if key not in known:
                raise InputError(f"backbone has no option {key!r}; it has: {', '.join(known)}{nearest(key, known)}.")
        return cls(**value).check()

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for checkpoints and YAML."""
        return dataclasses.asdict(self)

    @property
    def adapters(self) -> dict[str, Any] | None:
        """The adapters' method and options, if there are any."""
        if self.lora is not None and self.adapter is not None:
            raise InputError("backbone.lora and backbone.adapter are two kinds of adapters: give one of them.")
        return {"peft_type": "LORA", **self.lora} if self.lora is not None else self.adapter

    @property
    def label(self) -> str:
        """A short name for messages."""
        return self.name or f"{(self.config or {}).get('model_type', 'new')} (from scratch)"

    def load_tokenizer(self, needed: bool = True) -> PreTrainedTokenizerBase | None:
        """Return the backbone's own tokenizer.

        Args:
            needed: false returns None, and says so, where weights have none.

        Raises:
            InputError: for a backbone from scratch, which has none.
        """
        if self.name is None:
            raise InputError(
                "A backbone built from `config` has no tokenizer of its own: set data.tokenizer to a name, a folder, "
                "or {train: wordpiece, vocab_size: 16384}."
            )
        self.load_config()  # whose error says more, where the name is wrong altogether
        try:
            return load_tokenizer(self.name, self.revision, self.trust_remote_code)
        except MissingTokenizer as error:
            if needed:
                raise
            rank_zero_warn(str(error))
            return None

    def load_config(self, tokenizer: PreTrainedTokenizerBase | None = None) -> PretrainedConfig:
        """Return the architecture: the named weights' own, or what `config` spells out, fit for the tokenizer."""
        if self.name is None:
            return self._with_dropout(new_config(self.config or {}, tokenizer))
        from transformers import AutoConfig

        place = locate(self.name)
        if isinstance(place, Path) and place.suffix == ".ckpt":
            config = config_from_json(stored(place).config)
        else:
            try:
                config = AutoConfig.from_pretrained(
                    str(place), trust_remote_code=self.trust_remote_code, **model_options(place, self.revision)
                )
            except Exception as error:  # fields of another kind come as whatever they lead to
                why = why_not(place, self.revision, error)
                raise InputError(
                    f"The backbone {self.name!r} cannot be loaded: {why} A local folder, an earlier run's folder, or a "
                    "hub id that is reachable or cached would work."
                ) from error
        return self._changed(config)

    def _changed(self, config: PretrainedConfig) -> PretrainedConfig:
        change_fields(config, self.config or {})
        return self._with_dropout(config)

    def _with_dropout(self, config: PretrainedConfig) -> PretrainedConfig:
        if self.dropout is not None:
            set_dropout(config, self.dropout)
        return config

    def build(
        self,
        auto_class: str,
        tokenizer: PreTrainedTokenizerBase | None,
        config: PretrainedConfig | None = None,
        weights: bool = True,
        new_words: list[int] | None = None,
        **head: Any,
    ) -> tuple[PreTrainedModel, WeightReport]:
        """Make the network, in training mode.

        Args:
            auto_class: name of the Hugging Face auto class, such as `AutoModelForMaskedLM`.
            tokenizer: what the vocabulary must hold.
            config: replaces the loaded configuration (a checkpoint that will be restored knows its own).
            weights: whether to load weights at all; not when a checkpoint is restored right after.
            new_words: of a restored network, the rows that its weights did not come with.
            head: fields of the configuration that the head needs, such as `num_labels`.

        Raises:
            InputError: if the architecture cannot carry the head, or no weight matches it.
        """
        import transformers

        is_restored = config is not None
        config = self._changed(config) if config is not None else self.load_config(tokenizer)
        for key, value in head.items():
            setattr(config, key, value)
        auto = getattr(transformers, auto_class)
        refuse_unsupported(config, auto, self.label)
        report = WeightReport(self.label)
        if self.name is None or not weights:
            model = new_network(auto, config, self.attention)
            report.new = [] if is_restored else [name for name, _ in model.named_parameters()]
        else:
            model = self._load(auto, config, report)
        if tokenizer is not None:
            report.new_words = fit_vocabulary(model, tokenizer, self._extended(tokenizer) if weights else None)
        if new_words is not None:
            report.new_words = new_words
        self.adapt(model, report.new_words if self.name is not None else [])
        report.parameters = sum(p.numel() for p in model.parameters())
        # from_pretrained hands out eval mode, and Lightning leaves it so: dropout would be off for the whole run.
        model.train()
        return model, report

    def _extended(self, tokenizer: PreTrainedTokenizerBase) -> PreTrainedTokenizerBase | None:
        """Return the tokenizer that the weights were trained with, where this one is an extension of it."""
        return self.load_tokenizer() if self.name is not None and EXTENDS in tokenizer.init_kwargs else None

    def _load(self, auto: Any, config: PretrainedConfig, report: WeightReport) -> Any:
        place = locate(self.name or "")
        options: dict[str, Any] = {"attn_implementation": self.attention} if self.attention else {}
        quiet = {"config": config, "output_loading_info": True, "ignore_mismatched_sizes": True, **options}
        if isinstance(place, Path) and place.is_dir():
            refuse_damaged_weights(place)
        try:
            if isinstance(place, Path) and place.suffix == ".ckpt":
                if stored(place).lora:
                    raise InputError(
                        f"{place} holds adapters that are not merged; the export/ of its run holds them merged."
                    )
                content = read_checkpoint(place)
                state = {
                    key.removeprefix("model."): value
                    for key, value in content["state_dict"].items()
                    if key.startswith("model.")
                } | content.get(CARRIED, {})
                model_class = auto._model_mapping[type(config)]
                model, info = model_class.from_pretrained(None, state_dict=state, **quiet)
            else:
                model, info = auto.from_pretrained(
                    str(place),
                    trust_remote_code=self.trust_remote_code,
                    use_safetensors=True,  # never a pickle
                    dtype=torch.float32,
                    **model_options(place, self.revision),
                    **quiet,
                )
        except InputError:
            raise
        except ImportError as error:
            raise no_attention(self.attention, error) from error
        except Exception as error:  # a configuration that somebody has edited comes as whatever it leads to
            why = why_not(place, self.revision, error)
            raise InputError(f"The weights of {self.name!r} cannot be loaded: {why}") from error
        report.fill(model, info)
        if isinstance(place, Path) and place.suffix == ".ckpt":
            report.carried = {name: state[name].clone() for name in report.unused if is_carried(name)}
        else:
            report.carried = read_carried(place, self.revision, model.base_model_prefix, report.unused)
        report.unused = [name for name in report.unused if not is_carried(name)]
        return model

    def adapt(self, model: PreTrainedModel, new_words: Sequence[int] = ()) -> None:
        """Adapt a built network in place; `new_words` are rows of the embedding that its weights did not come with."""
        if self.reinitialize_layers:
            for stack in layer_stacks(model.base_model):
                if self.reinitialize_layers > len(stack):
                    raise InputError(
                        f"backbone.reinitialize_layers is {self.reinitialize_layers}, but {self.label} has "
                        f"{len(stack)} layers."
                    )
                for layer in list(stack)[len(stack) - self.reinitialize_layers :]:
                    reinitialize(model, layer)
        if self.adapters is not None:
            head = {name for name, _ in model.named_parameters() if not in_body(model, name)}
            option = "backbone.adapter" if self.lora is None else "backbone.lora"
            add_adapters(model, head, self.adapters, option, new_words, self.merge_adapters)
        if self.freeze is not None:  # the adapters of frozen layers too
            freeze(model, self.freeze)
        if self.gradient_checkpointing:
            model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
        if self.compile:
            compile_layers(model)
