"""Rows of every task, with parts that are something else, in every kind of file."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from fuzz_checks import usable
from fuzz_child import Child
from fuzz_material import ROWS, TASKS, as_arrow
from fuzz_mutations import TEXTS, as_lines, changed
from fuzzing import explore
from hypothesis import strategies as st

CHATS_OF_A_KIND = [{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}] * 6
CHATS = ("instructions", "chat", "translation", "nested translation")


@pytest.mark.parametrize("task", list(TASKS))
def test_rows(task: str, child: Child) -> None:
    kind, rows, options = TASKS[task]
    options = {"tokenizer": "bytelevel" if task in CHATS else "wordpiece", "kind": kind, "name": "a.jsonl", **options}
    explore(changed(rows), lambda value: usable(child, "use_rows", {"a.jsonl": as_lines(value)}, **options), 25)


@pytest.mark.parametrize("task", ["classes", "tags", "chat"])
def test_cells(task: str, child: Child) -> None:
    """The same in a table, where everything is a text."""
    kind, rows, options = TASKS[task]
    options = {"tokenizer": "bytelevel" if task in CHATS else "wordpiece", "kind": kind, "name": "a.csv", **options}
    cells = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 1), st.sampled_from(TEXTS)), min_size=1, max_size=3)

    def check(changes: list[tuple[int, int, str]]) -> None:
        columns = list(rows[0])
        table = [[str(row.get(name, "")) for name in columns] for row in rows]
        for row, column, text in changes:
            table[row % len(table)][column % len(columns)] = text
        lines = [",".join('"' + cell.replace('"', '""') + '"' for cell in line) for line in [columns, *table]]
        usable(child, "use_rows", {"a.csv": "\n".join(lines).encode("utf-8", "surrogatepass")}, **options)

    explore(cells, check, 15)


def _odd_columns() -> dict[str, pa.Array]:
    texts = [str(row["text"]) for row in ROWS]
    days = [datetime.datetime(2020, 1, 1)] * 6
    return {
        "text": pa.array(texts),
        "large": pa.array(texts, pa.large_string()),
        "view": pa.array(texts, pa.string_view()),
        "dictionary": pa.array(texts).dictionary_encode(),
        "ends": pa.RunEndEncodedArray.from_arrays([6], ["x"]),
        "binary": pa.array([text.encode() for text in texts], pa.binary()),
        "bytes": pa.array([b"\xff\xfe"] * 6, pa.binary()),
        "nulls": pa.nulls(6),
        "some nulls": pa.array([None, *texts[1:]]),
        "numbers": pa.array(range(6), pa.uint64()),
        "halves": pa.array([0.5, float("nan"), None, float("inf"), -0.0, 1e300]),
        "half": pa.array([1.0] * 6, pa.float16()),
        "decimals": pa.array([Decimal("1.5")] * 6),
        "truth": pa.array([True, False] * 3),
        "days": pa.array(days, pa.date32()),
        "times": pa.array(days, pa.timestamp("us", tz="Europe/Paris")),
        "no zone": pa.array(days, pa.timestamp("us", tz="Mars/Olympus")),
        "nanoseconds": pa.array([1] * 6, pa.timestamp("ns")),
        "far": pa.array([2**62] * 6, pa.timestamp("s")),
        "long": pa.array([2**62] * 6, pa.duration("s")),
        "time": pa.array([86399] * 6, pa.time32("s")),
        "date": pa.array([2**30] * 6, pa.date32()),
        "interval": pa.array([pa.scalar((1, 2, 3), pa.month_day_nano_interval())] * 6),
        "lists": pa.array([[text] for text in texts]),
        "empty lists": pa.array([[]] * 6, pa.list_(pa.string())),
        "fixed": pa.array([["a", "b"]] * 6, pa.list_(pa.string(), 2)),
        "objects": pa.array([{"a": 1, "b": [text]} for text in texts]),
        "maps": pa.array([[(1, "a")]] * 6, pa.map_(pa.int64(), pa.string())),
        "byte maps": pa.array([[(b"\xff", b"a")]] * 6, pa.map_(pa.binary(), pa.binary())),
        "union": pa.UnionArray.from_sparse(pa.array([0, 1] * 3, pa.int8()), [pa.array(range(6)), pa.array(texts)]),
        "uuid": pa.ExtensionArray.from_storage(pa.uuid(), pa.array([b"0" * 16] * 6, pa.binary(16))),
        "json": pa.ExtensionArray.from_storage(pa.json_(), pa.array(["{}"] * 6)),
    }


ODD_COLUMNS = _odd_columns()


@pytest.mark.parametrize("task", ["classes", "several labels", "tags", "questions", "chat", "translation"])
@pytest.mark.parametrize("kind", ["parquet", "file"])
def test_columns(kind: str, task: str, child: Child) -> None:
    """Every type of column under every name."""
    module, rows, options = TASKS[task]
    options = {"tokenizer": "bytelevel" if task in CHATS else "wordpiece", "kind": module, **options}
    good = pa.Table.from_pylist(CHATS_OF_A_KIND if task == "chat" else (rows * 2)[:6])
    name = "a.parquet" if kind == "parquet" else "a.arrow"
    places = st.lists(
        st.tuples(st.integers(0, len(good.column_names)), st.sampled_from(list(ODD_COLUMNS))), min_size=1, max_size=2
    )

    def check(changes: list[tuple[int, str]]) -> None:
        columns: list[tuple[str, Any]] = list(zip(good.column_names, good.columns, strict=True))
        for place, odd in changes:
            title = columns[place][0] if place < len(good.column_names) else odd
            columns[place : place + 1] = [(title, ODD_COLUMNS[odd])]
        table = pa.table([values for _, values in columns], names=[title for title, _ in columns])
        try:
            content = as_arrow(table, kind)
        except (pa.ArrowNotImplementedError, pa.ArrowInvalid):
            return  # there is no such file
        usable(child, "use_rows", {name: content}, name=name, **options)

    explore(places, check, 12)
