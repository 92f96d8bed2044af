from __future__ import annotations

from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import torch
from tests_support import capitalized  # type: ignore[import-not-found]

from pretune.datamodules import SentencePairDataModule
from pretune.errors import InputError
from pretune.text.encoding import encode


@pytest.fixture
def documents(tmp_path: Path) -> list[list[str]]:
    """Documents of 2 to 9 sentences."""
    found = [[capitalized(9 * i + j, 3 + (i + j) % 7) for j in range(2 + i % 8)] for i in range(70)]
    (tmp_path / "docs.txt").write_text("\n\n".join(" ".join(document) for document in found))
    return found


def make(tokenizer_folder: Path, files: str = "docs.txt", **options: Any) -> Any:
    options = {"max_length": 32, "batch_size": 5, "validation_fraction": 0.0, **options}
    data = SentencePairDataModule(files, tokenizer=str(tokenizer_folder), **options)
    data.prepare_data()
    data.setup("fit")
    return data


def segments(batch: dict[str, torch.Tensor], key: str) -> list[list[int]]:
    return [[token for token in row if token >= 0] for row in batch[key].tolist()]


def test_segments_follow_each_other_in_documents(documents: list[list[str]], tokenizer_folder: Path) -> None:
    data = make(tokenizer_folder, short_fraction=0.0)
    encoded = [[encode(data.tokenizer, [s])[0] for s in document] for document in documents]
    pairs = data.datasets["train"]
    assert len(pairs) > len(documents)
    batch = pairs[list(range(len(pairs)))]
    used: dict[int, list[int]] = {}
    for a, b, number in zip(
        segments(batch, "segment_a"), segments(batch, "segment_b"), batch["document"].tolist(), strict=True
    ):
        assert a
        assert b
        assert len(a) + len(b) <= 32 - 3
        used.setdefault(number, []).extend(a + b)
        starts = [sum(map(len, encoded[number][:i])) for i in range(len(encoded[number]) + 1)]
        assert len(used[number]) - len(b) in starts  # divided between two sentences
    for number, document in enumerate(encoded):  # no sentence lost, none twice
        assert used[number] == [token for sentence in document for token in sentence]


def test_other_segments_are_of_other_documents(documents: list[list[str]], tokenizer_folder: Path) -> None:
    data = make(tokenizer_folder)
    pairs = data.datasets["train"]
    batch = pairs[list(range(len(pairs)))]
    assert not (batch["document"] == batch["other_document"]).any()
    encoded = [[encode(data.tokenizer, [s])[0] for s in document] for document in documents]
    a, b, others = (segments(batch, key) for key in ("segment_a", "segment_b", "segment_other"))
    lengths = []
    for first, second, other, stranger in zip(a, b, others, batch["other_document"].tolist(), strict=True):
        assert 0 < len(other) <= 32 - 3 - len(first)
        sentences = encoded[stranger]
        runs = [list(chain(*sentences[i:j])) for i in range(len(sentences)) for j in range(i + 1, len(sentences) + 1)]
        assert other in runs or any(run[: len(other)] == other for run in runs if len(other) == 32 - 3 - len(first))
        lengths.append((len(second), len(other)))
    mean = [sum(pair[i] for pair in lengths) / len(lengths) for i in (0, 1)]
    assert abs(mean[0] - mean[1]) < 0.2 * mean[0]  # length does not give it away


def test_some_pairs_are_shorter(documents: list[list[str]], tokenizer_folder: Path) -> None:
    counts = [len(make(tokenizer_folder, short_fraction=share).datasets["train"]) for share in (0.0, 0.1, 1.0)]
    assert counts[0] < counts[1] < counts[2]


def test_pairs_do_not_depend_on_batches_or_workers(documents: list[list[str]], tokenizer_folder: Path) -> None:
    data = make(tokenizer_folder)
    pairs = data.datasets["train"]
    together, alone = pairs[[4, 9, 11]], pairs[[9]]
    for key in ("segment_a", "segment_b", "segment_other"):
        assert segments(together, key)[1] == segments(alone, key)[0]
    batches = []
    for workers in (0, 2):
        data = make(tokenizer_folder, num_workers=workers)
        batches.append(next(iter(data.train_dataloader())))
    assert all(torch.equal(batches[0][key], batches[1][key]) for key in batches[0])
    assert batches[0]["segment_a"].dtype == torch.int64


def test_held_out_documents(documents: list[list[str]], tokenizer_folder: Path) -> None:
    data = make(tokenizer_folder, validation_fraction=0.3)
    found = [set(data.datasets[split].table[:, 3].tolist()) for split in ("train", "validation")]
    assert not found[0] & found[1]
    assert len(found[1]) == round(0.3 * 70)


def halves(text: str) -> list[str]:
    """A splitter of a user's own."""
    words = text.split()
    return [" ".join(words[: len(words) // 2]), " ".join(words[len(words) // 2 :])]


def test_another_splitter(documents: list[list[str]], tokenizer_folder: Path) -> None:
    data = make(tokenizer_folder, splitter=halves, max_length=128, short_fraction=0.0)
    assert len(data.datasets["train"]) == 70


def test_dead_ends(tmp_path: Path, tokenizer_folder: Path) -> None:
    (tmp_path / "single.txt").write_text("\n\n".join("One sentence." for _ in range(9)))
    with pytest.raises(InputError, match=r"no two sentences that follow each other.*data.splitter"):
        make(tokenizer_folder, "single.txt")
    (tmp_path / "one.txt").write_text("A film ends. The book was old. One song.")
    with pytest.raises(InputError, match="one document only"):
        make(tokenizer_folder, "one.txt")
    with pytest.raises(InputError, match="leaves no room for two segments"):
        make(tokenizer_folder, "one.txt", max_length=4)
    with pytest.raises(InputError, match="short_fraction is 2"):
        make(tokenizer_folder, "one.txt", short_fraction=2)
