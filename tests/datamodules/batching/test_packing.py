from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from tests_support import sentence  # type: ignore[import-not-found]

from pretune.datamodules import CorpusDataModule
from pretune.errors import InputError
from pretune.text.encoding import encode


def make(tokenizer_folder: Path, files: Any, **options: Any) -> CorpusDataModule:
    data = CorpusDataModule(
        files, tokenizer=str(tokenizer_folder), **{"block_size": 24, "batch_size": 3, "packing": True, **options}
    )
    data.prepare_data()
    data.setup("fit")
    return data


def documents(data: CorpusDataModule, split: str = "train") -> list[list[int]]:
    """The documents, or pieces of them, of all packs in order."""
    out = []
    packs = data.datasets[split]
    for i in range(len(packs)):
        batch = packs[[i]]
        ends = batch["cu_seq_lens"].tolist()
        assert ends[0] == 0
        assert ends[-1] == batch["input_ids"].shape[1] <= data.block_size
        for start, end in pairwise(ends):
            assert batch["position_ids"][0, start:end].tolist() == list(range(end - start))
            out.append(batch["input_ids"][0, start:end].tolist())
    return out


@pytest.fixture
def texts(tmp_path: Path) -> list[str]:
    found = [sentence(i, 1 + (i * i) % 31) for i in range(80)]  # some longer than a pack
    (tmp_path / "texts.txt").write_text("\n".join(found))
    return found


def test_no_token_is_lost_and_none_comes_twice(texts: list[str], tokenizer_folder: Path) -> None:
    data = make(tokenizer_folder, "texts.txt", validation_fraction=0.0)
    cls, sep = data.tokenizer.cls_token_id, data.tokenizer.sep_token_id
    found = documents(data)
    assert all(piece[0] == cls and piece[-1] == sep for piece in found)
    joined = [token for piece in found for token in piece[1:-1]]
    expected = encode(data.tokenizer, texts)
    assert joined == [token for ids in expected for token in ids]
    whole = [piece[1:-1] for piece in found]
    assert all(ids in whole for ids in expected if len(ids) <= 22)  # what fits is not divided


def test_without_special_tokens_the_separator_stays(texts: list[str], tokenizer_folder: Path) -> None:
    data = make(tokenizer_folder, "texts.txt", validation_fraction=0.0, special_tokens=False)
    sep = data.tokenizer.sep_token_id
    joined = [token for piece in documents(data) for token in piece]
    assert joined == [token for ids in encode(data.tokenizer, texts) for token in [*ids, sep]]


def test_packs_are_full(texts: list[str], tokenizer_folder: Path) -> None:
    data = make(tokenizer_folder, "texts.txt", validation_fraction=0.0, block_size=200)
    packs = data.datasets["train"]
    sizes = [packs[[i]]["input_ids"].shape[1] for i in range(len(packs))]
    assert min(sizes[:-1]) > 200 - 36
    assert len(sizes) < sum(sizes) / 150


def test_batches_are_as_documented(texts: list[str], tokenizer_folder: Path) -> None:
    for workers in (0, 2):
        data = make(tokenizer_folder, "texts.txt", num_workers=workers, word_ids=True)
        batch = next(iter(data.train_dataloader()))
        assert set(batch) == {"input_ids", "position_ids", "cu_seq_lens", "token_type_ids", "word_ids"}
        assert batch["cu_seq_lens"].dtype == torch.int32
        for key in ("input_ids", "position_ids", "token_type_ids", "word_ids"):
            assert batch[key].dtype == torch.int64
            assert batch[key].shape == (1, int(batch["cu_seq_lens"][-1]))
        special = torch.isin(batch["input_ids"], torch.tensor(data.tokenizer.all_special_ids))
        assert torch.equal(batch["word_ids"] < 0, special)


def test_documents_without_a_token(tmp_path: Path, tokenizer_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Characters that the tokenizer drops leave a document with nothing in it."""
    lines = ["\u200b", "a film", "\u200b", "\u200b", "the book", "\u200b", "\u200b"]
    (tmp_path / "texts.txt").write_text("\n".join(lines))
    for chunk in (1, 2, 100):
        monkeypatch.setattr("pretune.datamodules.batching.packing.CHUNK", chunk)
        data = make(tokenizer_folder, "texts.txt", validation_fraction=0.0, block_size=5, cache_dir=f"cache{chunk}")
        assert data.counts["train"]["documents"] == 7
        assert [len(piece) for piece in documents(data)] == [4, 4]


def test_options_that_exclude_each_other(texts: list[str], tokenizer_folder: Path) -> None:
    with pytest.raises(InputError, match="exclude each other"):
        make(tokenizer_folder, "texts.txt", eval_stride=3)
    with pytest.raises(InputError, match="special tokens alone fill"):
        make(tokenizer_folder, "texts.txt", block_size=2)


@pytest.mark.parametrize("chunk", [1, 2, 7, 80])
@pytest.mark.parametrize("block_size", [24, 60])
def test_packs_do_not_depend_on_how_many_documents_are_divided_at_a_time(
    texts: list[str], tokenizer_folder: Path, chunk: int, block_size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = make(tokenizer_folder, "texts.txt", validation_fraction=0.0, block_size=block_size)
    expected = data.datasets["train"].bounds
    monkeypatch.setattr("pretune.datamodules.batching.packing.CHUNK", chunk)
    found = data.datasets["train"]._divide()
    if chunk >= 7:
        assert found.tolist() == expected.tolist()
    assert found[0].tolist() == [0, 0]
    assert found[-1].tolist() == [80, 0]
    sizes = [sum(b - a + 2 for a, b in data.datasets["train"]._content(i)) for i in range(len(expected) - 1)]
    assert max(sizes) <= block_size
