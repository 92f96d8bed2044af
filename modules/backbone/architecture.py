"""The architecture of a network: a Hugging Face configuration, from scratch or changed, that fits its tokenizer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from ...errors import InputError
from .config_fields import check_fields, fields_told
from .vocabulary import decoder_ids, padded_size, special_ids

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedTokenizerBase


def new_config(fields: Mapping[str, Any], tokenizer: PreTrainedTokenizerBase | None) -> PretrainedConfig:
    """Return the configuration of a network from scratch.

    Args:
        fields: `model_type`, and what is not as the architecture has it of itself.
        tokenizer: whose size and special tokens it takes, where the fields do not say them.

    Raises:
        InputError: if there is no such architecture or field, or the tokenizer has more entries than `vocab_size`.
    """
    from transformers import CONFIG_MAPPING, AutoConfig

    options = dict(fields)
    model_type = options.pop("model_type", None)
    if model_type is None:
        raise InputError("backbone needs a `name` (hub id, folder, earlier run) or a `config` with a `model_type`.")
    known = list(CONFIG_MAPPING.keys())
    if model_type not in known:
        raise InputError(f"Unknown model_type {model_type!r} in backbone.config{nearest(model_type, known)}.")
    usual = AutoConfig.for_model(model_type)
    for key in options:
        _check_field(key, usual)
    if tokenizer is not None:
        options = {
            **special_ids(tokenizer),
            **decoder_ids(usual, tokenizer),
            "vocab_size": padded_size(len(tokenizer)),
            **options,
        }
        if options["vocab_size"] < len(tokenizer):
            raise InputError(
                f"backbone.config.vocab_size is {options['vocab_size']}, but the tokenizer has {len(tokenizer)} "
                "entries; leave vocab_size out and it follows the tokenizer."
            )
    check_fields(fields, usual)
    with fields_told(model_type):
        config: PretrainedConfig = AutoConfig.for_model(model_type, **options)
    return config


def change_fields(config: PretrainedConfig, fields: Mapping[str, Any]) -> None:
    """Set fields of a configuration that was loaded.

    Raises:
        InputError: if there is no such field, or it takes no such value.
    """
    check_fields(fields, config)
    for key, value in fields.items():
        if key != "model_type":
            _check_field(key, config)
            with fields_told(config.model_type):
                setattr(config, key, value)


def set_dropout(config: PretrainedConfig, probability: float) -> None:
    """Set every dropout probability of an architecture (layer drop is something else)."""
    for key in list(config.to_dict()):  # fields such as classifier_dropout are None until set
        if ("dropout" in key or key.endswith("pdrop")) and "layerdrop" not in key:
            setattr(config, key, probability)


def _check_field(key: str, config: PretrainedConfig) -> None:
    if not hasattr(config, key):
        fields = list(config.to_dict())
        raise InputError(f"A {config.model_type} configuration has no field {key!r}{nearest(key, fields)}.")


def refuse_unsupported(config: PretrainedConfig, auto: Any, label: str) -> None:
    """Refuse an architecture that has no such head, naming families that have one."""
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


def config_from_json(text: str) -> PretrainedConfig:
    """Return the configuration that `config.to_json_string` wrote."""
    from transformers import AutoConfig

    fields = json.loads(text)
    config: PretrainedConfig = AutoConfig.for_model(fields.pop("model_type"), **fields)
    return config


def nearest(word: str, known: list[str]) -> str:
    """Return the names that were meant, as a part of a message; nothing where none is near."""
    close = get_close_matches(str(word), known, n=3)  # YAML may hold anything
    return f" (did you mean {' or '.join(close)}?)" if close else ""
