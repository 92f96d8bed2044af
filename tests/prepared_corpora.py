"""Prepared corpora, written by hand in the form that `prepare` gives them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import xxhash

from pretune.datamodules.find_tokenizer import tokenizer_content
from pretune.storage.cache import digest
from pretune.storage.prepared import Manifest, PreparedTokenizer, Shard, ShardFile, Split
from pretune.text.encoding import encode
from pretune.text.tokenizer import separator_id


def write_prepared(folder: Path, tokenizer: Any, shards: dict[str, list[list[str]]], words: bool = False) -> Manifest:
    """Write a corpus of which the shards of each split, and the documents of each, are given; return its manifest."""
    folder.mkdir(parents=True)
    end = separator_id(tokenizer)
    splits = {}
    for split, parts in shards.items():
        made = []
        for number, texts in enumerate(parts):
            name, ids = f"{split}-{number:05d}", [[*row, end] for row in encode(tokenizer, texts)]
            content = {
                f"{name}.bin": np.concatenate([np.array(row, "<u2") for row in ids]).tobytes(),
                f"{name}.ends.bin": np.cumsum([len(row) for row in ids]).astype("<i8").tobytes(),
            }
            if words:
                content[f"{name}.starts.bin"] = np.ones(sum(map(len, ids)), np.uint8).tobytes()
            files = {}
            for file, data in content.items():
                (folder / file).write_bytes(data)
                files[file] = ShardFile(len(data), xxhash.xxh3_128_hexdigest(data))
            made.append(Shard(name, len(ids), sum(map(len, ids)), files))
        texts = [text for part in parts for text in part]
        counts = len(texts), sum(shard.tokens for shard in made)
        size = sum(len(text.encode()) for text in texts)
        splits[split] = Split(*counts, sum(len(text.split()) for text in texts), size, 0, made)
    tokenizer.save_pretrained(folder / "tokenizer")
    own = {path.name: path.read_bytes() for path in (folder / "tokenizer").iterdir()}
    of_files = {name: ShardFile(len(data), xxhash.xxh3_128_hexdigest(data)) for name, data in own.items()}
    known = PreparedTokenizer("tokenizer", digest(tokenizer_content(tokenizer)), len(tokenizer), of_files)
    documents, tokens = (sum(getattr(s, what) for s in splits.values()) for what in ("documents", "tokens"))
    manifest = Manifest(documents, tokens, "uint16", end, words, known, splits, {}, [], {}, "by hand")
    manifest.write(str(folder))
    return manifest
