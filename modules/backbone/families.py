"""Which architectures an objective can train: encoders, decoders, or encoder-decoders.

What does not fit is refused in one sentence, before any weight is made.
"""

from __future__ import annotations

from typing import Any

from ...errors import InputError

EXAMPLES = {
    "encoder": "bert, roberta, modernbert, deberta-v2, electra",
    "decoder": "gpt2, llama, qwen3, mistral",
    "encoder-decoder": "t5, bart, mbart, pegasus",
}


def family(config: Any) -> str:
    """Return `encoder`, `decoder`, `encoder-decoder`, or `other`, by a Hugging Face configuration."""
    from transformers.models.auto import modeling_auto as auto

    if getattr(config, "is_encoder_decoder", False):
        return "encoder-decoder"
    if type(config) in auto.MODEL_FOR_MASKED_LM_MAPPING:
        return "decoder" if getattr(config, "is_decoder", False) else "encoder"
    return "decoder" if type(config) in auto.MODEL_FOR_CAUSAL_LM_MAPPING else "other"


TRAINS = {
    "encoder": "an encoder, which MaskedLanguageModeling trains",
    "decoder": "a decoder, which CausalLanguageModeling trains",
    "encoder-decoder": "an encoder-decoder, which SpanDenoising trains",
    "other": "which has no language-modeling head",
}


def require(needed: str, config: Any, label: str, objective: str) -> None:
    """Refuse an architecture of another family.

    Args:
        needed: `encoder`, `decoder` or `encoder-decoder`.
        config: a Hugging Face configuration.
        label: what messages call the backbone.
        objective: the class that is to train it.

    Raises:
        InputError: that names architectures that would work, and the objective that trains this one.
    """
    kind = family(config)
    if kind != needed:
        article = "a" if needed == "decoder" else "an"
        raise InputError(
            f"{objective} needs {article} {needed}, such as {EXAMPLES[needed]}, but {label} is a {config.model_type}, "
            f"{TRAINS[kind]}."
        )
