"""A backbone: weights, their architecture and their tokenizer, and how they are adapted."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from lightning.pytorch.utilities.rank_zero import rank_zero_info, rank_zero_warn
from torch import nn

from ...checkpoints import locate, read_checkpoint, stored
from ...errors import InputError, check_range, first_line
from ...storage.checksums import refuse_damaged_weights
from ...text.tokenizer import EXTENDS, MissingTokenizer, load_tokenizer
from .adapters import add_adapters
from .carried import CARRIED, is_carried, read_carried
from .config_fields import check_fields, fields_told
from .depth import layer_stacks, parameter_depths
from .skeleton import new_network, no_attention
from .vocabulary import start_new_words

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

PAD_VOCABULARY_TO = 64
"""Rows of the embedding come in multiples of this, which matrix units want."""


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
        """Itself; refuses what is out of range before anything is loaded.

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
        """A backbone from what users write: a name, a dictionary, or the thing itself."""
        if isinstance(value, Backbone):
            return value.check()
        if isinstance(value, str):
            return cls(name=value)
        known = [field.name for field in dataclasses.fields(cls)]
        for key in value:
            if key not in known:
                raise InputError(f"backbone has no option {key!r}; it has: {', '.join(known)}{_nearest(key, known)}.")
        return cls(**value).check()

    def to_dict(self) -> dict[str, Any]:
        """Plain data for checkpoints and YAML."""
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
        """The backbone's own tokenizer.

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
        """The architecture: the named weights' own, or the one that `config` spells out, made to fit the tokenizer."""
        if self.name is None:
            return self._new_config(tokenizer)
        from transformers import AutoConfig

        place = locate(self.name)
        if isinstance(place, Path) and place.suffix == ".ckpt":
            config = config_from_json(stored(place)["config"])
        else:
            try:
                config = AutoConfig.from_pretrained(
                    str(place), revision=self.revision, trust_remote_code=self.trust_remote_code
                )
            except Exception as error:  # fields of another kind come as whatever they lead to
                raise InputError(
                    f"The backbone {self.name!r} cannot be loaded: {first_line(error)} A local folder, an earlier "
                    "run's folder, or a hub id that is reachable or cached would work."
                ) from error
        return self._adapt(config)

    def _new_config(self, tokenizer: PreTrainedTokenizerBase | None) -> PretrainedConfig:
        from transformers import CONFIG_MAPPING, AutoConfig

        options = dict(self.config or {})
        model_type = options.pop("model_type", None)
        if model_type is None:
            raise InputError("backbone needs a `name` (hub id, folder, earlier run) or a `config` with a `model_type`.")
        known = list(CONFIG_MAPPING.keys())
        if model_type not in known:
            raise InputError(f"Unknown model_type {model_type!r} in backbone.config{_nearest(model_type, known)}.")
        probe = AutoConfig.for_model(model_type)
        for key in options:
            if not hasattr(probe, key):
                fields = list(probe.to_dict())
                raise InputError(f"A {model_type} configuration has no field {key!r}{_nearest(key, fields)}.")
        if tokenizer is not None:
            options = {
                **special_ids(tokenizer),
                **decoder_ids(probe, tokenizer),
                "vocab_size": padded_size(len(tokenizer)),
                **options,
            }
            if options["vocab_size"] < len(tokenizer):
                raise InputError(
                    f"backbone.config.vocab_size is {options['vocab_size']}, but the tokenizer has {len(tokenizer)} "
                    "entries; leave vocab_size out and it follows the tokenizer."
                )
        check_fields(self.config or {}, probe)
        with fields_told(model_type):
            config = AutoConfig.for_model(model_type, **options)
        return self._adapt(config, new=True)

    def _adapt(self, config: PretrainedConfig, new: bool = False) -> PretrainedConfig:
        if not new:
            check_fields(self.config or {}, config)
            for key, value in (self.config or {}).items():
                if key != "model_type" and not hasattr(config, key):
                    fields = list(config.to_dict())
                    raise InputError(
                        f"A {config.model_type} configuration has no field {key!r}{_nearest(key, fields)}."
                    )
                if key != "model_type":
                    with fields_told(config.model_type):
                        setattr(config, key, value)
        if self.dropout is not None:
            for key in list(config.to_dict()):
                # Fields such as classifier_dropout are None until set; layer drop is something else.
                if ("dropout" in key or key.endswith("pdrop")) and "layerdrop" not in key:
                    setattr(config, key, self.dropout)
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
        """Makes the network, in training mode.

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

        given = config is not None
        config = self._adapt(config) if config is not None else self.load_config(tokenizer)
        for key, value in head.items():
            setattr(config, key, value)
        auto = getattr(transformers, auto_class)
        refuse_unsupported(config, auto, self.label)
        report = WeightReport(self.label)
        if self.name is None or not weights:
            model = new_network(auto, config, self.attention)
            report.new = [] if given else [name for name, _ in model.named_parameters()]
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
        """The tokenizer that the weights were trained with, where the given one is an extension of it."""
        return self.load_tokenizer() if self.name is not None and EXTENDS in tokenizer.init_kwargs else None

    def _load(self, auto: Any, config: PretrainedConfig, report: WeightReport) -> Any:
        place = locate(self.name or "")
        options: dict[str, Any] = {"attn_implementation": self.attention} if self.attention else {}
        quiet = {"config": config, "output_loading_info": True, "ignore_mismatched_sizes": True, **options}
        if isinstance(place, Path) and place.is_dir():
            refuse_damaged_weights(place)
        try:
            if isinstance(place, Path) and place.suffix == ".ckpt":
                if stored(place).get("lora"):
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
                    revision=self.revision or "main",
                    trust_remote_code=self.trust_remote_code,
                    use_safetensors=True,  # never a pickle
                    dtype=torch.float32,
                    **quiet,
                )
        except InputError:
            raise
        except ImportError as error:
            raise no_attention(self.attention, error) from error
        except Exception as error:  # a configuration that somebody has edited comes as whatever it leads to
            raise InputError(f"The weights of {self.name!r} cannot be loaded: {first_line(error)}") from error
        report.fill(model, info)
        if isinstance(place, Path) and place.suffix == ".ckpt":
            report.carried = {name: state[name].clone() for name in report.unused if is_carried(name)}
        else:
            report.carried = read_carried(place, self.revision, model.base_model_prefix, report.unused)
        report.unused = [name for name in report.unused if not is_carried(name)]
        return model

    def adapt(self, model: PreTrainedModel, new_words: Sequence[int] = ()) -> None:
        """Adapts a built network in place; `new_words` are rows of the embedding that its weights did not come with."""
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


class WeightReport:
    """Which weights were loaded, which are new, which were left unused."""

    def __init__(self, label: str) -> None:
        self.label = label
        self.loaded: list[str] = []
        self.new: list[str] = []
        self.unused: list[str] = []
        self.reshaped: list[str] = []
        self.carried: dict[str, Tensor] = {}
        self.new_words: list[int] = []
        self.head_is_new = True
        self.parameters = 0

    def fill(self, model: PreTrainedModel, info: dict[str, Any]) -> None:
        """Takes Hugging Face's loading information in.

        Raises:
            InputError: if no weight of the body was loaded, or one has another shape.
        """
        self.reshaped = sorted(entry[0] for entry in info["mismatched_keys"])
        self.new = sorted({*info["missing_keys"], *self.reshaped})
        self.unused = sorted(info["unexpected_keys"])
        fresh = set(self.new)
        self.loaded = [name for name, _ in model.named_parameters() if name not in fresh]
        body = {name for name, _ in model.named_parameters() if in_body(model, name)}
        self.head_is_new = any(name not in body for name in self.new)
        if wrong := [name for name in self.reshaped if name in body]:
            raise InputError(
                f"The weights of {self.label} do not fit its configuration: {_some(wrong)} differ in shape. "
                "Leave the sizes in backbone.config as they were trained."
            )
        if body and not body & set(self.loaded):
            raise InputError(
                f"No weight of {self.label} matches a {model.config.model_type}: the file holds {_some(self.unused)}; "
                f"the network needs {_some(sorted(body))}."
            )

    def __str__(self) -> str:
        if not self.loaded:
            return f"Weights of {self.label}: {self.parameters / 1e6:.1f} M parameters, all new."
        counts = f"{len(self.loaded)} tensors loaded, {len(self.new)} new, {len(self.unused)} unused"
        lines = [f"Weights of {self.label}: {self.parameters / 1e6:.1f} M parameters; {counts}."]
        listed = (("new", self.new), ("unused", self.unused), ("kept for later runs", list(self.carried)))
        lines += [f"  {kind}: {_some(names, 6)}" for kind, names in listed if names]
        return "\n".join(lines)

    def print(self) -> None:
        """Says it once, on the main process."""
        rank_zero_info(str(self))


def refuse_unsupported(config: PretrainedConfig, auto: Any, label: str) -> None:
    """Refuses an architecture that has no such head, naming families that have one."""
    if type(config) in auto._model_mapping or getattr(config, "auto_map", None):
        return
    able = sorted({c.model_type for c in auto._model_mapping})
    common = [
        t
        for t in ("bert", "roberta", "modernbert", "deberta-v2", "electra", "gpt2", "llama", "t5", "bart")
        if t in able
    ]
    raise InputError(
        f"{label} is a {config.model_type}, for which there is no {auto.__name__.removeprefix('AutoModelFor')} head; "
        f"these would work: {', '.join(common or able[:9])}."
    )


def special_ids(tokenizer: PreTrainedTokenizerBase) -> dict[str, int]:
    """The configuration fields that follow a tokenizer."""
    names = ("pad_token_id", "bos_token_id", "eos_token_id", "cls_token_id", "sep_token_id", "mask_token_id")
    ids = {name: getattr(tokenizer, name, None) for name in names}
    # Encoders without a beginning or end token of their own use the classification and separator tokens.
    ids["bos_token_id"] = ids["bos_token_id"] if ids["bos_token_id"] is not None else ids["cls_token_id"]
    ids["eos_token_id"] = ids["eos_token_id"] if ids["eos_token_id"] is not None else ids["sep_token_id"]
    return {name: value for name, value in ids.items() if value is not None and name[:3] in ("pad", "bos", "eos")}


def decoder_ids(config: PretrainedConfig, tokenizer: PreTrainedTokenizerBase) -> dict[str, int]:
    """By what a decoder beside an encoder begins and ends: BART's begins with the end token, others' with padding."""
    ids = special_ids(tokenizer)
    if not config.is_encoder_decoder or not {"pad_token_id", "eos_token_id"} <= ids.keys():
        return {}
    start = "eos_token_id" if config.model_type in ("bart", "mbart") else "pad_token_id"
    found = {"decoder_start_token_id": ids[start]}
    if getattr(config, "forced_eos_token_id", None) is not None:
        found["forced_eos_token_id"] = ids["eos_token_id"]
    return found


def padded_size(size: int) -> int:
    """The next multiple of `PAD_VOCABULARY_TO`."""
    return -(-size // PAD_VOCABULARY_TO) * PAD_VOCABULARY_TO


def fit_vocabulary(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, known: PreTrainedTokenizerBase | None = None
) -> list[int]:
    """Grows the embedding where the tokenizer outgrew it (never shrinks it).

    Args:
        model: its embeddings follow, and what foretells words.
        tokenizer: the entries that there are to be.
        known: the one that the weights were trained with, where the other extends it: a new word starts at the mean of
            the pieces it had there. Otherwise new rows start at the mean of all.

    Returns:
        The rows of words that the weights did not come with.
    """
    table: Any = model.get_input_embeddings()
    rows = table.weight.shape[0]
    needed = max([len(tokenizer) - 1, *tokenizer.get_vocab().values()]) + 1
    new = set(range(rows, needed))
    if needed > rows:
        rank_zero_info(f"The tokenizer has {needed} entries, the weights {rows}: the embedding grows.")
        model.resize_token_embeddings(padded_size(needed), mean_resizing=True)
    if model.config.pad_token_id is None:
        model.config.pad_token_id = tokenizer.pad_token_id
    if known is not None:
        new |= start_new_words(model, tokenizer, known)
    return sorted(new)


def reinitialize(model: PreTrainedModel, layer: nn.Module) -> None:
    """Gives one layer the weights its architecture starts with."""
    for module in layer.modules():
        for parameter in module.parameters(recurse=False):
            # transformers marks loaded weights so that they are not initialized again.
            if hasattr(parameter, "_is_hf_initialized"):
                del parameter._is_hf_initialized
        if hasattr(module, "_is_hf_initialized"):
            del module._is_hf_initialized
    layer.apply(model._init_weights)


def freeze(model: PreTrainedModel, what: int | str) -> None:
    """Stops the gradient of the embeddings and the lowest layers, or of everything but the head."""
    depths, top = parameter_depths(model)
    if isinstance(what, int) and what > top - 1:
        raise InputError(f"backbone.freeze is {what}, but the network has {top - 1} layers; `all` freezes every one.")
    limit = what if isinstance(what, int) else 0 if what == "embeddings" else top - 1
    for name, parameter in model.named_parameters():
        if depths[name] <= limit or (what == "all" and in_body(model, name)):
            parameter.requires_grad_(False)


def compile_layers(model: PreTrainedModel) -> None:
    """Compiles the layers in place: the keys of checkpoints stay as they are.

    Layer by layer, as they are alike and are compiled once for all; embeddings and head, whose inputs differ in shape
    from step to step, stay as they are.
    """
    layers = [layer for stack in layer_stacks(model.base_model) for layer in stack]
    for layer in layers or [model]:
        layer.compile()


def config_from_json(text: str) -> PretrainedConfig:
    """The configuration that `config.to_json_string` wrote."""
    from transformers import AutoConfig

    fields = json.loads(text)
    config: PretrainedConfig = AutoConfig.for_model(fields.pop("model_type"), **fields)
    return config


def in_body(model: PreTrainedModel, name: str) -> bool:
    """Whether a parameter belongs to the body, not to a head or the pooler that feeds one."""
    # T5's own prefix is on none of its parameters.
    body = (f"{model.base_model_prefix}.", "shared.", "encoder.", "decoder.")
    return name.startswith(body) and ".pooler." not in name


def _nearest(word: str, known: list[str]) -> str:
    close = get_close_matches(str(word), known, n=3)  # YAML may hold anything
    return f" (did you mean {' or '.join(close)}?)" if close else ""


def _some(names: list[str], count: int = 3) -> str:
    rest = len(names) - count
    return ", ".join(names[:count]) + (f" and {rest} more" if rest > 0 else "")
