"""The manifest of a prepared corpus: shards of token ids, and the tokenizer that made them.

A shard lies in `NAME.bin` (the ids of whole documents, one after the other, little-endian, of `dtype`), `NAME.ends.bin`
(int64, where each document ends) and, with `word_starts`, `NAME.starts.bin` (uint8, of each token whether a word begins
with it). The manifest is written last: a folder without one is not finished.
"""

from __future__ import annotations

import dataclasses
import json
import re
from dataclasses import dataclass, field
from typing import Any, get_args, get_origin, get_type_hints

import numpy as np

from ..errors import InputError
from .folders import Folder
from .plain_files import parse_json

NAME = "manifest.json"
FORMAT = 1
DTYPES = ("uint16", "uint32")
_PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True)
class ShardFile:
    """One file.

    Args:
        size: bytes.
        hash: 128 bits of XXH3, in hexadecimal digits.
    """

    size: int
    hash: str


@dataclass(frozen=True)
class Shard:
    """Whole documents of one portion of what was read.

    Args:
        name: `train-00000`, which its files begin with.
        documents: how many.
        tokens: of all of them, separators included.
        files: by name.
    """

    name: str
    documents: int
    tokens: int
    files: dict[str, ShardFile]


@dataclass(frozen=True)
class Split:
    """The training or the validation part.

    Args:
        documents: of all shards.
        tokens: of all shards.
        words: between white space; Chinese and Japanese characters are words.
        bytes: of the texts in UTF-8.
        unknown: tokens that stand for what the tokenizer does not know.
        shards: in their order.
    """

    documents: int
    tokens: int
    words: int
    bytes: int
    unknown: int
    shards: list[Shard]


@dataclass(frozen=True)
class PreparedTokenizer:
    """The tokenizer that comes with the corpus.

    Args:
        folder: of its files, beside the manifest.
        hash: that cache keys know it by.
        vocab_size: how many ids there are.
        files: of the folder, by name: a store may list nothing.
    """

    folder: str
    hash: str
    vocab_size: int
    files: dict[str, ShardFile]


@dataclass(frozen=True)
class Step:
    """What one step did.

    Args:
        step: its name.
        documents_in: that came to it.
        documents_out: that it let go on.
        left_out: the others, by reason.
    """

    step: str
    documents_in: int
    documents_out: int
    left_out: dict[str, int]


@dataclass(frozen=True)
class Manifest:
    """What a prepared corpus holds, and what it was made of.

    Args:
        documents: of all splits.
        tokens: of all splits.
        dtype: of the ids: `uint16` or `uint32`.
        separator: the id that each document ends with, or None.
        word_starts: whether there are files of where words begin.
        tokenizer: what made the ids.
        splits: `train`, and `validation` where something is held out.
        left_out: documents, by reason, of all steps.
        steps: in their order.
        options: the options of the corpus, as plain data.
        fingerprint: a hash of inputs, options and tokenizer.
        made_with: versions of packages.
        format: of these files.
    """

    documents: int
    tokens: int
    dtype: str
    separator: int | None
    word_starts: bool
    tokenizer: PreparedTokenizer
    splits: dict[str, Split]
    left_out: dict[str, int]
    steps: list[Step]
    options: dict[str, Any]
    fingerprint: str
    made_with: dict[str, str] = field(default_factory=dict)
    format: int = FORMAT

    def to_json(self) -> str:
        """Return the manifest's file: the same for the same content."""
        return json.dumps(dataclasses.asdict(self), sort_keys=True, indent=1, ensure_ascii=False) + "\n"

    def write(self, url: str) -> None:
        """Write it into a folder, by path or URL; the last of all files."""
        Folder(url).write(NAME, self.to_json().encode())


def read_manifest(url: str) -> Manifest:
    """Return the manifest of a prepared corpus.

    Args:
        url: of its folder: a path, or a URL that fsspec knows.

    Raises:
        InputError: if there is none, or it is not what `Manifest.write` writes.
    """
    folder = Folder(url)
    try:
        content = folder.read(NAME)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise InputError(
            f"{url} holds no prepared corpus: there is no {NAME}, which `prepare` writes last. If it was stopped, give "
            "the same command again: it goes on from there."
        ) from error
    where = folder.where(NAME)
    try:
        plain = parse_json(content.decode("utf-8"), where)
    except UnicodeDecodeError as error:
        raise InputError(f"{where} is not a text in UTF-8: it is damaged.") from error
    known = plain.get("format") if isinstance(plain, dict) else None
    if known != FORMAT:
        raise InputError(
            f"{where} is not the manifest of a corpus in format {FORMAT}"
            + (f" (it says {known!r}): another version of this package wrote it." if known is not None else ".")
        )
    try:
        manifest: Manifest = _read(Manifest, plain, "")
        _check(manifest)
    except ValueError as error:
        raise InputError(f"{where} is damaged: {error}.") from error
    return manifest


def _read(kind: Any, value: Any, where: str) -> Any:
    """Return a value of a type out of plain data."""
    if dataclasses.is_dataclass(kind):
        if not isinstance(value, dict):
            raise ValueError(f"{where or 'it'} is no object")
        types = get_type_hints(kind)
        for name in types:
            if name not in value:
                raise ValueError(f"{where}{name} is missing")
        return kind(**{name: _read(typed, value[name], f"{where}{name}.") for name, typed in types.items()})  # type: ignore[operator]
    inner, place = get_args(kind), where.rstrip(".")
    if get_origin(kind) is dict and isinstance(value, dict):
        return {name: _read(inner[1], item, f"{place}.{name}.") for name, item in value.items()}
    if get_origin(kind) is list and isinstance(value, list):
        return [_read(inner[0], item, f"{place}[{number}].") for number, item in enumerate(value)]
    allowed = inner or (kind,)
    if kind is Any or type(value) in allowed:
        if type(value) is int and value < 0:
            raise ValueError(f"{place} is {value}")
        return value
    raise ValueError(f"{place} is {str(value)[:100]!r}")


def _check(manifest: Manifest) -> None:
    """Refuse what does not add up: ids are mapped into memory by it."""
    if manifest.dtype not in DTYPES:
        raise ValueError(f"dtype is {manifest.dtype!r}")
    if not _PLAIN_NAME.fullmatch(manifest.tokenizer.folder):
        raise ValueError(f"tokenizer.folder is {manifest.tokenizer.folder!r}")
    if odd := [name for name in manifest.tokenizer.files if not _PLAIN_NAME.fullmatch(name)]:
        raise ValueError(f"a file of the tokenizer is named {odd[0]!r}")
    width = np.dtype(manifest.dtype).itemsize
    names: set[str] = set()
    for split in manifest.splits.values():
        for shard in split.shards:
            sizes = {f"{shard.name}.bin": width * shard.tokens, f"{shard.name}.ends.bin": 8 * shard.documents}
            if manifest.word_starts:
                sizes[f"{shard.name}.starts.bin"] = shard.tokens
            if not _PLAIN_NAME.fullmatch(shard.name) or shard.name in names:
                raise ValueError(f"a shard is named {shard.name!r}")
            if {name: file.size for name, file in shard.files.items()} != sizes:
                raise ValueError(f"the files of {shard.name} have other sizes than its documents and tokens")
            names.add(shard.name)
    for what in ("documents", "tokens"):
        of_splits = {name: getattr(split, what) for name, split in manifest.splits.items()}
        of_shards = {
            name: sum(getattr(shard, what) for shard in split.shards) for name, split in manifest.splits.items()
        }
        if of_splits != of_shards or sum(of_splits.values()) != getattr(manifest, what):
            raise ValueError(f"its numbers of {what} do not add up")
