"""Tags of words and entities, by transformers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import regex
import torch
from transformers import AutoModelForTokenClassification, AutoTokenizer


def load(folder: str, options: dict[str, Any]) -> Callable[[dict[str, Any]], Iterator[dict[str, Any]]]:
    """Return what answers.

    Args:
        folder: the export.
        options: `word`: what a word is; `tagging`: whether every word has a tag; `max_length`.
    """
    network = AutoModelForTokenClassification.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    names, word = network.config.id2label, regex.compile(options["word"], regex.VERBOSE | regex.VERSION1)

    @torch.inference_mode()
    def predict(text: str) -> dict[str, Any]:
        words = [match.span() for match in word.finditer(text or "")]
        if not words:
            raise ValueError("The text has no word.")
        inputs = tokenizer(
            text, truncation=True, max_length=options["max_length"], return_offsets_mapping=True, return_tensors="pt"
        )
        places = inputs.pop("offset_mapping")[0].tolist()
        best = network(**inputs).logits[0].argmax(-1).tolist()
        tags = []
        for start, end in words:  # the first piece of a word speaks for it
            piece = next((n for n, (a, b) in enumerate(places) if a < end and start < b), None)
            tags.append("O" if piece is None else names[best[piece]])
        spans: list[dict[str, Any]] = []
        kind = ""
        for (start, end), tag in zip(words, tags, strict=True):
            if options["tagging"]:
                spans.append({"start": start, "end": end, "label": tag})
            elif kind and tag == f"I-{kind}":
                spans[-1]["end"] = end
            elif tag.startswith("B-"):
                kind = tag[2:]
                spans.append({"start": start, "end": end, "label": kind})
            else:
                kind = ""
        return {"prediction": tags, "text": text, "spans": spans}

    def answer(fields: dict[str, Any]) -> Iterator[dict[str, Any]]:
        yield predict(fields["text"])

    return answer
