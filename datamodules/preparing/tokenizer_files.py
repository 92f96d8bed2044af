"""The tokenizer that comes with a prepared corpus, in a folder beside its shards."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from xxhash import xxh3_128_hexdigest

from ...storage.cache import digest
from ...storage.folders import Folder
from ...storage.prepared import PreparedTokenizer, ShardFile
from ...text.tokenizer import load_tokenizer
from ..find_tokenizer import tokenizer_content

NAME = "tokenizer"


def write_tokenizer(tokenizer: Any, output: Folder) -> None:
    """Write the files of a tokenizer."""
    with tempfile.TemporaryDirectory() as place:
        tokenizer.save_pretrained(place)
        for file in sorted(Path(place).iterdir()):
            output.below(NAME).put(file.name, file)


def read_tokenizer(output: Folder) -> Any:
    """Return the tokenizer of a prepared corpus."""
    folder = output.below(NAME)
    if folder.local is not None:
        return load_tokenizer(str(folder.local))
    with tempfile.TemporaryDirectory() as place:
        for name in folder.names():
            Path(place, name).write_bytes(folder.read(name))
        return load_tokenizer(place)


def described(tokenizer: Any, output: Folder) -> PreparedTokenizer:
    """Return what the manifest says of the tokenizer of a prepared corpus."""
    folder = output.below(NAME)
    contents = {name: folder.read(name) for name in folder.names()}
    files = {name: ShardFile(len(content), xxh3_128_hexdigest(content)) for name, content in contents.items()}
    return PreparedTokenizer(NAME, digest(tokenizer_content(tokenizer)), len(tokenizer), files)
