"""Damaged arrow and parquet files are refused: what is not checked ends the process."""

from __future__ import annotations

import random
import struct
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pretune.errors import InputError
from pretune.text.readers import arrow, read_rows

TEXTS = [f"a {'fine' if i % 2 else 'dull'} film of {i} minutes" for i in range(60)]


def written(ending: str = ".arrow", stream: bool = False) -> bytes:
    table = pa.table({"text": TEXTS, "tags": [[t] * (i % 3) for i, t in enumerate(TEXTS)]})
    if ending == ".parquet":
        pq.write_table(table, "good.parquet")
        return Path("good.parquet").read_bytes()
    new = pa.ipc.new_stream if stream else pa.ipc.new_file
    with pa.OSFile("good.arrow", "wb") as file, new(file, table.schema) as writer:
        writer.write_table(table)
    return Path("good.arrow").read_bytes()


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("index", "offset"), [(30, 0x7FFFFF00), (60, 0x70000000), (20, -5)])
def test_wrong_offsets(index: int, offset: int, stream: bool) -> None:
    content = bytearray(written(stream=stream))
    assert [row["text"] for _, row in read_rows("good.arrow")] == TEXTS
    ends = [0, *(sum(map(len, TEXTS[:i])) for i in (1, 2, 3))]
    place = content.index(struct.pack("<4i", *ends)) + 4 * index
    content[place : place + 4] = struct.pack("<i", offset)
    Path("bad.arrow").write_bytes(content)
    with pytest.raises(InputError, match=r"bad.arrow is not an arrow file: .*offset"):
        list(read_rows("bad.arrow"))


def test_bytes_that_are_no_text() -> None:
    content = written().replace(b"dull film", b"dul\xff film")
    Path("bad.arrow").write_bytes(content)
    with pytest.raises(InputError, match=r"bad.arrow is not an arrow file: .*UTF8"):
        list(read_rows("bad.arrow"))


@pytest.mark.parametrize("ending", [".arrow", ".parquet"])
def test_any_damage_is_refused_or_harmless(ending: str) -> None:
    """A few of many; none raises anything else, or ends the process."""
    whole, rng = written(ending), random.Random(0)
    for _ in range(60):
        content = bytearray(whole)
        for _ in range(rng.choice((1, 4))):
            content[rng.randrange(len(content))] = rng.choice((0, 127, 128, 255))
        Path(f"bad{ending}").write_bytes(content[: rng.choice((len(content), rng.randrange(1, len(content))))])
        with suppress(InputError):
            list(read_rows(f"bad{ending}"))


@pytest.mark.parametrize("ending", [".arrow", ".parquet"])
def test_large_cells_are_made_a_few_at_a_time(ending: str, monkeypatch: pytest.MonkeyPatch) -> None:
    written(ending)
    sizes: list[int] = []

    original = arrow._parquet if ending == ".parquet" else arrow._batches
    monkeypatch.setattr(arrow, "BYTES_AT_ONCE", 500)

    class Batch:
        def __init__(self, batch: pa.RecordBatch) -> None:
            self.batch, self.num_rows, self.nbytes = batch, batch.num_rows, batch.nbytes

        def validate(self, full: bool) -> None:
            self.batch.validate(full=full)

        def slice(self, begin: int, length: int) -> pa.RecordBatch:
            part = self.batch.slice(begin, length)
            sizes.append(part.num_rows)
            return part

    name = "_parquet" if ending == ".parquet" else "_batches"
    monkeypatch.setattr(arrow, name, lambda file: map(Batch, original(file)))
    assert [row["text"] for _, row in read_rows(f"good{ending}")] == TEXTS
    assert sum(sizes) == 60
    assert max(sizes) < 12
