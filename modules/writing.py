"""Texts that a network writes, by Hugging Face's `generate`: its options, its prompts, and where it must end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..errors import InputError, first_line
from .sharding import is_sharded

if TYPE_CHECKING:
    from .base import BaseModule

SPELLED = ("forced_bos_token_id", "decoder_start_token_id")
"""Options of `generate` that may be given as a token, such as mBART's `de_DE`."""


def check_generation(options: Mapping[str, Any]) -> None:
    """Refuse options that `generate` does not have, and values that it does not take.

    Args:
        options: `model.generation`.

    Raises:
        InputError: naming the option.
    """
    from transformers import GenerationConfig

    known = GenerationConfig().to_dict()
    for key in options:
        if key not in known:
            raise InputError(
                f"model.generation: `generate` has no option {key!r}; max_new_tokens, num_beams, length_penalty, "
                "no_repeat_ngram_size, do_sample, temperature, top_k and top_p are some."
            )
    try:
        GenerationConfig(**{key: value for key, value in options.items() if key not in SPELLED}).validate()
    except ValueError as error:
        raise InputError(f"model.generation: {first_line(error)}") from error


def write_texts(module: BaseModule, ids: Tensor, mask: Tensor, options: Mapping[str, Any], cure: str) -> list[str]:
    """Have a module's network write.

    Args:
        module: with a network and a tokenizer.
        ids: (rows, length) int64: prompts with their padding on the left, or what an encoder reads.
        mask: (rows, length) int64, 1 on real tokens.
        options: of `generate`, `max_new_tokens` among them: of a decoder fewer are written where the network has no
            positions left.
        cure: what would make a prompt shorter, for the error.

    Returns:
        What each row is followed by, without special tokens.

    Raises:
        InputError: if a prompt leaves no room, or `generate` does not take a value.
    """
    options, prompt = dict(options), 0
    if not module.model.config.is_encoder_decoder:
        prompt, limit = ids.shape[1], module.input_limit()
        if limit is not None:
            if prompt >= limit:
                raise InputError(
                    f"A prompt has {prompt} tokens, and {module.backbone.label} takes at most {limit} together with "
                    f"what it writes: {cure}."
                )
            options["max_new_tokens"] = min(options["max_new_tokens"], limit - prompt)
    if module.streamer is not None:
        options["streamer"] = module.streamer
    training = module.model.training
    module.model.eval()
    with torch.inference_mode():
        try:
            written = module.model.generate(
                input_ids=ids, attention_mask=mask, synced_gpus=is_sharded(module.model), **options
            )
        except ValueError as error:  # transformers checks most values only here
            raise InputError(f"model.generation: {first_line(error)}") from error
    module.model.train(training)
    texts: list[str] = module.tokenizer.batch_decode(written[:, prompt:], skip_special_tokens=True)
    return texts
