from __future__ import annotations

from pathlib import Path

import pytest
from token_files import ended, imported, read_back, stored, write_nanogpt  # type: ignore[import-not-found]
from transformers import PreTrainedTokenizerFast


@pytest.mark.parametrize("size", [1, 300, 1 << 20])
def test_nanogpt(gpt: str, documents: list[list[int]], size: int) -> None:
    Path("data").mkdir()
    write_nanogpt("data/train.bin", [*ended(documents[:40]), *documents[40]], tail=b"\x07")
    write_nanogpt("data/val.bin", ended(documents[41:]))
    made = imported("nanogpt", "data", gpt, size, validation_fraction=0.3)
    assert read_back("train") == ended(documents[:41])
    assert read_back("validation") == ended(documents[41:])
    assert stored(made.manifest, "train") == [[*row, 0] for row in documents[:41]]
    assert [file["left_over_bytes"] for file in made.manifest.options["files"]] == [1, 0]
    assert made.notes == [
        "data/train.bin: 1 bytes at the end, which make no whole id, were not read.",
        "1 documents did not end with the separator: it was added to them.",
    ]


def test_documents_longer_than_what_is_read_at_a_time(
    gpt: str, documents: list[list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("documents.LONGEST", "pieces.AT_ONCE", "write.AT_ONCE"):
        monkeypatch.setattr(f"pretune.datamodules.preparing.importing.{name}", 7)
    write_nanogpt("train.bin", ended(documents))
    made = imported("nanogpt", "train.bin", gpt, 300)
    assert stored(made.manifest, "train") == [[*row, 0] for row in documents]


def test_where_nothing_tells_documents_apart_a_shard_is_one(gpt: str, documents: list[list[int]]) -> None:
    stream = [token for row in documents for token in row]
    write_nanogpt("train.bin", stream)
    made = imported("nanogpt", "train.bin", gpt, 200)
    assert stored(made.manifest, "train") == [[*stream[i : i + 100], 0] for i in range(0, len(stream), 100)]
    assert made.notes[0] == (
        "train.bin: nothing tells where documents end (no end-of-text token is in them): each shard of them is one "
        "document."
    )


def test_a_text_may_end_with_another_token_than_the_separator(
    gpt: str, documents: list[list[int]], tmp_path: Path
) -> None:
    """Documents are divided at the one, which stays, and end with the other."""
    tokenizer = PreTrainedTokenizerFast.from_pretrained(gpt, sep_token="<sep>")
    tokenizer.save_pretrained(tmp_path / "both")
    write_nanogpt("train.bin", ended(documents))
    made = imported("nanogpt", "train.bin", "both", 300)
    assert made.manifest.separator == tokenizer.sep_token_id != 0
    assert stored(made.manifest, "train") == [[*row, 0, tokenizer.sep_token_id] for row in documents]
    assert made.notes == ["60 documents did not end with the separator: it was added to them."]


def test_ids_of_four_bytes_where_the_vocabulary_needs_them(gpt: str, documents: list[list[int]]) -> None:
    tokenizer = PreTrainedTokenizerFast.from_pretrained(gpt)
    tokenizer.add_tokens([f"<{number}>" for number in range(1 << 16)])
    tokenizer.save_pretrained("large")
    write_nanogpt("train.bin", ended([[65_535, *row] for row in documents]))
    made = imported("nanogpt", "train.bin", "large")
    assert made.manifest.dtype == "uint32"
    assert read_back() == ended([[65_535, *row] for row in documents])
