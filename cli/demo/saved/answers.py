"""Answers to questions about a text, by transformers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from transformers import AutoModelForQuestionAnswering, AutoTokenizer


def load(folder: str, options: dict[str, Any]) -> Callable[[dict[str, Any]], Iterator[dict[str, Any]]]:
    """Return what answers.

    Args:
        folder: the export.
        options: `n_best`, `max_answer_length` (tokens), `stride`, `max_length`, `null_threshold` (null: always answer).
    """
    network = AutoModelForQuestionAnswering.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)

    @torch.inference_mode()
    def predict(context: str, question: str) -> dict[str, Any]:
        if not (context or "").strip() or not (question or "").strip():
            raise ValueError("Both the context and the question are needed.")
        asked = len(tokenizer(question.strip(), add_special_tokens=False)["input_ids"])
        room = options["max_length"] - asked - tokenizer.num_special_tokens_to_add(pair=True)
        if room < 1:
            raise ValueError(f"The question has {asked} tokens, which leave no room for the context: shorten it.")
        inputs = tokenizer(
            question.strip(),
            context,
            truncation="only_second",
            max_length=options["max_length"],
            stride=min(options["stride"], room - 1),
            return_overflowing_tokens=True,
            return_offsets_mapping=True,
            padding=True,
            return_tensors="pt",
        )
        places = inputs.pop("offset_mapping").tolist()
        inputs.pop("overflow_to_sample_mapping")
        output = network(**inputs)
        spans: dict[tuple[int, int], float] = {}
        nulls = []
        for window, (starts, ends) in enumerate(zip(output.start_logits, output.end_logits, strict=True)):
            inside = torch.tensor([which == 1 for which in inputs.sequence_ids(window)])
            scores = starts[:, None] + ends[None, :]
            allowed = inside[:, None] & inside[None, :] & torch.ones_like(scores).triu().bool()
            allowed &= torch.ones_like(scores).tril(options["max_answer_length"] - 1).bool()
            ranked = scores.masked_fill(~allowed, -torch.inf).flatten().topk(min(options["n_best"], scores.numel()))
            for value, place in zip(ranked.values.tolist(), ranked.indices.tolist(), strict=True):
                if value > -torch.inf:
                    first, last = divmod(place, len(scores))
                    span = places[window][first][0], places[window][last][1]
                    spans[span] = max(value, spans.get(span, -torch.inf))
            nulls.append(scores[0, 0].item())
        best = sorted(spans.items(), key=lambda entry: (-entry[1], entry[0]))[: options["n_best"]]
        null = min(nulls)
        chances = torch.tensor([value for _, value in best] + [null]).softmax(0).tolist()
        limit = options["null_threshold"]
        none = not best or (limit is not None and null - best[0][1] > limit)
        return {
            "prediction": "" if none else context[best[0][0][0] : best[0][0][1]],
            "score": chances[-1] if none else chances[0],
            "n_best": [
                {"text": context[a:b], "start": a, "end": b, "score": chance}
                for ((a, b), _), chance in zip(best, chances, strict=False)
            ],
        }

    def answer(fields: dict[str, Any]) -> Iterator[dict[str, Any]]:
        yield predict(fields["context"], fields["question"])

    return answer
