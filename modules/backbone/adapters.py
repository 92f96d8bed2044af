"""Adapters by peft, LoRA (arXiv 2106.09685) and its kin: added in place, merged for export."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from lightning.pytorch.utilities.rank_zero import rank_zero_info, rank_zero_warn
from torch import Tensor, nn

from ...errors import InputError

NAME = "default"
"""What peft calls an adapter that is not named."""
REFUSED = {
    "POLY": "it wants to be told the task of each row",
    "ADALORA": "its ranks have to be set anew after each step, which is not done here; LORA would work",
    "TRAINABLE_TOKENS": "it keeps nothing but rows, not even a head; LORA with trainable_token_indices would work",
}
"""Methods that peft puts in, and that would not do here what they promise."""


def add_adapters(
    model: Any, head: set[str], options: dict[str, Any], option: str, new_words: Sequence[int] = (), merge: bool = False
) -> None:
    """Add adapters in place; everything but them and the head stops learning.

    Args:
        model: a Hugging Face network.
        head: names of the head's parameters, which go on learning.
        options: `peft_type`, and fields of that method's configuration in peft; `target_modules` is found by
            architecture when it is not given.
        option: what the user wrote them under, for messages.
        new_words: rows of the embedding that the weights did not come with, which LoRA trains beside its own.
        merge: whether they will have to be merged into the weights.

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
    if kind in REFUSED:
        raise InputError(f"{option}: {kind} cannot be used: {REFUSED[kind]}.")
    if new_words:
        options |= _rows_to_train(model, new_words, kind, options, option)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            inject_adapter_in_model(PEFT_TYPE_TO_CONFIG_MAPPING[PeftType(kind)](**options), model)
    except (TypeError, ValueError) as error:
        unknown = "`target_modules`" in str(error) and "target_modules" not in options
        cure = f" peft knows none for {model.config.model_type}; target_modules: all-linear would work."
        raise InputError(f"{option}: {error}{cure if unknown else ''}") from error
    _keep_biases(model)
    if merge:
        _refuse_unmergeable(model, kind, option)
    for name, parameter in model.named_parameters():
        if name in head:
            parameter.requires_grad_(True)


def is_adapter(name: str) -> bool:
    """Return whether a parameter of this name belongs to an adapter."""
    return f".{NAME}" in name


def merge_adapters(model: Any) -> Any:
    """Return a copy of the network without adapters, that computes the same.

    As peft's own `merge_and_unload`: modules that were trained as a whole (`modules_to_save`) take the place of those
    they were copied from, and rows of new words (`trainable_token_indices`) go into their embedding. Where tied weights
    have parted by it, they are tied no longer.
    """
    merged = copy.deepcopy(model)
    for name, module in list(_wrappers(merged)):
        _own_weights(module, merged)
        if hasattr(module, "unload_and_optionally_merge_module"):
            plain = module.unload_and_optionally_merge_module(merge=True, safe_merge=False, adapter_names=None)
        else:
            module.merge()
            plain = module.get_base_layer()
        parent, _, last = name.rpartition(".")
        setattr(merged.get_submodule(parent), last, plain)
    if hasattr(merged, "peft_config"):
        del merged.peft_config
    _tie_again(merged)
    return merged


def _wrappers(model: nn.Module) -> Iterator[tuple[str, Any]]:
    """Return what peft put around modules, the outermost alone, by name."""
    from peft.tuners.tuners_utils import BaseTunerLayer
    from peft.utils.other import AuxiliaryTrainingWrapper

    outermost: list[str] = []
    for name, module in model.named_modules():
        if isinstance(module, BaseTunerLayer | AuxiliaryTrainingWrapper) and not any(
            name.startswith(f"{outer}.") for outer in outermost
        ):
            outermost.append(name)
            yield name, module


def _own_weights(wrapper: Any, model: nn.Module) -> None:
    """Give a module that merging will change weights of its own, where others share them."""
    inside = {id(module) for module in wrapper.modules()}
    others = {
        id(p) for m in model.modules() if id(m) not in inside for p in m.parameters(recurse=False) if p is not None
    }
    for module in wrapper.modules():
        for name, parameter in list(module.named_parameters(recurse=False)):
            if id(parameter) in others and not is_adapter(f".{name}"):
                setattr(module, name, nn.Parameter(parameter.detach().clone(), parameter.requires_grad))


def _tie_again(model: Any) -> None:
    """Tie what the configuration says is tied, or have it say otherwise where the weights are not the same."""
    reading, writing = model.get_input_embeddings(), model.get_output_embeddings()
    ties = getattr(model.config, "tie_word_embeddings", False)
    if not ties or reading is None or writing is None or reading.weight is writing.weight:
        return
    if torch.equal(reading.weight, writing.weight):
        writing.weight = reading.weight
        return
    model.config.tie_word_embeddings = False
    for name in getattr(model, "_tied_weights_keys", None) or ():  # such as the bias of what foretells words
        parent, _, last = name.rpartition(".")
        try:
            module = model.get_submodule(parent)
        except AttributeError:
            continue
        if isinstance(parameter := getattr(module, last, None), nn.Parameter):
            setattr(module, last, nn.Parameter(parameter.detach().clone(), parameter.requires_grad))


def _keep_biases(model: nn.Module) -> None:
    """Add the bias that peft forgets where it trains rows of what foretells words (its `F.linear` has none)."""
    for layer in token_layers(model).values():
        if getattr(layer.get_base_layer(), "bias", None) is not None:
            layer.register_forward_hook(_with_bias)


def _with_bias(layer: Any, args: Any, output: Tensor) -> Tensor | None:
    if layer.merged or layer.disable_adapters or not layer.active_adapters:
        return None  # its base layer computed, with the bias
    with_bias: Tensor = output + layer.get_base_layer().bias
    return with_bias


def token_layers(model: nn.Module) -> dict[str, Any]:
    """Return the layers of peft that train some rows of a table, by name."""
    from peft.tuners.trainable_tokens import TrainableTokensLayer

    return {name: module for name, module in model.named_modules() if isinstance(module, TrainableTokensLayer)}


def _rows_to_train(
    model: Any, new_words: Sequence[int], kind: str, options: dict[str, Any], option: str
) -> dict[str, Any]:
    """Return the options by which new words learn beside adapters; a warning where they cannot."""
    reading, writing = model.get_input_embeddings(), model.get_output_embeddings()
    names = [name for name, module in model.named_modules(remove_duplicate=False) if module is reading]
    asked = [*_as_list(options.get("modules_to_save")), *_as_list(options.get("target_modules"))]
    if options.get("trainable_token_indices") or any(name.endswith(one) for name in names for one in asked):
        return {}
    count = f"{len(new_words):,} word{'s are' if len(new_words) > 1 else ' is'} new to the weights"
    if kind != "LORA" or len(names) != 1:
        rank_zero_warn(
            f"{count}, and {'its row' if len(new_words) == 1 else 'their rows'} of the embedding will NOT be trained: "
            f"with {option} ({kind}) adapters alone learn. modules_to_save: [{names[0].rpartition('.')[2]}] there "
            "trains the embedding as a whole."
        )
        return {}
    rank_zero_info(f"{count}: trained beside the adapters (trainable_token_indices).")
    tables = {names[0]: list(new_words)}
    if isinstance(writing, nn.Linear) and writing.weight is not reading.weight:
        tables[next(name for name, module in model.named_modules() if module is writing)] = list(new_words)
    return {"trainable_token_indices": tables}


def _as_list(value: Any) -> list[str]:
    return [] if value is None or isinstance(value, str) else list(value)


def _refuse_unmergeable(model: nn.Module, kind: str, option: str) -> None:
    """Refuses, before any training, a method that peft cannot merge."""
    _, first = next(_wrappers(model))
    try:
        trial = copy.deepcopy(first)
        if not hasattr(trial, "unload_and_optionally_merge_module"):
            trial.merge()
    except NotImplementedError as error:
        raise InputError(
            f"{option}: peft cannot merge {kind} into the weights, as the export asks for: set "
            "backbone.merge_adapters: false, or take another peft_type."
        ) from error
