"""Adapters in files, as `peft.PeftModel.from_pretrained` reads them: all in which a network differs from its base."""

from __future__ import annotations

import copy
import warnings
from collections import defaultdict
from pathlib import Path
from typing import Any

import torch
from torch import nn

from .adapters import NAME, is_adapter, merge_adapters, token_layers

PREFIX = "base_model.model."
"""What peft puts before the names of a network."""
WRAPPING = {"base_layer", "original_module", "token_adapter"}
"""Parts of names that peft puts between those of a network."""


def save_adapters(model: Any, folder: str | Path, base: Any, name: str, words: int) -> bool:
    """Write adapters, and as a whole every other module that is not as the base has it: head, new layers, biases.

    What differs is found by comparison with the base, not by what was meant to learn. What peft would compute
    otherwise than it was trained is written merged.

    Args:
        model: a network with adapters.
        folder: made if missing.
        base: the network that they adapt, as loaded, of the same class and on the CPU; it is changed.
        name: where a reader finds it.
        words: entries of the tokenizer, the number of rows that a reader gives the base where that has fewer.

    Returns:
        Whether the base has to be given more rows first (`resize_token_embeddings`).
    """
    from peft import get_peft_model_state_dict, inject_adapter_in_model
    from safetensors.torch import save_file

    config = copy.deepcopy(model.peft_config[NAME])
    rows = model.get_input_embeddings().weight.shape[0]
    grown = bool(rows > base.get_input_embeddings().weight.shape[0])
    if grown:
        base.resize_token_embeddings(rows, mean_resizing=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        inject_adapter_in_model(copy.deepcopy(config), base)
        weights = get_peft_model_state_dict(model, adapter_name=NAME, save_embedding_layers=False)
    merged = merge_adapters(model)
    changed = _differing(model, base, set(weights), words)
    rows_alone = token_layers(model)
    if any(getattr(layer.get_base_layer(), "bias", None) is not None for layer in rows_alone.values()):
        config.trainable_token_indices = None  # peft would leave out that bias
        changed |= {_plain(key) for key in rows_alone}
    whole = _modules_of(changed, merged)
    tensors = {key: tensor for key, tensor in weights.items() if not _within(_plain(key), whole)}
    tensors |= {key: tensor for key, tensor in merged.state_dict().items() if _within(key, whole)}
    if grown:
        tables = _tables(merged)
        tensors = {key: tensor[:words] if key in tables else tensor for key, tensor in tensors.items()}
    config.base_model_name_or_path, config.inference_mode = name, True
    config.modules_to_save = sorted({*(config.modules_to_save or ()), *whole}) or None
    config.auto_mapping = {"base_model_class": type(model).__name__, "parent_library": type(model).__module__}
    config.save_pretrained(str(folder))
    save_file(
        {PREFIX + key: tensor.detach().cpu().contiguous().clone() for key, tensor in tensors.items()},
        Path(folder, "adapter_model.safetensors"),
        metadata={"format": "pt"},
    )
    return grown


def _differing(model: nn.Module, base: nn.Module, adapters: set[str], words: int) -> set[str]:
    """Return the names, without peft's parts, of the weights that a reader would not have from base and adapters."""
    trained = {f"{name}.base_layer.weight": layer.token_indices[NAME] for name, layer in token_layers(model).items()}
    known, found = base.state_dict(), set()
    for name, tensor in model.state_dict().items():
        if is_adapter(name) or name in adapters or ".original_module." in f".{name}":
            continue
        other = known[name]
        if name in trained:
            rest = torch.ones(len(tensor), dtype=torch.bool)
            rest[trained[name]], rest[words:] = False, False
            tensor, other = tensor[rest.to(tensor.device)], other[rest]
        if tensor.shape != other.shape or not torch.equal(tensor.cpu(), other.to(tensor.dtype)):
            found.add(_plain(name))
    return found


def _modules_of(names: set[str], model: nn.Module) -> set[str]:
    """Return the modules that hold these weights, to be saved as a whole.

    Args:
        names: of weights, or of modules.
        model: without adapters.
    """
    modules = dict(model.named_modules(remove_duplicate=False))
    alike: dict[int, set[str]] = defaultdict(set)
    for name, tensor in model.state_dict(keep_vars=True).items():
        alike[id(tensor)].add(name)
    kept = names & modules.keys()
    for shared in alike.values():
        if shared & names:  # tied weights are asked for by the innermost of their modules
            kept |= _innermost({name.rpartition(".")[0] for name in shared}) - {""}
    body = f"{getattr(model, 'base_model_prefix', '')}."
    for name in sorted(kept):  # a head of several layers is one module, as peft's own classes for tasks have it
        parent = name.rpartition(".")[0]
        while parent and not f"{parent}.".startswith(body) and _all_within(modules[parent], parent, kept):
            if not isinstance(modules[parent], (nn.ModuleList, nn.ModuleDict)):
                kept.add(parent)
            parent = parent.rpartition(".")[0]
    # peft goes by the ends of names.
    kept |= {name for name in modules if any(name.endswith(end) for end in kept)}
    return {name for name in kept if not any(name.startswith(f"{outer}.") for outer in kept)}


def _innermost(places: set[str]) -> set[str]:
    return {place for place in places if not any(other.startswith(f"{place}.") for other in places)}


def _all_within(module: nn.Module, name: str, found: set[str]) -> bool:
    return all(_within(f"{name}.{inner}", found) for inner, _ in module.named_parameters(remove_duplicate=False))


def _within(name: str, modules: set[str]) -> bool:
    return any(name == module or name.startswith(f"{module}.") for module in modules)


def _plain(name: str) -> str:
    """Return a name without the parts that peft put between."""
    name = name.replace(f"modules_to_save.{NAME}.", "")
    return ".".join(part for part in name.split(".") if part not in WRAPPING)


def _tables(model: Any) -> set[str]:
    """Return the names of the weights with a row for each word."""
    heads = (model.get_input_embeddings(), model.get_output_embeddings())
    owned = {id(parameter) for head in heads if head is not None for parameter in head.parameters()}
    rows = len(heads[0].weight)
    return {
        name
        for name, tensor in model.state_dict(keep_vars=True).items()
        if id(tensor) in owned or (name.endswith("bias") and tensor.shape == (rows,))
    }
