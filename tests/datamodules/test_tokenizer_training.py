"""A tokenizer trained on a corpus: what cannot be learned is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from pretune.datamodules.tokenizer_training import TrainTokenizer, train_tokenizer
from pretune.errors import InputError


@pytest.mark.parametrize(
    ("spec", "texts", "told"),
    [
        (TrainTokenizer("wordpiece", 20), ["a film"], "vocab_size is 20; special tokens and letters need more"),
        (TrainTokenizer("wordpiece", 99), ["", " "], "found no text"),
        (
            TrainTokenizer("unigram", 99),
            [chr(0x4E00 + i) for i in range(200)],
            "vocab_size is 99, but the text has more characters",
        ),
    ],
)
def test_what_cannot_be_learned(spec: TrainTokenizer, texts: list[str], told: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=told):
        train_tokenizer(spec, iter(texts), tmp_path)
