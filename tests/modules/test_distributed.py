"""Two processes over gloo: the same step as one process, and the same validation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback, Trainer
from test_combinations import BACKBONES, OBJECTIVES, make  # type: ignore[import-not-found]
from tests_support import capitalized, sentence  # type: ignore[import-not-found]

from pretune.datamodules import (
    CorpusDataModule,
    QuestionAnsweringDataModule,
    SentencePairDataModule,
    TextClassificationDataModule,
    TokenClassificationDataModule,
)
from pretune.modules import Backbone, QuestionAnswering, TextClassification, TokenClassification

USUAL = {"CausalLanguageModeling": "llama", "SpanDenoising": "t5", "ReplacedTokenDetection": "electra"}
CASES = [*((name, USUAL.get(name, "bert")) for name in OBJECTIVES), ("NextSentencePrediction", "roberta")]
CASES += [("MaskedLanguageModeling packed", "bert"), ("TextClassification", "bert")]


class Keep(Callback):
    """Writes the weights down, in the first process: those of forked ones are gone with them."""

    def on_fit_end(self, trainer: Any, pl_module: Any) -> None:
        if trainer.is_global_zero:
            torch.save({name: p.detach().clone() for name, p in pl_module.named_parameters()}, "weights.pt")


def build(kind: str, backbone: str, tokenizer_folder: Path, tokenizer: Any, batch_size: int) -> tuple[Any, Any]:
    options: dict[str, Any] = {"learning_rate": 1.0, "optimizer": "sgd", "schedule": "constant", "warmup": 0.0}
    shared: dict[str, Any] = {"tokenizer": str(tokenizer_folder), "batch_size": batch_size}
    if kind == "TextClassification":
        data: Any = TextClassificationDataModule("reviews.csv", text_column="review", label_column="stars", **shared)
        torch.manual_seed(0)
        config = {"model_type": backbone, **BACKBONES[backbone][1]}
        return TextClassification(Backbone(config=config, dropout=0.0), **options), data
    if "Sentence" in kind:
        data = SentencePairDataModule("texts.txt", max_length=24, **shared)
    else:
        data = CorpusDataModule("corpus.txt", block_size=16, packing="packed" in kind, **shared)
    return make(kind.split()[0], backbone, tokenizer, **options), data


@pytest.mark.parametrize(("accumulate", "steps"), [(1, 2), (2, 1)])
@pytest.mark.parametrize(("kind", "backbone"), CASES)
def test_two_processes_step_as_one(
    kind: str, backbone: str, accumulate: int, steps: int, corpus: Path, reviews: Path, tokenizer_folder: Path,
    tokenizer: Any,
) -> None:  # fmt: skip
    texts = (" ".join(capitalized(7 * i + j) for j in range(3 + i % 4)) for i in range(60))
    Path("texts.txt").write_text("\n\n".join(texts))
    found: list[tuple[dict[str, torch.Tensor], Any]] = []
    for devices in (1, 2):
        model, data = build(kind, backbone, tokenizer_folder, tokenizer, 16 // devices // accumulate)
        trainer = Trainer(
            accelerator="cpu",
            devices=devices,
            strategy="ddp_fork" if devices > 1 else "auto",
            max_steps=steps,
            accumulate_grad_batches=accumulate,
            callbacks=[Keep()],
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            val_check_interval=steps * accumulate,
        )
        torch.manual_seed(5)
        trainer.fit(model, data)
        found.append((torch.load("weights.pt"), trainer.callback_metrics["val/loss"]))
    for name, value in found[0][0].items():
        torch.testing.assert_close(found[1][0][name], value, atol=5e-6, rtol=1e-4, msg=lambda m, n=name: f"{n}: {m}")
    torch.testing.assert_close(found[1][1], found[0][1], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", ["TokenClassification", "QuestionAnswering"])
def test_scores_of_two_processes_are_those_of_one(
    kind: str, tiny: dict[str, Any], tokenizer_folder: Path, tokenizer: Any
) -> None:
    """Windows of one text lie in both."""
    rows: list[dict[str, Any]] = []
    for i in range(21):
        words = sentence(i, 40).removesuffix(".").split()
        if kind == "TokenClassification":
            rows.append({"tokens": words, "ner_tags": ["B-A" if len(w) > 4 else "O" for w in words]})
        else:
            answers = {"text": [words[0]] if i % 3 else [], "answer_start": [0] if i % 3 else []}
            rows.append({"id": str(i), "context": " ".join(words), "question": "a film", "answers": answers})
    Path("rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    options: dict[str, Any] = {"validation_files": "rows.jsonl", "tokenizer": str(tokenizer_folder), "max_length": 24}
    found = []
    for devices in (1, 2):
        data: Any = (
            TokenClassificationDataModule("rows.jsonl", batch_size=4, **options)
            if kind == "TokenClassification"
            else QuestionAnsweringDataModule("rows.jsonl", batch_size=4, stride=8, **options)
        )
        torch.manual_seed(0)
        model: Any = (TokenClassification if kind == "TokenClassification" else QuestionAnswering)(
            Backbone(config=tiny)
        )
        trainer = Trainer(
            accelerator="cpu",
            devices=devices,
            strategy="ddp_fork" if devices > 1 else "auto",
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        torch.manual_seed(5)
        found.append(trainer.validate(model, data, verbose=False)[0])
    assert found[0].keys() == found[1].keys()
    for name, value in found[0].items():
        assert found[1][name] == pytest.approx(value, abs=1e-4), name
