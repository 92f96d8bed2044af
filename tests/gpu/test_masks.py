"""What is drawn is drawn on the device, and is what the CPU draws, bit for bit."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
import torch
from gpu_support import DEVICE, on_device, same
from test_combinations import make  # type: ignore[import-not-found]
from test_references import seen  # type: ignore[import-not-found]
from torch import Tensor

from pretune.contracts import with_hints
from pretune.modules.corruption.denoising import poisson_lengths, poisson_spans, random_spans
from pretune.modules.corruption.hashing import integers, row_keys, uniform

ROWS, LENGTH = 96, 64


def many(packed: bool = False) -> dict[str, Tensor]:
    """Rows of 5 to 64 tokens, in words of one or more; or the same one after the other."""
    generator = torch.Generator().manual_seed(7)
    ids = torch.randint(5, 90, (ROWS, LENGTH), generator=generator)
    words = (torch.rand(ROWS, LENGTH, generator=generator) < 0.6).long().cumsum(1)
    lengths = 5 + torch.arange(ROWS) % (LENGTH - 4)
    mask = torch.arange(LENGTH) < lengths.unsqueeze(1)
    if not packed:
        ids = ids.masked_fill(~mask, 0)
        return {"input_ids": ids, "attention_mask": mask.long(), "word_ids": words.masked_fill(~mask, -1)}
    bounds = torch.cat([torch.zeros(1, dtype=torch.long), lengths.cumsum(0)]).int()
    positions = torch.cat([torch.arange(b - a) for a, b in pairwise(bounds.tolist())])
    return {
        "input_ids": ids[mask][None],
        "position_ids": positions[None],
        "word_ids": words[mask][None],
        "cu_seq_lens": bounds,
    }


def both(objective: str, backbone: str, tokenizer: Any, **options: Any) -> tuple[Any, Any]:
    """The same module on the CPU and on the device."""
    models = [make(objective, backbone, tokenizer, **options) for _ in range(2)]
    for model in models:
        model.build()
        model._seed = 11
    return models[0], models[1].to(DEVICE)


@pytest.mark.parametrize("stage", ["train", "val"])
@pytest.mark.parametrize("packed", [False, True], ids=["padded", "packed"])
@pytest.mark.parametrize("masking", ["token", "word", "span"])
def test_masking(masking: str, packed: bool, stage: str, tokenizer: Any) -> None:
    host, device = both("MaskedLanguageModeling", "bert", tokenizer, masking=masking, mask_probability=0.3)
    batch = many(packed)
    ids, chosen, keys = host.mask(host.rows(batch), stage)
    assert 0.1 < float(chosen.sum() / (batch["input_ids"] > 4).sum()) < 0.5
    found = device.mask(device.rows(on_device(with_hints(batch))), stage)
    same(found, (ids, chosen, keys))


@pytest.mark.parametrize("stage", ["train", "val"])
@pytest.mark.parametrize(("backbone", "corruption"), [("t5", "sentinels"), ("bart", "infilling")])
def test_SpanDenoising(backbone: str, corruption: str, stage: str, tokenizer: Any) -> None:
    host, device = both("SpanDenoising", backbone, tokenizer, corruption=corruption)
    same(device.corrupt(on_device(many()), stage), host.corrupt(many(), stage))


@pytest.mark.parametrize("density", [0.15, 0.5])
def test_spans_of_noise(density: float) -> None:
    batch = many()
    corruptible = batch["attention_mask"].bool()
    keys = row_keys(batch["input_ids"], batch["attention_mask"], 3)
    there = corruptible.to(DEVICE), keys.to(DEVICE)
    same(poisson_lengths(there[1], 3.0), poisson_lengths(keys, 3.0))
    same(poisson_spans(*there, density, 3.0), poisson_spans(corruptible, keys, density, 3.0))
    same(random_spans(*there, density, 3.0), random_spans(corruptible, keys, density, 3.0))


def test_hashes() -> None:
    batch = many()
    keys = row_keys(batch["input_ids"], batch["attention_mask"], 2**40)
    there = row_keys(batch["input_ids"].to(DEVICE), batch["attention_mask"].to(DEVICE), 2**40)
    same(there, keys)
    same(uniform(keys.to(DEVICE), 8), uniform(keys, 8))
    same(integers(keys.to(DEVICE), 9, 30_522), integers(keys, 9, 30_522))


@pytest.mark.parametrize("objective", ["NextSentencePrediction", "SentenceOrderPrediction", "ReplacedTokenDetection"])
def test_what_a_network_reads(objective: str, tokenizer: Any) -> None:
    """Pairs that are swapped or not, and masked; what a generator is to fill in."""
    read = []
    for model in both(objective, "bert", tokenizer):
        batch = many()
        if "segment_a" in model.batch_keys:
            ids = batch["input_ids"].masked_fill(batch["attention_mask"] == 0, -1)
            batch = {f"segment_{name}": ids[:, start:] for name, start in (("a", 40), ("b", 30), ("other", 35))}
            batch["segment_b"], batch["segment_other"] = batch["segment_b"].flip(0), batch["segment_other"].roll(5, 0)
        network = getattr(model, "generator", model.model)
        with seen(network) as inputs, torch.no_grad():
            model.step(on_device(batch, model.device), "val")
        read.append({key: value for key, value in inputs.items() if isinstance(value, Tensor)})
    assert "input_ids" in read[0]
    same(read[1], read[0])
