"""Hidden words, by transformers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from transformers import AutoModelForMaskedLM, AutoTokenizer


def load(folder: str, options: dict[str, Any]) -> Callable[[dict[str, Any]], Iterator[dict[str, Any]]]:
    """Return what answers.

    Args:
        folder: the export.
        options: `max_length`.
    """
    network = AutoModelForMaskedLM.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)

    @torch.inference_mode()
    def predict(text: str) -> dict[str, Any]:
        inputs = tokenizer(text, truncation=True, max_length=options["max_length"], return_tensors="pt")
        best = network(**inputs).logits[0].float().softmax(-1).topk(5)
        ids = inputs["input_ids"][0]
        places = (ids == tokenizer.mask_token_id).nonzero().flatten().tolist()
        filled = ids.clone()
        filled[places] = best.indices[places, 0]
        masks = []
        for place in places:
            pairs = zip(best.indices[place].tolist(), best.values[place].tolist(), strict=True)
            masks.append({tokenizer.decode([token]): chance for token, chance in pairs})
        return {"prediction": tokenizer.decode(filled, skip_special_tokens=True), "masks": masks}

    def answer(fields: dict[str, Any]) -> Iterator[dict[str, Any]]:
        yield predict(fields["text"])

    return answer
