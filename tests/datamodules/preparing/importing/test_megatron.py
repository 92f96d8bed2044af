from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from token_files import TEXTS, damaged, ended, imported, read_back, stored, write_megatron  # type: ignore[import-not-found]

from pretune.errors import InputError
from pretune.storage.prepared import read_manifest


@pytest.mark.parametrize("size", [1, 500, 1 << 20])
@pytest.mark.parametrize(("dtype", "code"), [("<i4", 4), ("<u2", 8), ("<i8", 5)])
def test_megatron(gpt: str, documents: list[list[int]], size: int, dtype: str, code: int) -> None:
    """Documents are those of the index, of however many sequences; what has no end gets one."""
    sequences = [[row[:3], row[3:5], [*row[5:], 0]] if number % 3 else [row] for number, row in enumerate(documents)]
    sequences[7:7] = [[], [[]], [[0]]]
    write_megatron("corpus", sequences, dtype, code, tail=b"\x01\x02\x03")
    made = imported("megatron", "corpus.idx", gpt, size)
    assert read_back() == ended(documents)
    assert stored(made.manifest, "train") == [[*row, 0] for row in documents]
    assert made.manifest.left_out == {"empty": 3}
    assert made.manifest.steps[0].documents_in == 63
    assert made.manifest == read_manifest("out")
    assert made.manifest.options["files"][0]["left_over_bytes"] == 3
    assert made.notes == [
        "corpus.bin: 3 bytes at the end, which no document of its index holds, were not read.",
        "20 documents did not end with the separator: it was added to them.",
    ]
    shards = made.manifest.splits["train"].shards
    assert len(shards) == 60 if size == 1 else len(shards) > 2 if size == 500 else len(shards) == 1
    train = made.manifest.splits["train"]
    assert (train.bytes, train.words) == (sum(len(t.encode()) for t in TEXTS), sum(len(t.split()) for t in TEXTS))


def test_sequences_behind_the_last_document_are_told(gpt: str, documents: list[list[int]]) -> None:
    write_megatron("corpus", [[row] for row in documents])
    content = Path("corpus.idx").read_bytes()
    head = content[:26] + struct.pack("<Q", 60) + content[34:-8]
    Path("corpus.idx").write_bytes(head)
    made = imported("megatron", ["corpus"], gpt)
    assert read_back() == ended(documents[:-1])
    assert f"corpus.bin: {4 * len(documents[-1])} bytes at the end" in made.notes[0]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda: damaged("m.idx", lambda c: b"x" + c[1:]), "m.idx is no index of Megatron-LM's"),
        (lambda: damaged("m.idx", lambda c: c[:20]), "m.idx is cut off within its header"),
        (lambda: damaged("m.idx", lambda c: c[:9] + b"\x02" + c[10:]), "m.idx is of version 2; 1 is read here"),
        (lambda: damaged("m.idx", lambda c: c[:17] + b"\x07" + c[18:]), "ids are of type 7, which is no type of whole"),
        (lambda: damaged("m.idx", lambda c: c + b"\x00" * 60), "m.idx has a mode for each sequence"),
        (lambda: damaged("m.idx", lambda c: c[:-1]), "m.idx is damaged: of 60 sequences and 61 document indices"),
        (lambda: damaged("m.idx", lambda c: c[:34] + b"\x00" + c[35:]), "sequence 1 does not begin where the one befo"),
        (lambda: damaged("m.idx", lambda c: c[:-8] + b"\x00" * 8), "its documents do not follow one another"),
        (lambda: damaged("m.bin", lambda c: c[:-1]), "m.bin is cut off: m.idx tells of"),
        (lambda: Path("m.bin").unlink(), "m.bin cannot be read: No such file"),
        (
            lambda: damaged("m.bin", lambda c: c[:40] + struct.pack("<i", 400) + c[44:]),
            "m.bin holds the id 400 at place 10 (byte 40), and the tokenizer has the ids 0 to 399",
        ),
        (lambda: damaged("m.bin", lambda c: struct.pack("<i", -1) + c[4:]), "m.bin holds the id -1 at place 0"),
    ],
)
def test_damaged_megatron(gpt: str, documents: list[list[int]], change: Callable[[], None], said: str) -> None:
    write_megatron("m", [[row] for row in documents])
    change()
    with pytest.raises(InputError) as caught:
        imported("megatron", "m", gpt)
    assert said in str(caught.value)
    assert not Path("out/manifest.json").exists()
