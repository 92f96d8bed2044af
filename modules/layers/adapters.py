"""Adapters by peft, LoRA (arXiv 2106.09685) and its kin: added in place, saved as peft does, merged for export."""

from __future__ import annotations

import copy
import warnings
from pathlib import Path
from typing import Any

from torch import nn

from ...errors import InputError

NAME = "default"
"""What peft calls an adapter that is not named."""


def add_adapters(model: nn.Module, head: set[str], options: dict[str, Any], option: str) -> None:
    """Adds adapters in place; everything but them and the head stops learning.

    Args:
        model: a Hugging Face network.
        head: names of the head's parameters, which go on learning.
        options: `peft_type`, and fields of that method's configuration in peft; `target_modules` is found by
            architecture when it is not given.
        option: what the user wrote them under, for messages.

    Raises:
        InputError: if peft is missing, does not know the method, or does not know what to adapt.
    """
    try:
        from peft import PeftType, inject_adapter_in_model
        from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING, PEFT_TYPE_TO_TUNER_MAPPING
    except ImportError as error:
        raise InputError(f"{option} needs the package peft: pip install peft.") from error
    options = dict(options)
    kind = str(options.pop("peft_type", "")).upper()
    known = {t.value for t in PEFT_TYPE_TO_TUNER_MAPPING}
    if kind not in known:
        raise InputError(f"{option} needs a peft_type that adapts layers, such as LORA, IA3, LOHA, LOKR or OFT.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            inject_adapter_in_model(PEFT_TYPE_TO_CONFIG_MAPPING[PeftType(kind)](**options), model)
    except (TypeError, ValueError) as error:
        raise InputError(f"{option}: {error}") from error
    for name, parameter in model.named_parameters():
        if name in head:
            parameter.requires_grad_(True)


def is_adapter(name: str) -> bool:
    """Whether a parameter of this name belongs to an adapter."""
    return f".{NAME}" in name


def merge_adapters(model: nn.Module) -> nn.Module:
    """A copy of the network without adapters, that computes the same."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    merged = copy.deepcopy(model)
    adapted = [(name, module) for name, module in merged.named_modules() if isinstance(module, BaseTunerLayer)]
    for name, module in adapted:
        module.merge()
        parent, _, last = name.rpartition(".")
        setattr(merged.get_submodule(parent), last, module.get_base_layer())
    if hasattr(merged, "peft_config"):
        del merged.peft_config
    return merged


def save_adapters(model: Any, folder: str | Path, base: str | None) -> None:
    """Writes adapters and head as `peft.PeftModel.from_pretrained` reads them, upon the weights of `base`.

    Args:
        model: a network with adapters.
        folder: made if missing.
        base: name or folder of the weights that they adapt.
    """
    from peft import get_peft_model_state_dict
    from safetensors.torch import save_file

    config = copy.deepcopy(model.peft_config[NAME])
    weights = get_peft_model_state_dict(model, adapter_name=NAME)
    head = {name: p for name, p in model.named_parameters() if p.requires_grad and not is_adapter(name)}
    config.base_model_name_or_path, config.inference_mode = base, True
    config.modules_to_save = sorted({name.rpartition(".")[0] for name in head}) or None
    config.save_pretrained(str(folder))
    tensors = {f"base_model.model.{name}": tensor for name, tensor in {**weights, **head}.items()}
    save_file(
        {name: tensor.detach().contiguous().cpu().clone() for name, tensor in tensors.items()},
        Path(folder, "adapter_model.safetensors"),
        metadata={"format": "pt"},
    )
