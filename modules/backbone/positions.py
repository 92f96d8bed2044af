"""Where an architecture begins to count positions, and where it must end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...contracts import data_facts
from ...errors import InputError

if TYPE_CHECKING:
    from transformers import PretrainedConfig

    from .backbone import Backbone

OFFSET = {
    "roberta",
    "camembert",
    "xlm-roberta",
    "xlm-roberta-xl",
    "longformer",
    "data2vec-text",
    "roberta-prelayernorm",
    "xmod",
}
RELATIVE = {"t5", "mt5", "umt5", "longt5", "deberta", "deberta-v2", "xlnet", "bloom", "mpt", "pegasus"}


def first_position(config: PretrainedConfig) -> int:
    """Return the number of the first position: the RoBERTa family counts from padding_idx + 1."""
    return (config.pad_token_id or 0) + 1 if config.model_type in OFFSET else 0


def max_positions(config: PretrainedConfig) -> int | None:
    """Return the longest input in tokens that an architecture's position table allows; None if nothing bounds it."""
    limit = getattr(config, "max_position_embeddings", None) or getattr(config, "n_positions", None)
    if limit is None or config.model_type in RELATIVE:
        return None
    return int(limit) - first_position(config)


def check_length(data: Any, limit: int | None, backbone: Backbone) -> None:
    """Raise an `InputError` if inputs of a datamodule may be longer than a network takes.

    Args:
        data: the datamodule, or None.
        limit: the longest input in tokens, or None when nothing bounds it.
        backbone: of the network.
    """
    facts = data_facts(data)
    if facts.longest is None or limit is None or facts.longest <= limit:
        return
    name = facts.length_option or "max_length"
    cure = " or raise backbone.config.max_position_embeddings" if backbone.name is None else ""
    raise InputError(
        f"data.{name} is {facts.longest}, but {backbone.label} takes at most {limit} tokens: "
        f"set data.{name} to at most {limit}{cure}."
    )
