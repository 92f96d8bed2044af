"""The few lines that a card shows are run, by transformers alone, for every objective and task."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub import ModelCard

from pretune.modules import (
    Backbone,
    CausalLanguageModeling,
    InstructionTuning,
    MaskedLanguageModeling,
    MultipleChoice,
    NextSentencePrediction,
    QuestionAnswering,
    ReplacedTokenDetection,
    SentenceOrderPrediction,
    SequenceToSequence,
    SpanDenoising,
    TextClassification,
    TokenClassification,
)
from pretune.text.card_sections import PLACE
from pretune.text.chat import plain_template

SIZES = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}
BACKBONES: dict[str, dict[str, Any]] = {
    "bert": SIZES,
    "modernbert": SIZES,
    "albert": {**SIZES, "embedding_size": 16},
    "electra": {**SIZES, "embedding_size": 32},
    "gpt2": {"n_embd": 32, "n_layer": 1, "n_head": 2},
    "t5": {"d_model": 32, "d_kv": 16, "d_ff": 64, "num_layers": 1, "num_heads": 2},
}
KINDS: dict[str, tuple[Any, str, dict[str, Any], str | None, str]] = {
    "masked": (MaskedLanguageModeling, "bert", {}, "fill-mask", "hidden places"),
    "causal": (CausalLanguageModeling, "gpt2", {}, "text-generation", "goes on writing"),
    "next sentence": (NextSentencePrediction, "bert", {}, "fill-mask", "hidden places"),
    "next sentence, no head": (NextSentencePrediction, "modernbert", {}, "fill-mask", "hidden places"),
    "pairs alone": (NextSentencePrediction, "bert", {"mlm_weight": 0.0}, "feature-extraction", "a vector"),
    "sentence order": (SentenceOrderPrediction, "albert", {}, "fill-mask", "hidden places"),
    "replaced": (ReplacedTokenDetection, "electra", {}, None, "were replaced"),
    "replaced, no head": (ReplacedTokenDetection, "bert", {}, None, "were replaced"),
    "spans": (SpanDenoising, "t5", {}, "text-generation", "with gaps"),
    "labels": (TextClassification, "bert", {"labels": ["good", "bad"]}, "text-classification", "one of 2 labels"),
    "labels, no types": (
        TextClassification, "modernbert", {"labels": ["x", "y"]}, "text-classification", "one of 2 labels"
    ),
    "answers, no types": (QuestionAnswering, "modernbert", {}, "question-answering", "answer to a question"),
    "many labels": (
        TextClassification, "bert", {"labels": ["a", "b"], "problem": "multi"}, "text-classification", "any number of 2"
    ),
    "number": (TextClassification, "bert", {"problem": "regression"}, "text-classification", "a number"),
    "entities": (
        TokenClassification, "bert", {"labels": ["O", "B-PER", "I-PER"]}, "token-classification", "of 1 kinds"
    ),
    "tags": (TokenClassification, "bert", {"labels": ["NOUN", "VERB"]}, "token-classification", "each word's tag"),
    "answers": (QuestionAnswering, "bert", {}, "question-answering", "answer to a question"),
    "choice": (MultipleChoice, "bert", {}, "multiple-choice", "several endings"),
    "choice, no head": (MultipleChoice, "gpt2", {}, "multiple-choice", "several endings"),
    "writing": (SequenceToSequence, "t5", {}, "text-generation", "into another"),
    "writing, decoder": (SequenceToSequence, "gpt2", {}, "text-generation", "into another"),
    "instructions": (InstructionTuning, "gpt2", {}, "text-generation", "answers instructions"),
}  # fmt: skip


def exported(kind: str, tokenizer: Any, folder: Path, **backbone: Any) -> ModelCard:
    torch.manual_seed(0)
    cls, model_type, options, _, _ = KINDS[kind]
    weights = backbone.pop("name", None)
    config = None if weights else {"model_type": model_type, **BACKBONES[model_type]}
    module = cls(Backbone(weights, config=config, **backbone), **options)
    if kind == "instructions":
        tokenizer.chat_template = plain_template(tokenizer)
    if model_type == "gpt2":
        tokenizer.pad_token = tokenizer.pad_token or tokenizer.sep_token
    module.tokenizer = tokenizer
    module.save_pretrained(folder, check=False)
    return ModelCard((folder / "README.md").read_text(encoding="utf-8"))


def code_of(card: ModelCard) -> str:
    (code,) = re.findall(r"```python\n(.*?)```", card.text, re.DOTALL)
    return str(code)


@pytest.mark.parametrize("kind", KINDS)
def test_the_lines_of_a_card_run(kind: str, tokenizer: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    card = exported(kind, tokenizer, tmp_path / "out")
    *_, tag, words = KINDS[kind]
    assert card.data.to_dict().get("pipeline_tag") == tag
    assert card.data.to_dict()["library_name"] == "transformers"
    assert words in card.text
    code = code_of(card)
    assert "pretune" not in code
    lines = [line for line in code.splitlines() if line and not line.startswith("from ")]
    assert len(lines) <= 5
    exec(compile(code.replace(PLACE, str(tmp_path / "out")), "card", "exec"), {})
    assert capsys.readouterr().out.strip()


def test_they_need_transformers_alone(tokenizer: Any, tmp_path: Path) -> None:
    code = code_of(exported("labels", tokenizer, tmp_path / "out")).replace(PLACE, str(tmp_path / "out"))
    blocked = "import sys\nsys.modules['pretune'] = sys.modules['lightning'] = None\n"
    done = subprocess.run([sys.executable, "-c", blocked + code], capture_output=True, text=True, check=False)
    assert "'label': " in done.stdout, done.stderr


@pytest.mark.parametrize("kind", ["labels", "answers", "masked"])
def test_those_of_adapters_run(
    kind: str, encoder: Path, tokenizer: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("peft")
    backbone = {"name": str(encoder), "lora": {"r": 2}, "merge_adapters": False}
    card = exported(kind, tokenizer, tmp_path / "out", **backbone)
    assert card.data.to_dict()["library_name"] == "peft"
    code = code_of(card).replace(PLACE, str(tmp_path / "out")).replace('"encoder"', repr(str(encoder)))
    exec(compile(code, "card", "exec"), {})
    assert capsys.readouterr().out.strip()
