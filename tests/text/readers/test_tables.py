from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest

from pretune.errors import InputError
from pretune.text.readers import column_names, read_rows, require_columns

ROWS = [{"text": "one, two", "label": 1}, {"text": 'say "hi"\nthere', "label": 0}]


def write(path: Path, content: str) -> str:
    path.write_text(content)
    return path.name


def test_formats_agree(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", 'text,label\n"one, two",1\n"say ""hi""\nthere",0\n')
    write(tmp_path / "a.jsonl", "\n\n".join(map(json.dumps, ROWS)))
    write(tmp_path / "a.json", json.dumps(ROWS, indent=1))
    write(tmp_path / "data.json", json.dumps({"version": 1, "data": ROWS}))
    pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / "a.parquet")
    with pa.OSFile("a.arrow", "wb") as sink, pa.ipc.new_stream(sink, pa.Table.from_pylist(ROWS).schema) as stream:
        stream.write_table(pa.Table.from_pylist(ROWS))
    feather.write_feather(pa.Table.from_pylist(ROWS), "a.feather")
    for name in ("a.jsonl", "a.json", "data.json", "a.parquet", "a.arrow", "a.feather"):
        assert [row for _, row in read_rows(name)] == ROWS, name
    assert [row for _, row in read_rows("a.csv")] == [{**row, "label": str(row["label"])} for row in ROWS]
    for name in ("a.csv", "a.jsonl", "a.json", "a.parquet", "a.arrow", "a.feather"):
        assert column_names(name) == ["text", "label"], name


def test_places(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", 'text,label\n"two\nlines",1\n\nx,2\n')
    assert [where for where, _ in read_rows("a.csv")] == ["a.csv:2", "a.csv:5"]
    pq.write_table(pa.Table.from_pylist(ROWS), "a.parquet", row_group_size=1)
    assert [where for where, _ in read_rows("a.parquet")] == ["a.parquet row 0", "a.parquet row 1"]
    write(tmp_path / "a.jsonl", '{"a": 1}\n\n{"a": 2}\n')
    assert [where for where, _ in read_rows("a.jsonl")] == ["a.jsonl:1", "a.jsonl:3"]


def test_tsv_is_literal(tmp_path: Path) -> None:
    write(tmp_path / "a.tsv", 'text\tlabel\n"open quote\t1\nclosed"\t0\n')
    assert [row["text"] for _, row in read_rows("a.tsv")] == ['"open quote', 'closed"']
    (tmp_path / "b.tsv").write_bytes(b"text\tlabel\r\none\rtwo\t1\r\n\r\nthree\t2\r\n")
    assert list(read_rows("b.tsv")) == [
        ("b.tsv:2", {"text": "one\rtwo", "label": "1"}),
        ("b.tsv:4", {"text": "three", "label": "2"}),
    ]


def test_column_names_need_no_rows(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", "\ntext,label\n")
    assert column_names("a.csv") == ["text", "label"]


def test_a_damaged_page_of_parquet(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": [str(i) * 20 for i in range(5000)]}), "a.parquet", use_dictionary=False)
    content = bytearray((tmp_path / "a.parquet").read_bytes())
    content[100:9000] = b"\xff" * 8900
    (tmp_path / "a.parquet").write_bytes(content)
    with pytest.raises(InputError, match=r"a.parquet is not a parquet file"):
        list(read_rows("a.parquet"))


def test_byte_order_mark_is_no_part_of_the_first_column(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b'\xef\xbb\xbf"text",label\na,1\n')
    assert column_names("a.csv") == ["text", "label"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "text,label\na,1\nb,c,2\n", r"a.csv:3: 3 fields, but the header has 2 \(an unquoted comma"),
        ("a.tsv", "text\tlabel\na\tb\t2\n", r"a.tsv:2: 3 fields.*a tab inside"),
        ("a.csv", 'text,label\na,1\n"b,2\n', r"a.csv:3: .*quote"),
        (
            "a.csv",
            'text,label\n"two ""x""\nlines",1\n"three\n\nlines","open\n,2\nb,3\n',
            r"^a.csv:6: the quote .* never closed",
        ),
        ("a.csv", 'text,label\na,1\n"b"x,2\n', r"a.csv:3: .*written twice"),
        ("a.csv", " \n\n", "a.csv is empty"),
        ("a.tsv", "\n", "a.tsv is empty"),
        ("a.tsv", "text\tlabel\n", "a.tsv has no rows"),
        ("a.jsonl", "[" * 100_000, "a.jsonl:1: nested too deeply"),
        ("a.json", "[" * 100_000, "a.json: nested too deeply"),
        ("a.json", "[]", "a.json has no rows"),
        ("a.arrow", "no", "not an arrow file"),
        ("a.parquet", "", "a.parquet is empty"),
        ("a.csv", "text,text\na,1\n", "a.csv:1: two columns are named 'text'"),
        ("a.csv", "text,\na,1\n", "a.csv:1: a column has no name"),
        ("a.csv", "text,label\n", "a.csv has no rows"),
        ("a.csv", "", "a.csv is empty"),
        ("a.jsonl", '{"a": 1}\n{"a": 2,}\n', r"a.jsonl:2: not JSON at column \d+"),
        ("a.jsonl", '{"a": 1}\n[2]\n', "a.jsonl:2: a list where an object"),
        ("a.jsonl", "\n", "a.jsonl is empty"),
        ("a.json", '{"a": 1}\n{"a": 2}\n', "a.json:2: not JSON at column 1.*name the file .jsonl"),
        ("a.json", '{"a": 1}', "a list of objects"),
        ("a.json", "[1]", "row 0: a int where an object"),
        ("a.parquet", "no", "not a parquet file"),
        ("a.xlsx", "no", "these do: .csv"),
    ],
)
def test_errors_name_the_place(name: str, content: str, message: str, tmp_path: Path) -> None:
    write(tmp_path / name, content)
    with pytest.raises(InputError, match=message):
        list(read_rows(name))


def test_missing_column_lists_those_there_are() -> None:
    with pytest.raises(InputError, match=r"a.csv:2: .*'txt' \(did you mean 'text'\?\); there are: text, label"):
        require_columns("a.csv:2", {"text": "", "label": ""}, ["txt"])


def test_long_cells(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", "text,label\n" + "x" * 300_000 + ",1\n")
    ((_, row),) = read_rows("a.csv")
    assert len(row["text"]) == 300_000


@pytest.mark.parametrize(
    ("rows", "first"),
    [
        (
            {"data": [{"paragraphs": [{"context": "c", "qas": [{"id": "a"}, {"id": "b", "question": "q"}, 3]}]}]},
            "a.json question a: 'question' is missing",
        ),
        ([[["l"], [{"question": "q"}, 3], "n"], 5], "a.json dialogue 0 question 1: 3 where an object"),
        ([{"text": "t"}, 3, []], "a.json row 1: a int where an object"),
    ],
)
def test_one_bad_row_can_be_passed_over(rows: Any, first: str) -> None:
    Path("a.json").write_text(json.dumps(rows))
    told: list[str] = []
    assert len(list(read_rows("a.json", bad=lambda error: told.append(str(error))))) == 1
    assert told[0].startswith(first)
    assert len(told) == 2
    with pytest.raises(InputError):
        list(read_rows("a.json"))


@pytest.mark.parametrize("mark", [";", "\t"])
def test_columns_that_something_else_divides(mark: str, tmp_path: Path) -> None:
    path = tmp_path / "semi.csv"
    path.write_text(f"text{mark}label\nA film, dull{mark}0\n")
    with pytest.raises(InputError, match=r"semi\.csv:1: the columns are divided by .*; commas would work"):
        list(read_rows(str(path)))
