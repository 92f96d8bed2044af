"""Labels of texts, by transformers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer


def load(folder: str, options: dict[str, Any]) -> Callable[[dict[str, Any]], Iterator[dict[str, Any]]]:
    """Return what answers.

    Args:
        folder: the export.
        options: `problem`, `labels`, `thresholds` of several labels, `max_length`.
    """
    network = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)

    @torch.inference_mode()
    def predict(text: str, pair: str | None) -> dict[str, Any]:
        if not (text or "").strip():
            raise ValueError("The text is empty.")
        inputs = tokenizer(text, pair, truncation=True, max_length=options["max_length"], return_tensors="pt")
        logits = network(**inputs).logits[0].float()
        if options["problem"] == "regression":
            return {"prediction": logits.item()}
        names = options["labels"]
        chances = (logits.sigmoid() if options["problem"] == "multi" else logits.softmax(-1)).tolist()
        bars = dict(zip(names, chances, strict=True))
        if options["problem"] == "multi":
            least = options["thresholds"]
            chosen = [name for name, chance, limit in zip(names, chances, least, strict=True) if chance >= limit]
            return {"prediction": chosen, "probabilities": bars}
        return {"prediction": max(bars, key=lambda name: bars[name]), "probabilities": bars}

    def answer(fields: dict[str, Any]) -> Iterator[dict[str, Any]]:
        yield predict(fields["text"], fields.get("pair"))

    return answer
