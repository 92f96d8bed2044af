from __future__ import annotations

from pathlib import Path

import pytest
from torch.utils.data import BatchSampler, DataLoader, SequentialSampler

from pretune.datamodules import CorpusDataModule, TextClassificationDataModule
from pretune.errors import InputError


@pytest.mark.parametrize("packing", [None, False, True])
def test_a_loader_of_ones_own(packing: bool | None, corpus: Path, reviews: Path, tokenizer_folder: Path) -> None:
    """One example is asked for in vain, and told so; lists are what it takes."""
    if packing is None:
        data = TextClassificationDataModule(
            str(reviews), text_column="review", label_column="stars", tokenizer=str(tokenizer_folder)
        )
    else:
        data = CorpusDataModule(str(corpus), tokenizer=str(tokenizer_folder), packing=packing, block_size=32)  # type: ignore[assignment]
    data.prepare_data()
    data.setup("fit")
    dataset = data.train_dataloader().dataset  # type: ignore[union-attr]
    with pytest.raises(InputError, match=r"dataset\[\[3, 5\]\] is one of two examples, and dataset\[0\] is none"):
        next(iter(DataLoader(dataset, batch_size=16)))
    sampler = BatchSampler(SequentialSampler(dataset), 4, drop_last=False)
    batches = list(DataLoader(dataset, sampler=sampler, batch_size=None, collate_fn=lambda batch: batch))
    assert len(batches) == -(-len(dataset) // 4)
    assert "input_ids" in batches[0]
