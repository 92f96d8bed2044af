"""Texts that are written word by word, by transformers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from threading import Thread
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer, TextIteratorStreamer


def load(folder: str, options: dict[str, Any]) -> Callable[[dict[str, Any]], Iterator[dict[str, Any]]]:
    """Return what answers.

    Args:
        folder: the export.
        options: `kind`: causal, source or chat; `encoder`: whether an encoder reads; `generation`; `before`: stands
            before a source; `ids_before` and `ids_after`: tokens around a prompt; `end`: begins an empty text.
    """
    network = (AutoModelForSeq2SeqLM if options["encoder"] else AutoModelForCausalLM).from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)

    def prompt(fields: dict[str, Any]) -> list[int]:
        if options["kind"] == "chat":
            text = tokenizer.apply_chat_template(fields["messages"], tokenize=False, add_generation_prompt=True)
            ids: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
            return ids[-options["max_length"] :]
        text = options["before"] + fields["text"]
        if options["encoder"]:
            whole: list[int] = tokenizer(text, truncation=True, max_length=options["max_length"])["input_ids"]
            return whole
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        return [*options["ids_before"], *ids, *options["ids_after"]] or options["end"]

    def answer(fields: dict[str, Any]) -> Iterator[dict[str, Any]]:
        streamer = TextIteratorStreamer(tokenizer, skip_prompt=True, skip_special_tokens=True)
        ids = torch.tensor([prompt(fields)])
        generation = dict(options["generation"])
        limit = getattr(network.config, "max_position_embeddings", None) or getattr(network.config, "n_positions", None)
        if limit and not options["encoder"]:
            if ids.shape[1] >= limit:
                raise ValueError(f"The text has {ids.shape[1]} tokens, and the model takes at most {limit}.")
            generation["max_new_tokens"] = min(generation["max_new_tokens"], limit - ids.shape[1])
        beams = generation.get("num_beams") or network.generation_config.num_beams or 1
        written: list[Any] = []

        def work() -> None:
            try:
                extra = {"streamer": streamer} if beams == 1 else {}
                written.append(
                    network.generate(input_ids=ids, attention_mask=torch.ones_like(ids), **extra, **generation)
                )
            except Exception as error:
                written.append(error)
            finally:
                streamer.end()

        thread = Thread(target=work, daemon=True)
        thread.start()
        text = ""
        for piece in streamer:
            text += piece
            if piece:
                yield {"prediction": text}
        thread.join()
        if isinstance(written[0], Exception):
            raise ValueError(str(written[0])) from written[0]
        start = 0 if options["encoder"] else ids.shape[1]
        whole = str(tokenizer.decode(written[0][0, start:], skip_special_tokens=True))
        yield {"prediction": whole if options["kind"] == "causal" else whole.strip()}

    return answer
