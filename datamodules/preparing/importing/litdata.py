"""litdata's folders of tokens, for its `TokensLoader` (https://github.com/Lightning-AI/litdata).

`index.json` has `config` and `chunks`; a chunk has the number of its items (uint32), where each begins and the last one
ends (uint32, of bytes), and the items' ids, one after the other. Where documents end, the ids must tell: an item is
what a function gave, which may be a document or a part of one.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from ....errors import InputError
from ....storage.plain_files import parse_json
from .token_file import TokenFile, read_start, size_of

INDEX = "index.json"
LOADER = "TokensLoader"
TAIL = "lie behind the last whole id of the last item"
TENSORS = {11: "u1", 12: "i1", 13: "<i2", 14: "<i2", 15: "<i4", 16: "<i4", 17: "<i8", 18: "<i8", 20: "<u2"}
ARRAYS = {0: "i1", 1: "<i2", 2: "<i4", 3: "<i8", 4: "u1", 5: "<u2", 6: "<u4", 7: "<u8"}
FORMATS = {"no_header_tensor": TENSORS, "no_header_numpy": ARRAYS}
"""Types of whole numbers by the name of what wrote them, and by number."""


def find(paths: list[str]) -> list[TokenFile]:
    """Return the chunks of the folders that paths name, themselves or by their `index.json`.

    Raises:
        InputError: if one holds no tokens, or is compressed or encrypted.
    """
    folders = dict.fromkeys(os.path.dirname(path) if os.path.basename(path) == INDEX else path for path in paths)
    return [file for folder in folders for file in _chunks(folder or ".")]


def _chunks(folder: str) -> list[TokenFile]:
    where = os.path.join(folder, INDEX)
    try:
        text = Path(where).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"--tokens: {folder} is no folder of litdata's: {where} cannot be read ({error}).") from error
    plain: Any = parse_json(text, where)
    try:
        config, chunks = plain["config"], plain["chunks"]
        for what in ("compression", "encryption"):
            if config.get(what) is not None:
                raise InputError(f"{where} says {what}: {config[what]!r}; only plain chunks are read here.")
        dtype = _dtype(where, config)
        known = [(str(chunk["filename"]), int(chunk["chunk_size"]), chunk.get("dim")) for chunk in chunks]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{where} is not what litdata writes ({type(error).__name__}: {error}).") from error
    return [_chunk(os.path.join(folder, name), where, dtype, items, dim) for name, items, dim in known]


def _dtype(where: str, config: dict[str, Any]) -> np.dtype:
    loader, written = config.get("item_loader"), config["data_format"]
    if loader not in (None, LOADER):
        raise InputError(f"{where} was written for {loader}; tokens are written with item_loader={LOADER}().")
    name, _, code = written[0].partition(":") if written and len(written) == 1 else ("", "", "")
    if name not in FORMATS or not code.isdecimal() or int(code) not in FORMATS[name]:
        raise InputError(f"{where} says data_format: {written}; arrays or tensors of whole numbers are tokens.")
    return np.dtype(FORMATS[name][int(code)])


def _chunk(path: str, where: str, dtype: np.dtype, items: int, dim: Any) -> TokenFile:
    size, offset = size_of(path), 4 * (items + 2)
    head = np.frombuffer(read_start(path, offset)[: offset - offset % 4], "<u4")
    if size < offset or head[0] != items:
        said = f"{head[0]:,} items" if len(head) else "nothing"
        raise InputError(f"{path} is damaged: {where} tells of {items:,} items in it, and it of {said}.")
    places = head[1:].astype(np.int64)
    lengths = np.diff(places)
    if places[0] != offset or (lengths < 0).any():
        raise InputError(f"{path} is damaged: its items do not follow one another.")
    if places[-1] > size:
        raise InputError(f"{path} is cut off: its last item ends at byte {places[-1]:,}, and it has {size:,}.")
    if len(broken := np.flatnonzero(lengths[:-1] % dtype.itemsize)):
        raise InputError(f"{path} is damaged: item {broken[0]:,} is no whole number of ids of {dtype.itemsize} bytes.")
    count = int(lengths.sum()) // dtype.itemsize
    if dim is not None and dim != count:
        raise InputError(f"{path} is damaged: {where} tells of {dim:,} tokens in it, and its items have {count:,}.")
    return TokenFile(path, "train", dtype, offset, count, size - offset - count * dtype.itemsize, TAIL)
