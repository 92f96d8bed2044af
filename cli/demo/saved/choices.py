"""Which ending fits, by transformers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from transformers import AutoModelForMultipleChoice, AutoTokenizer


def load(folder: str, options: dict[str, Any]) -> Callable[[dict[str, Any]], Iterator[dict[str, Any]]]:
    """Return what answers.

    Args:
        folder: the export.
        options: `max_length`.
    """
    network = AutoModelForMultipleChoice.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)

    @torch.inference_mode()
    def predict(context: str, question: str, endings: list[str]) -> dict[str, Any]:
        if not (context or "").strip() or len(endings) < 2:
            raise ValueError("A context and at least two endings, one in each line, are needed.")
        begins = f"{question} " if question else ""
        inputs = tokenizer(
            [context] * len(endings),
            [begins + ending for ending in endings],
            truncation=True,
            max_length=options["max_length"],
            padding=True,
            return_tensors="pt",
        )
        chances = network(**{name: value[None] for name, value in inputs.items()}).logits[0].float().softmax(-1)
        return {"prediction": int(chances.argmax()), "probabilities": chances.tolist()}

    def answer(fields: dict[str, Any]) -> Iterator[dict[str, Any]]:
        yield predict(fields["context"], fields["question"], fields["endings"])

    return answer
