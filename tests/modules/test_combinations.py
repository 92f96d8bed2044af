"""Every objective on every backbone: learned by heart, exported and read back by transformers alone, or refused.

The table in docs/compatibility.md is made of what these tests expect; PRETUNE_WRITE_TABLE=1 writes it.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

import pretune
from pretune.errors import InputError
from pretune.modules import (
    Backbone,
    CausalLanguageModeling,
    MaskedLanguageModeling,
    NextSentencePrediction,
    ReplacedTokenDetection,
    SentenceOrderPrediction,
    SpanDenoising,
)
from pretune.modules.backbone.layers import in_body

SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
BART = {
    "d_model": 32,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 64,
    "decoder_ffn_dim": 64,
}
BACKBONES: dict[str, tuple[str, dict[str, Any]]] = {
    "bert": ("encoder", SIZES),
    "roberta": ("encoder", SIZES),
    "camembert": ("encoder", SIZES),
    "xlm-roberta": ("encoder", SIZES),
    "distilbert": ("encoder", {"dim": 32, "hidden_dim": 64, "n_layers": 2, "n_heads": 2}),
    "albert": ("encoder", {**SIZES, "embedding_size": 16}),
    "electra": ("encoder", {**SIZES, "embedding_size": 32}),
    "deberta-v2": ("encoder", SIZES),
    "modernbert": ("encoder", {**SIZES, "num_hidden_layers": 3}),
    "mobilebert": ("encoder", {**SIZES, "embedding_size": 16, "intra_bottleneck_size": 32, "true_hidden_size": 32}),
    "gpt2": ("decoder", {"n_embd": 32, "n_layer": 2, "n_head": 2}),
    "llama": ("decoder", {**SIZES, "num_key_value_heads": 1}),
    "qwen3": ("decoder", {**SIZES, "num_key_value_heads": 1, "head_dim": 16}),
    "mistral": ("decoder", {**SIZES, "num_key_value_heads": 1, "sliding_window": 8}),
    "gpt_neox": ("decoder", SIZES),
    "opt": ("decoder", {**SIZES, "ffn_dim": 64, "word_embed_proj_dim": 32}),
    "t5": ("encoder-decoder", {"d_model": 32, "d_kv": 16, "d_ff": 64, "num_layers": 2, "num_heads": 2}),
    "bart": ("encoder-decoder", BART),
    "mbart": ("encoder-decoder", BART),
    "pegasus": ("encoder-decoder", BART),
}
BACKBONES["opt"][1].pop("intermediate_size", None)
OBJECTIVES: dict[str, tuple[Any, str]] = {
    "MaskedLanguageModeling": (MaskedLanguageModeling, "encoder"),
    "NextSentencePrediction": (NextSentencePrediction, "encoder"),
    "SentenceOrderPrediction": (SentenceOrderPrediction, "encoder"),
    "ReplacedTokenDetection": (ReplacedTokenDetection, "encoder"),
    "CausalLanguageModeling": (CausalLanguageModeling, "decoder"),
    "SpanDenoising": (SpanDenoising, "encoder-decoder"),
}
WORKS = [(o, b) for o, (_, needs) in OBJECTIVES.items() for b, (family, _) in BACKBONES.items() if family == needs]
REFUSED = [(o, b) for o in OBJECTIVES for b in BACKBONES if (o, b) not in WORKS]


def make(objective: str, backbone: str, tokenizer: Any, **options: Any) -> Any:
    torch.manual_seed(0)
    config = {"model_type": backbone, **BACKBONES[backbone][1]}
    model = OBJECTIVES[objective][0](Backbone(config=config, dropout=0.0), **options)
    model.tokenizer = tokenizer
    return model


def tokens() -> dict[str, torch.Tensor]:
    """Rows of different lengths between the first and the last special token."""
    ids = torch.randint(5, 90, (6, 18), generator=torch.Generator().manual_seed(1))
    mask = torch.ones_like(ids)
    mask[3:, 13:] = 0
    ids[:, 0] = 2
    ids[:3, -1], ids[3:, 12] = 3, 3
    ids[mask == 0] = 0
    return {"input_ids": ids, "attention_mask": mask, "token_type_ids": torch.zeros_like(ids)}


def pairs() -> dict[str, torch.Tensor]:
    """Segments of different lengths."""
    generator = torch.Generator().manual_seed(2)
    batch = {
        key: torch.randint(5, 90, (8, length), generator=generator)
        for key, length in (("segment_a", 9), ("segment_b", 7), ("segment_other", 8))
    }
    batch["segment_a"][4:, 6:] = -1
    batch["segment_b"][::3, 5:] = -1
    return batch


def batch_for(model: Any) -> dict[str, torch.Tensor]:
    return pairs() if "segment_a" in model.batch_keys else tokens()


def total(model: Any, batch: dict[str, torch.Tensor], stage: str = "val") -> torch.Tensor:
    """The loss as it is logged: the weighted sum of the means of the parts."""
    found = model.step(batch, stage)
    outputs = found if isinstance(found, dict) else {"": found}
    weights = model.parts()
    return sum((weights[name] * out.loss / out.count for name, out in outputs.items()), torch.zeros(()))


@pytest.mark.parametrize(("objective", "backbone"), WORKS)
def test_one_batch_is_learned_by_heart_and_read_back(
    objective: str, backbone: str, tokenizer: Any, tmp_path: Path
) -> None:
    model = make(objective, backbone, tokenizer)
    model.build()
    batch = batch_for(model)
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3, weight_decay=0.0)
    first = last = float("nan")
    for step in range(400):
        loss = total(model, batch)  # the same corruption each time
        last = float(loss.detach())
        first = last if step == 0 else first
        if last < 0.1 * first:
            break
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    assert last < 0.1 * first, (first, last)

    model.eval()
    model.save_pretrained(tmp_path / "out")
    plain = getattr(transformers, model.auto_class).from_pretrained(tmp_path / "out").eval()
    batch = tokens()
    inputs = model.network_inputs(batch)
    if objective == "SpanDenoising":
        inputs["decoder_input_ids"] = batch["input_ids"]
    with torch.no_grad():
        mine, theirs = model.model(**inputs), plain(**inputs)
    compared = [key for key, value in mine.items() if "logits" in key and isinstance(value, torch.Tensor)]
    assert compared
    assert all(torch.equal(mine[key], theirs[key]) for key in compared)
    assert not any(name.startswith("generator.") for name, _ in plain.named_parameters())


@pytest.mark.parametrize(("objective", "backbone"), REFUSED)
def test_what_cannot_work_is_refused_before_any_weight_is_made(
    objective: str, backbone: str, tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Backbone, "build", lambda *args, **kwargs: pytest.fail("weights were made"))
    with pytest.raises(InputError) as caught:
        make(objective, backbone, tokenizer).build()
    message = str(caught.value)
    assert message.count(". ") == 0
    assert message.endswith(".")
    right = {"encoder": "MaskedLanguageModeling", "decoder": "CausalLanguageModeling"}
    assert right.get(BACKBONES[backbone][0], "SpanDenoising") in message  # what would train this backbone
    needed = next(name for name, (family, _) in BACKBONES.items() if family == OBJECTIVES[objective][1])
    assert needed in message  # and what this objective would train


def table() -> str:
    """The combinations, as Markdown."""
    lines = ["| backbone | " + " | ".join(f"`{name}`" for name in OBJECTIVES) + " |"]
    lines.append("|---" * (len(OBJECTIVES) + 1) + "|")
    for backbone in BACKBONES:
        cells = ["yes" if (name, backbone) in WORKS else "refused" for name in OBJECTIVES]
        lines.append(f"| {backbone} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def test_the_table_in_the_docs() -> None:
    path = Path(pretune.__file__).parent / "docs" / "compatibility.md"
    found = re.search(r"(<!-- combinations -->\n)(.*?)(<!-- end -->)", path.read_text(), re.DOTALL)
    assert found is not None
    if os.environ.get("PRETUNE_WRITE_TABLE"):
        text = path.read_text()
        path.write_text(text[: found.start(2)] + table() + text[found.end(2) :])
        return
    assert found[2] == table(), "PRETUNE_WRITE_TABLE=1 pytest tests/modules/test_combinations.py -k table"


@pytest.mark.parametrize("source", ["MaskedLanguageModeling", "NextSentencePrediction", "ReplacedTokenDetection"])
@pytest.mark.parametrize("backbone", ["bert", "electra", "roberta"])
def test_training_goes_on_from_another_objective(source: str, backbone: str, tokenizer: Any, tmp_path: Path) -> None:
    """The body is taken over whole, and the head where the weights have one."""
    first = make(source, backbone, tokenizer)
    first.build()
    first.save_pretrained(tmp_path / "first")
    saved = {name: value for name, value in first.model.named_parameters() if in_body(first.model, name)}
    for name, (kind, needs) in OBJECTIVES.items():
        if needs != "encoder":
            continue
        second = kind(str(tmp_path / "first"))
        second.tokenizer = tokenizer
        second.build()
        body = {n: p for n, p in second.model.named_parameters() if in_body(second.model, n)}
        assert body.keys() == saved.keys(), name
        assert all(torch.equal(body[n], saved[n]) for n in body), name
        masks = {"MaskedLanguageModeling", "NextSentencePrediction", "SentenceOrderPrediction"}
        if source in masks and name in masks:
            head = [n for n in second.weight_report.new if "predictions" in n or "lm_head" in n]
            assert not head, name
