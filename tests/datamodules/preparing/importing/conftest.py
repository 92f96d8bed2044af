"""A tokenizer as those of GPT, and documents that it has tokenized."""

from __future__ import annotations

import pytest
from token_files import TEXTS  # type: ignore[import-not-found]
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast


@pytest.fixture(scope="module")
def gpt(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A byte-level tokenizer whose texts end with `<|endoftext|>`, 0."""
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<|endoftext|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator(TEXTS, trainer)
    folder = tmp_path_factory.mktemp("gpt")
    PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<|endoftext|>").save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def documents(gpt: str) -> list[list[int]]:
    """The ids of each text, without its end."""
    tokenizer = PreTrainedTokenizerFast.from_pretrained(gpt)
    return [tokenizer(text)["input_ids"] for text in TEXTS]
