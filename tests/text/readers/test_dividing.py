from __future__ import annotations

import csv
import gzip
import json
import pickle
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pretune.errors import InputError
from pretune.text.readers import read_documents
from pretune.text.readers.dividing import divide, placed, size_of
from pretune.text.readers.parts import FilePart

WORDS = ["grüße", "die", "welt", '"quoted"', "a, b", "中文", "tab\there", "ünd", "\ufeffmark", "x" * 40, ""]


def texts(count: int = 400, breaks: str = "\n") -> list[str]:
    draw = random.Random(1)
    return [draw.choice(["", breaks]).join(draw.choices(WORDS, k=draw.randint(0, 9))) for _ in range(count)]


def write_lines(path: Path) -> None:
    path.write_bytes("\n".join(text.replace("\n", " ") for text in texts()).encode())


def write_windows_lines(path: Path) -> None:
    path.write_bytes(b"\xef\xbb\xbf" + "\r\n".join(text.replace("\n", " ") for text in texts()).encode() + b"\r\n")


def write_paragraphs(path: Path) -> None:
    path.write_bytes("\n\n".join(texts()).encode())


def write_jsonl(path: Path) -> None:
    path.write_bytes("\n".join(json.dumps({"text": text}, ensure_ascii=False) for text in texts()).encode())


def write_csv(path: Path) -> None:
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file, lineterminator="\r\n")
        writer.writerows([["id", "text"], *([str(n), text] for n, text in enumerate(texts(breaks="\r\n\n")))])


def write_tsv(path: Path) -> None:
    rows = [
        "\tid\ttext".removeprefix("\t"),
        *(f"{n}\t{text.replace(chr(9), ' ')}" for n, text in enumerate(texts(breaks='"'))),
    ]
    path.write_bytes("\n".join(["", *rows]).encode())


def write_parquet(path: Path) -> None:
    pq.write_table(pa.table({"text": texts(), "other": list(range(400))}), path, row_group_size=37)


def write_arrow(path: Path) -> None:
    with pa.ipc.new_file(path, pa.schema([("text", pa.string())])) as file:
        for begin in range(0, 400, 50):
            file.write_batch(pa.record_batch({"text": texts()[begin : begin + 50]}))


@pytest.mark.parametrize("size", [300, 1_000, 4_000])
@pytest.mark.parametrize(
    ("name", "write", "documents"),
    [
        ("a.txt", write_lines, "line"),
        ("b.txt", write_windows_lines, "line"),
        ("c.txt", write_paragraphs, "paragraph"),
        ("d.jsonl", write_jsonl, "line"),
        ("e.csv", write_csv, "line"),
        ("f.tsv", write_tsv, "line"),
        ("g.parquet", write_parquet, "line"),
        ("h.arrow", write_arrow, "line"),
    ],
)
def test_parts_hold_what_the_whole_does(
    tmp_path: Path, name: str, write: Callable[[Path], None], documents: str, size: int
) -> None:
    path = tmp_path / name
    write(path)
    skipped: list[Counter[str]] = [Counter(), Counter()]
    whole = list(read_documents(str(path), documents=documents, skipped=skipped[0]))  # type: ignore[arg-type]
    parts = divide(str(path), size, documents)  # type: ignore[arg-type]
    assert len(parts) >= 3
    assert sum(size for _, size in parts) == pytest.approx(size_of(str(path)), abs=len(parts))
    pieces = [
        list(read_documents(pickle.loads(pickle.dumps(part)), documents=documents, skipped=skipped[1]))  # type: ignore[arg-type]
        for part, _ in parts
    ]
    assert [text for piece in pieces for text in piece] == whole
    assert skipped[0] == skipped[1]
    assert len(whole) > 300


def test_what_stays_whole(tmp_path: Path) -> None:
    write_lines(tmp_path / "a.txt")
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(random.Random(0).randbytes(5_000)))
    (tmp_path / "a.json").write_text(json.dumps([{"text": text} for text in texts()]))
    (tmp_path / "utf16.txt").write_text("\n".join(texts()), encoding="utf-16")
    (tmp_path / "b.csv").write_text("text\n" + '"' + "a\n" * 2_000, encoding="utf-8")
    for name, options in [
        ("a.txt", {"documents": "file"}),
        ("a.txt.gz", {}),
        ("a.json", {}),
        ("utf16.txt", {"encoding": "utf-16"}),
        ("b.csv", {}),
    ]:
        path = str(tmp_path / name)
        assert divide(path, 1_000, **options) == [(path, size_of(path))]  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"gone.txt cannot be read"):
        divide(str(tmp_path / "gone.txt"), 1_000)


def test_a_line_longer_than_a_part(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("a\n" + "b" * 50_000 + "\nc\n" + "d\n" * 3_000)
    parts = divide(str(path), 5_000)
    assert [text for part, _ in parts for text in read_documents(part)] == list(read_documents(str(path)))
    assert len(parts) > 1


@pytest.mark.parametrize("name", ["a.jsonl", "a.tsv", "a.txt"])
def test_errors_say_the_line_of_the_file(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    lines = [b'{"text": "a"}' if name == "a.jsonl" else b"a\tb" for _ in range(1_000)]
    lines[800] = b"\xff" if name == "a.txt" else b"no table"
    path.write_bytes(b"\n".join([b"text\tother", *lines[1:]] if name == "a.tsv" else lines))
    with pytest.raises(InputError) as whole:
        list(read_documents(str(path)))
    told = []
    for part, _ in divide(str(path), 1_000):
        try:
            list(read_documents(part))
        except InputError as error:
            assert isinstance(part, FilePart)
            told.append(str(placed(error, part)))
    assert told == [str(whole.value)]
    assert ":801" in told[0]
