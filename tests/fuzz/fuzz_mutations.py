"""Strategies: good files made odd by their bytes and by what they hold."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any

from hypothesis import strategies as st

PIECES = [
    b"\0", b"\xff", b"\x80", b"\x1a", b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", b"\r", b"\n", b"\r\n", b"\n\n",
    b"\x0b",
    b"\xc2\x85", b"\xe2\x80\xa8", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\\ud800", b"\\u0000", b'"', b'""', b"'", b",",
    b"\t", b" ", b":", b"{", b"}", b"[", b"]", b"[[", b"{}", b"- ", b"&a", b"*a", b"!!python/none", b"%", b"#", b"{{",
    b"{%",
    b"null", b"true", b"NaN", b"Infinity", b"-1", b"0", b"1e999", b"-0.0", b"9" * 400, b"9" * 5000, b"[" * 3000,
    b'{"a":' * 1500, b"(" * 300, b"x" * 10000, b"\xf0\x9f\x98\x80", b"\xcc\x81" * 50, b"\xe2\x80\x8d",
    b"-DOCSTART- O\n",
    b"../", b"~", b"*", b"file://", b"1", b"O", b"B-", b"text", b"label",
]  # fmt: skip

PLACE = st.floats(0, 1, exclude_max=True)
EDITS = st.one_of(
    st.tuples(st.just("set"), PLACE, st.integers(0, 255)),
    st.tuples(st.just("flip"), PLACE, st.integers(0, 7)),
    st.tuples(st.just("insert"), PLACE, st.sampled_from(PIECES)),
    st.tuples(st.just("replace"), PLACE, st.sampled_from(PIECES)),
    st.tuples(st.just("delete"), PLACE, st.integers(1, 64)),
    st.tuples(st.just("double"), PLACE, st.integers(1, 64)),
    st.tuples(st.just("number"), PLACE, st.sampled_from([0, 1, -1, 0x7FFFFFFF, -0x80000000, 0x7FFFFF00, 255, 65536])),
    st.tuples(st.just("cut"), PLACE, st.just(0)),
)


def edited(content: bytes, edits: list[tuple[str, float, Any]]) -> bytes:
    """Bytes after some edits."""
    for kind, place, value in edits:
        at = int(place * len(content))
        before, after = content[:at], content[at:]
        if not content and kind != "insert":
            continue
        if kind == "set":
            content = before + bytes([value]) + after[1:]
        elif kind == "flip":
            content = before + bytes([after[0] ^ 1 << value]) + after[1:]
        elif kind == "number":
            content = before + (value & 0xFFFFFFFF).to_bytes(4, "little") + after[4:]
        elif kind == "cut":
            content = before
        elif kind == "delete":
            content = before + after[value:]
        elif kind == "double":
            content = before + after[:value] + after
        else:
            content = before + value + after[len(value) if kind == "replace" and len(value) < 16 else 0 :]
    return content


def damaged(content: bytes) -> st.SearchStrategy[bytes]:
    """A file whose bytes somebody has touched."""
    return st.lists(EDITS, min_size=1, max_size=5).map(lambda edits: edited(content, edits))


TEXTS = [
    "", " ", "\n", "\t", "\0", "\ud800", "a\udc00b", "\ufeff", "a\r\nb", "\u2028", "\u00a0", "\u3000", "\u200b",
    "\u00ad",
    "e\u0301", "\u0301", "שָׁלוֹם", "हिन्दी", "ไทย", "👩‍👩‍👧", "❤️", "null", "None", "nan", "NaN", "-", "[]", "{}",
    "[1", "{'a': 1}",
    "[" * 500 + "]" * 500, "0", "1", "-1", "3, 5", "1e400", "９", "²", "½", "١", "B-", "-X", "B-X", "I-X", "O", "B_X",
    "b-x", "E-X", "S-",
    "=1+1", "\x1b[31m", "{{ x }}", "{% if %}", "a" * 20000, "a b " * 3000, "user", "assistant", "system", "tool",
    "text",
    "train", "test", "../x", "%s", "<s>", "[MASK]", "[UNK]", "[CLS]", "[PAD]", "<|endoftext|>", "\x85", "a\x1cb",
]  # fmt: skip
NUMBERS = [
    0,
    1,
    -1,
    2,
    3,
    255,
    2**31,
    -(2**31) - 1,
    2**63,
    -(2**63) - 1,
    2**64,
    10**30,
    10**4000,
    0.5,
    -0.0,
    1e300,
    1e39,
]
NUMBERS += [float("nan"), float("inf"), -float("inf"), 5e-324]
LEAVES = st.one_of(
    st.none(), st.booleans(), st.sampled_from(NUMBERS), st.sampled_from(TEXTS), st.text(max_size=8), st.integers(-5, 5)
)
KEYS = st.one_of(
    st.sampled_from(["text", "label", "role", "content", "from", "value", "type", "start", "end", "id", "", "\ud800"]),
    st.text(max_size=4),
)
ODD = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=6
)
DEEP = {f"<{depth} levels>": depth for depth in (100, 300, 900)}
"""What stands for nesting that JSON can be read with, and less can be done with."""


KINDS = ("replace", "replace", "leaf", "leaf", "remove", "double", "wrap", "rename", "swap", "deep")


@st.composite
def changed(draw: Any, document: Any, most: int = 3) -> Any:
    """Plain data of which some parts are something else, missing, doubled, renamed or nested."""
    document = copy.deepcopy(document)
    for _ in range(draw(st.integers(1, most))):
        places = [*_places(document)]
        if not places:
            return draw(ODD)
        holder, key = draw(st.sampled_from(places))
        kind = draw(st.sampled_from([*KINDS]))
        if kind == "replace":
            holder[key] = draw(ODD)
        elif kind == "leaf":
            holder[key] = draw(LEAVES)
        elif kind == "remove":
            del holder[key]
        elif kind == "wrap":
            holder[key] = draw(st.sampled_from([[holder[key]], {"text": holder[key]}, {"0": holder[key]}]))
        elif kind == "deep":
            holder[key] = draw(st.sampled_from(list(DEEP)))
        elif kind == "double" and isinstance(holder, list):
            holder.insert(key, copy.deepcopy(holder[key]))
        elif kind == "rename" and isinstance(holder, dict):
            holder[draw(KEYS)] = holder.pop(key)
        elif kind == "swap":
            other, name = draw(st.sampled_from(places))
            if name in other if isinstance(other, dict) else name < len(other):
                holder[key] = copy.deepcopy(other[name])
    return document


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in list(entries):
        yield value, key
        yield from _places(inner)


def as_json(value: Any) -> bytes:
    """JSON with all that Python's writes: NaN, halves of characters."""
    text = json.dumps(value, default=str)
    for name, depth in DEEP.items():
        text = text.replace(f'"{name}"', "[" * depth + '"x"' + "]" * depth)
    return text.encode()


def as_lines(rows: Any) -> bytes:
    """A line of JSON for each row."""
    return b"\n".join(as_json(row) for row in rows) if isinstance(rows, list) else as_json(rows)


ENCODINGS = [
    "utf-8",
    "utf-8",
    "utf-8-sig",
    "utf-16",
    "utf-16-le",
    "utf-32",
    "latin-1",
    "cp1252",
    "gb18030",
    "shift_jis",
    "utf-7",
]
NEWLINES: list[Callable[[str], str]] = [
    lambda text: text,
    lambda text: text.replace("\n", "\r\n"),
    lambda text: text.replace("\n", "\r"),
    lambda text: text.replace("\n", "\r\n", 1),
    lambda text: text.replace("\n", "\u2028"),
    lambda text: text.rstrip("\n"),
]


@st.composite
def written(draw: Any, text: str) -> bytes:
    """A text as some editor may have saved it."""
    text = draw(st.sampled_from(NEWLINES))(text)
    return text.encode(draw(st.sampled_from(ENCODINGS)), "replace")
