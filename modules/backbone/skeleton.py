"""Networks from a configuration alone: new ones, and skeletons without weights to try options out on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from ...errors import InputError, first_line

if TYPE_CHECKING:
    from .backbone import Backbone

BROKEN = (ValueError, TypeError, ArithmeticError, LookupError, AttributeError, AssertionError, ImportError)
"""What architectures raise of fields that do not go together, or that they look up."""


def new_network(auto: Any, config: Any, attention: str | None) -> Any:
    """Return a network with fresh weights, on whatever device is the default one.

    Args:
        auto: the Hugging Face auto class.
        config: the architecture.
        attention: Hugging Face's name of an attention implementation; null leaves the choice to it.

    Raises:
        InputError: if the sizes do not go together, or the attention cannot be had.
    """
    options: dict[str, Any] = {"attn_implementation": attention} if attention else {}
    try:
        return auto.from_config(config, dtype=torch.float32, **options)
    except BROKEN as error:
        if attention and ("attn_implementation" in str(error) or isinstance(error, ImportError)):
            raise no_attention(attention, error) from error
        what = f"no {error}" if isinstance(error, KeyError) else first_line(error)  # which is all that a KeyError says
        raise InputError(f"backbone.config does not make a {config.model_type}: {what}") from error


def no_attention(attention: str | None, error: Exception) -> InputError:
    """Return what to say where an attention implementation is unknown, or its package is missing."""
    why = first_line(error).rstrip(".")
    return InputError(f"backbone.attention is {attention!r}, which cannot be had: {why}. sdpa and eager would work.")


def try_out(backbone: Backbone, auto: Any, config: Any) -> None:
    """Make the network without memory for weights, and adapt it: what cannot work is known before any data are read.

    Nothing random is drawn, and nothing is left of it. Only what goes by the architecture alone is tried; a plain
    backbone by name has nothing to try.

    Raises:
        InputError: as building the network would.
    """
    changed = any(option is not None for option in (backbone.adapters, backbone.attention, backbone.freeze))
    if backbone.name is not None and not (changed or backbone.reinitialize_layers or backbone.gradient_checkpointing):
        return
    if type(config) not in auto._model_mapping:  # code that comes with a hub model, which may do anything
        return
    with torch.random.fork_rng(devices=[]):
        try:
            with torch.device("meta"):
                network = new_network(auto, config, backbone.attention)
                backbone.adapt(network)
        except InputError:
            raise
        except ValueError as error:
            raise InputError(f"{backbone.label} cannot be adapted as asked: {first_line(error)}") from error
        except (RuntimeError, NotImplementedError):  # what asks for numbers, which a skeleton has none of
            return
