"""Tables and texts, damaged by their bytes, and saved in odd ways."""

from __future__ import annotations

import pytest
from fuzz_checks import usable
from fuzz_child import Child
from fuzz_material import CONLL, CSV, QUESTIONS, ROWS, TEXT, TSV, as_arrow, compressed, table
from fuzz_mutations import EDITS, ENCODINGS, as_json, as_lines, changed, damaged, edited, written
from fuzzing import explore
from hypothesis import strategies as st

TEXTS = {
    ".csv": CSV,
    ".tsv": TSV,
    ".jsonl": as_lines(ROWS).decode(),
    ".json": as_json(ROWS).decode(),
    ".conll": CONLL,
    ".txt": TEXT,
}


def read(child: Child, name: str, content: bytes, encoding: str = "utf-8", documents: str = "line") -> None:
    if name.startswith("a.txt"):
        usable(child, "read_text", {name: content}, name=name, encoding=encoding, documents=documents)
    else:
        usable(child, "read_table", {name: content}, name=name, encoding=encoding)


@pytest.mark.parametrize("ending", list(TEXTS))
def test_texts(ending: str, child: Child) -> None:
    edits = st.lists(EDITS, max_size=4)
    ways = st.tuples(
        written(TEXTS[ending]), edits, st.sampled_from(ENCODINGS[:-1] if ending else []),
        st.sampled_from(["line", "paragraph", "file"]),
    )  # fmt: skip
    explore(ways, lambda way: read(child, f"a{ending}", edited(way[0], way[1]), way[2], way[3]), 100)


@pytest.mark.parametrize("ending", [".gz", ".bz2", ".xz", ".zst"])
def test_compressed(ending: str, child: Child) -> None:
    kinds = st.sampled_from([".csv", ".jsonl", ".txt", ".json"])
    whole = kinds.flatmap(lambda kind: st.tuples(st.just(kind), damaged(compressed(TEXTS[kind].encode(), ending))))
    explore(whole, lambda way: read(child, f"a{way[0]}{ending}", way[1]), 60)


@pytest.mark.parametrize("ending", [".gz", ".bz2", ".xz", ".zst"])
def test_compressed_streams(ending: str, child: Child) -> None:
    whole = compressed(as_arrow(table(), "stream"), ending)
    explore(damaged(whole), lambda content: read(child, f"a.arrow{ending}", content), 40)


@pytest.mark.parametrize("kind", ["parquet", "feather", "file", "stream"])
def test_arrow(kind: str, child: Child) -> None:
    name = {"file": "a.arrow", "stream": "a.arrow"}.get(kind, f"a.{kind}")
    seeds = [as_arrow(table(), kind), as_arrow(table([{"text": "x", "tags": ["a", "b"], "more": {"n": 1}}] * 9), kind)]
    explore(st.sampled_from(seeds).flatmap(damaged), lambda content: read(child, name, content), 150)


@pytest.mark.parametrize("shape", ["list", "data", "squad"])
def test_json(shape: str, child: Child) -> None:
    document = {"list": ROWS, "data": {"data": ROWS}, "squad": QUESTIONS}[shape]
    explore(changed(document), lambda value: read(child, "a.json", as_json(value)), 60)
