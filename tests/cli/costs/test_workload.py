"""What a step computes, before there are data."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from pretune.cli.costs.workload import Workload, prepare, workload
from pretune.contracts import RowWork
from pretune.datamodules import (
    CorpusDataModule,
    InstructionDataModule,
    MultipleChoiceDataModule,
    SentencePairDataModule,
    SequenceToSequenceDataModule,
    TextClassificationDataModule,
)
from pretune.errors import InputError
from pretune.modules import (
    BaseModule,
    CausalLanguageModeling,
    InstructionTuning,
    MaskedLanguageModeling,
    MultipleChoice,
    NextSentencePrediction,
    SequenceToSequence,
    SpanDenoising,
    TextClassification,
)
from pretune.modules.corruption.denoising import random_spans, t5_corrupt
from pretune.modules.corruption.hashing import row_keys
from pretune.modules.tasks.multiple_choice import USUAL_CHOICES

BERT = {"config": {"model_type": "bert", "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}}
T5 = {"config": {"model_type": "t5", "d_model": 32, "num_layers": 1, "num_heads": 2}}
BART = {"config": {"model_type": "bart", "d_model": 32, "encoder_layers": 1, "decoder_layers": 1}}
GPT2 = {"config": {"model_type": "gpt2", "n_embd": 32, "n_layer": 1, "n_head": 2}}
WORDS: Any = {"train": "wordpiece", "vocab_size": 500}


def found(module: Any, data: Any) -> Workload:
    return workload(module, data, prepare(module, data))


def corpus(**more: Any) -> CorpusDataModule:
    return CorpusDataModule("text.txt", tokenizer=WORDS, **{"block_size": 100, "batch_size": 8, **more})


def test_objectives() -> None:
    masked = MaskedLanguageModeling(BERT, mask_probability=0.15, final_mask_probability=0.3)
    assert found(masked, corpus()) == Workload(8, 100, 100, 0, 240, padded=False)
    assert found(CausalLanguageModeling(GPT2), corpus()) == Workload(8, 100, 100, 0, 8 * 99, padded=False)
    assert found(SpanDenoising(BART), corpus()).target == 100


@pytest.mark.parametrize(("length", "density", "mean"), [(100, 0.15, 3.0), (128, 0.5, 3.0), (512, 0.15, 4.0)])
def test_spans_are_as_long_as_they_get(length: int, density: float, mean: float) -> None:
    ids = torch.randint(200, 400, (2, length))
    there = torch.ones_like(ids)
    spans = random_spans(there.bool(), row_keys(ids, there, 1), density, mean)
    inputs, _, labels = t5_corrupt(ids, there, spans, torch.arange(500, 600), 1, 0)
    work = found(SpanDenoising(T5, noise_density=density, mean_span=mean), corpus(block_size=length))
    assert (work.source, work.target) == (inputs.shape[1], labels.shape[1])
    assert work.heads == 8 * labels.shape[1]


def test_tasks() -> None:
    texts = TextClassificationDataModule("rows.csv", tokenizer=WORDS, max_length=64, batch_size=4)
    module = TextClassification(BERT)
    assert found(module, texts) == Workload(4, 64, 64, 0, 0, padded=True)
    assert module.head_options() == {"num_labels": 2}
    choices = MultipleChoiceDataModule("rows.jsonl", tokenizer=WORDS, max_length=64, batch_size=4)
    assert found(MultipleChoice(BERT), choices).rows == 4 * USUAL_CHOICES
    pairs: Any = {"train_files": "pairs.jsonl", "tokenizer": WORDS, "max_length": 64, "max_target_length": 16}
    both = SequenceToSequenceDataModule(**pairs, batch_size=4)
    assert found(SequenceToSequence(T5), both) == Workload(4, 64, 64, 16, 64, padded=True)
    assert found(SequenceToSequence(GPT2), both) == Workload(4, 64, 80, 0, 64, padded=True)


def test_a_decoder_has_room_for_the_target() -> None:
    """Source and target share the positions of a decoder; as in training, the source takes what the target leaves."""
    both = SequenceToSequenceDataModule("pairs.jsonl", tokenizer=WORDS, max_target_length=16, batch_size=4)
    small: Any = {"config": {**GPT2["config"], "n_positions": 100}}
    assert found(SequenceToSequence(small), both) == Workload(4, 84, 100, 0, 64, padded=True)


def test_budgets_of_tokens_give_the_rows() -> None:
    texts = TextClassificationDataModule("rows.csv", tokenizer=WORDS, max_length=64, tokens_per_batch=1000)
    assert found(TextClassification(BERT), texts).rows == 15


def test_the_vocabulary_follows_the_tokenizer() -> None:
    assert prepare(MaskedLanguageModeling(BERT), corpus()).vocab_size == 512
    assert prepare(SpanDenoising(T5), corpus()).vocab_size == 640  # 500 and 100 sentinels
    own = {"config": {**BERT["config"], "vocab_size": 700}}
    assert prepare(MaskedLanguageModeling(own), corpus()).vocab_size == 700


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(InputError, match=r"data.block_size is 600, but bert .* takes at most 512"):
        prepare(MaskedLanguageModeling(BERT), corpus(block_size=600))
    with pytest.raises(InputError, match=r"data.block_size is 1, .*; it must be at least 2"):
        found(CausalLanguageModeling(GPT2), corpus(block_size=1))
    with pytest.raises(InputError, match="needs an encoder"):
        prepare(MaskedLanguageModeling(GPT2), corpus())


def test_a_module_of_ones_own_says_what_it_computes() -> None:
    class Twice(MaskedLanguageModeling):
        def row_work(self, length: int, data: Any, config: Any) -> RowWork:
            return RowWork(length // 2, predicted=1, inputs=2)

    class Silent(BaseModule):
        auto_class = "AutoModelForMaskedLM"

    class Everywhere(Silent):
        perplexity_of = ""

    assert found(Twice(BERT), corpus()) == Workload(16, 100, 50, 0, 16, padded=True)
    assert found(Silent(BERT), corpus()) == Workload(8, 100, 100, 0, 0, padded=True)
    assert found(Everywhere(BERT), corpus()).heads == 800


def test_pairs_and_answers() -> None:
    pairs = SentencePairDataModule("text.txt", tokenizer=WORDS, max_length=64, batch_size=4)
    assert found(NextSentencePrediction(BERT), pairs) == Workload(4, 64, 64, 0, round(4 * 64 * 0.15), padded=True)
    assert found(NextSentencePrediction(BERT, mlm_weight=0.0), pairs).heads == 0
    chats = InstructionDataModule("chats.jsonl", tokenizer=WORDS, max_length=64, batch_size=4)
    assert found(InstructionTuning(GPT2), chats) == Workload(4, 64, 64, 0, 4 * 63, padded=True)
