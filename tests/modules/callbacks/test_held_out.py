"""What an objective loses on any texts: as a test says, whatever state it is in, and nothing else changes."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from tests_support import capitalized

from pretune.datamodules import CorpusDataModule
from pretune.errors import InputError
from pretune.modules import (
    CausalLanguageModeling,
    MaskedLanguageModeling,
    NextSentencePrediction,
    ReplacedTokenDetection,
    SpanDenoising,
)
from pretune.modules.callbacks.held_out import held_out
from pretune.text.tokenizer import load_tokenizer
from pretune.text.train_tokenizer import TrainTokenizer, train_tokenizer

SIZES = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}
T5 = {"model_type": "t5", "d_model": 32, "d_kv": 16, "d_ff": 64, "num_layers": 1, "num_heads": 2}
OBJECTIVES: list[tuple[Any, dict[str, Any]]] = [
    (MaskedLanguageModeling, {"model_type": "bert", **SIZES}),
    (CausalLanguageModeling, {"model_type": "llama", **SIZES}),
    (SpanDenoising, T5),
    (NextSentencePrediction, {"model_type": "bert", **SIZES}),
    (ReplacedTokenDetection, {"model_type": "electra", "embedding_size": 32, **SIZES}),
]


def make(kind: Any, config: dict[str, Any], tokenizer: Any, **options: Any) -> Any:
    torch.manual_seed(0)
    objective = kind({"config": config}, **options)
    objective.tokenizer = tokenizer
    return objective


@pytest.mark.parametrize(("kind", "config"), OBJECTIVES, ids=lambda value: getattr(value, "__name__", ""))
def test_as_the_trainer_tests(kind: Any, config: dict[str, Any], tokenizer: Any, tmp_path: Path) -> None:
    from lightning.pytorch import Trainer

    from pretune import datamodules

    Path("texts.txt").write_text("\n\n".join(" ".join(capitalized(9 * i + j) for j in range(4)) for i in range(30)))
    objective = make(kind, config, tokenizer)
    kind_of_data: Any = getattr(datamodules, kind.datamodules[0])
    options = {"test_files": "texts.txt", "documents": "paragraph", kind_of_data.length_option: 32}
    data = kind_of_data(**options)
    data.use_tokenizer(tokenizer)
    trainer = Trainer(accelerator="cpu", logger=False, enable_progress_bar=False, enable_model_summary=False)
    (expected,) = trainer.test(objective, data, verbose=False)
    found = held_out(objective, kind_of_data(**options, batch_size=7))
    assert found["loss"] == pytest.approx(expected["test/loss"], rel=1e-5)
    if "test/perplexity" in expected:
        assert found["perplexity"] == pytest.approx(expected["test/perplexity"], rel=1e-4)
    for name in ("word_perplexity", "bits_per_byte"):
        if f"test/{name}" in expected:
            assert found[name] == pytest.approx(expected[f"test/{name}"], rel=1e-4)


def test_leaves_no_trace(tokenizer: Any, tiny: dict[str, Any], corpus: Path) -> None:
    objective = make(MaskedLanguageModeling, tiny, tokenizer)
    objective.build()
    objective.model.bert.embeddings.eval()
    modes = {name: module.training for name, module in objective.named_modules()}
    before = torch.get_rng_state()
    first = held_out(objective, CorpusDataModule(test_files=str(corpus)))
    assert torch.equal(torch.get_rng_state(), before)
    assert modes == {name: module.training for name, module in objective.named_modules()}
    assert any(modes.values())
    assert held_out(objective, CorpusDataModule(test_files=str(corpus))) == first  # dropout is off
    with torch.no_grad():
        for parameter in objective.parameters():
            parameter.zero_()
    uniform = held_out(objective, CorpusDataModule(test_files=str(corpus)))
    assert uniform["loss"] == pytest.approx(math.log(objective.model.config.vocab_size))


def test_whole_words_are_hidden(tiny: dict[str, Any], corpus: Path) -> None:
    train_tokenizer(TrainTokenizer("wordpiece", 60, min_frequency=1), iter(corpus.read_text().split()), Path("pieces"))
    data = CorpusDataModule(test_files=str(corpus))
    tokens, words = (
        held_out(make(MaskedLanguageModeling, tiny, load_tokenizer("pieces"), masking=masking), data)
        for masking in ("token", "word")
    )
    assert tokens["loss"] != words["loss"]
    assert tokens["tokens_per_word"] == words["tokens_per_word"] > 2


def test_files_that_are_not_there(tokenizer: Any, tiny: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"nowhere\.txt"):
        held_out(make(MaskedLanguageModeling, tiny, tokenizer), CorpusDataModule(test_files="nowhere.txt"))
