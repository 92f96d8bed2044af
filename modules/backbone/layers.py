"""What is done to the layers of a network: no gradient, compilation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...errors import InputError
from .depth import layer_stacks, parameter_depths

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def freeze(model: PreTrainedModel, what: int | str) -> None:
    """Stop the gradient of the embeddings and the lowest layers, or of everything but the head."""
    depths, top = parameter_depths(model)
    if isinstance(what, int) and what > top - 1:
        raise InputError(f"backbone.freeze is {what}, but the network has {top - 1} layers; `all` freezes every one.")
    limit = what if isinstance(what, int) else 0 if what == "embeddings" else top - 1
    for name, parameter in model.named_parameters():
        if depths[name] <= limit or (what == "all" and in_body(model, name)):
            parameter.requires_grad_(False)


def compile_layers(model: PreTrainedModel) -> None:
    """Compile the layers in place: the keys of checkpoints stay as they are.

    Layer by layer, as they are alike and are compiled once for all; embeddings and head, whose inputs differ in shape
    from step to step, stay as they are.
    """
    layers = [layer for stack in layer_stacks(model.base_model) for layer in stack]
    for layer in layers or [model]:
        layer.compile()


def in_body(model: PreTrainedModel, name: str) -> bool:
    """Return whether a parameter belongs to the body, not to a head or the pooler that feeds one."""
    # T5's own prefix is on none of its parameters.
    body = (f"{model.base_model_prefix}.", "shared.", "encoder.", "decoder.")
    return name.startswith(body) and ".pooler." not in name
