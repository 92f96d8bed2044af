"""Token files of another tool, from beginning to end: checked, divided, written as shards, with a manifest."""

from __future__ import annotations

import glob
import importlib.metadata
import os
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, Literal

from ....errors import InputError
from ....storage.cache import digest
from ....storage.folders import Folder
from ....storage.prepared import Manifest, Shard, ShardFile, Split, Step
from ....text.findings import unknown_id
from ....text.progress import Bar
from ....text.readers import fingerprint
from ....text.tokenizer import separator_id
from ...corpus import CorpusDataModule
from .. import work as places
from ..made import Page, Prepared
from ..plan import Portion
from ..shards import COUNTS
from ..state import State, begin, found
from ..tokenizer_files import NAME as TOKENIZER
from ..tokenizer_files import described, write_tokenizer
from ..work import Work
from . import litdata, megatron, nanogpt
from .documents import Reading
from .notes import notes_of
from .pieces import Piece, pieces_of
from .token_file import TokenFile
from .write import write_piece

Kind = Literal["megatron", "litdata", "nanogpt"]
FORMATS: dict[str, Callable[[list[str]], list[TokenFile]]] = {
    "megatron": megatron.find,
    "litdata": litdata.find,
    "nanogpt": nanogpt.find,
}
STAGE = "imported"
TEXTS = ("train_files", "validation_files", "test_files", "dataset", "sources", "prepared")


def import_tokens(
    data: CorpusDataModule, output: str, kind: Kind, tokens: list[str], piece_size: int, page: Page | None = None
) -> Prepared:
    """Make a prepared corpus of what another tool has tokenized.

    Args:
        data: says with which tokenizer, and what is held out.
        output: a folder, or its URL.
        kind: the tool.
        tokens: paths and globs of its files or folders.
        piece_size: bytes of input in a shard, about.
        page: makes a page for people, which goes to `report.html`.

    Returns:
        The manifest, and what is to be said. What is finished is left as it is; what was begun goes on.

    Raises:
        InputError: if the files are not what the tool writes, an id is not in the tokenizer's vocabulary, an option
            asks for texts, or the output holds something else.
    """
    _refuse_texts(data)
    files = FORMATS[kind](_expanded(tokens))
    data.load_tokenizer()
    tokenizer: Any = data.tokenizer
    separator, text_end = separator_id(tokenizer), tokenizer.eos_token_id
    mark = separator if text_end is None else int(text_end)
    fraction = 0.0 if any(file.split == "validation" for file in files) else data.validation_fraction
    content = [file.path for file in files] + [file.index for file in files if file.index]
    known = [[place.rpartition("/")[2], *rest] for place, *rest in fingerprint(content, data.cache_dir)]
    wanted = State(
        digest(["imported", kind, known, fraction, data.seed, data.tokenizer_key(), piece_size]),
        {
            "from": kind,
            "files": [{"file": file.name, "ids": file.count, "left_over_bytes": file.left_over} for file in files],
            "validation_fraction": fraction,
            "seed": data.seed,
            "tokenizer": data.tokenizer_spec,
            "portion_size": piece_size,
        },
    )
    folder = Folder(output)
    if (manifest := found(folder, wanted)) is not None:
        folder.remove(places.NAME)
        return Prepared(manifest)
    begin(folder, wanted)
    began = time.monotonic()
    folder.remove(TOKENIZER)
    write_tokenizer(tokenizer, folder)
    reading = Reading(tokenizer, mark, separator, unknown_id(tokenizer), data.seed)
    pieces = pieces_of(files, mark, piece_size)
    facts = _write(reading, pieces, fraction, folder)
    manifest = _assembled(pieces, facts, fraction, wanted, tokenizer, folder)
    notes = notes_of(files, pieces, facts, mark is not None)
    made = Prepared(manifest, {"reading and writing": time.monotonic() - began}, notes)
    if page is not None:
        folder.write("report.html", page(made).encode())
    manifest.write(folder.url)
    folder.remove(places.NAME)
    return made


def _refuse_texts(data: CorpusDataModule) -> None:
    """Refuse options that need texts, and a tokenizer that would be trained on them."""
    if not isinstance(data.tokenizer_spec, str):
        raise InputError(
            "--from reads ids, which mean nothing without the tokenizer that made them: set data.tokenizer to its "
            "name or folder."
        )
    if data.prepared.all or any(data.source.has(split) for split in ("train", "validation", "test")):
        raise InputError(f"--from reads --tokens and no texts: leave data.{', data.'.join(TEXTS)} out (null).")
    for name in ("cleaning", "selection", "words", "word_ids"):
        if getattr(data, name):
            raise InputError(f"data.{name} needs texts, and --from reads ids: leave it out, or prepare the texts.")


def _expanded(patterns: list[str]) -> list[str]:
    """Return the files and folders that paths and globs name, sorted within a glob, none twice."""
    paths: dict[str, None] = {}
    for pattern in patterns:
        if "://" in pattern:
            raise InputError(f"--tokens: {pattern} is a URL; files are mapped into memory: copy them to a disk first.")
        plain = os.path.expanduser(pattern)
        named = sorted(glob.glob(plain, recursive=True)) if glob.has_magic(plain) else [plain]
        if not named:
            raise InputError(f"--tokens: no file matches {pattern}.")
        paths.update(dict.fromkeys(os.path.normpath(path) for path in named))
    return list(paths)


def _write(reading: Reading, pieces: list[Piece], fraction: float, folder: Folder) -> list[dict[str, Any]]:
    """Write the shards of all pieces that are not done, and return what came of each."""
    work = Work(folder.url)
    with Bar("importing tokens", len(pieces), "shards") as bar:
        for piece in pieces:
            portion = Portion(piece.file.split, piece.number)
            if not work.is_marked(STAGE, portion):
                work.mark(STAGE, portion, write_piece(reading, piece, fraction, folder))
            bar.advance(1)
    return work.facts(STAGE, [Portion(piece.file.split, piece.number) for piece in pieces])


def _assembled(
    pieces: list[Piece], facts: list[dict[str, Any]], fraction: float, wanted: State, tokenizer: Any, folder: Folder
) -> Manifest:
    splits: dict[str, Split] = {}
    for name in ["train", "validation"] if fraction else dict.fromkeys(piece.file.split for piece in pieces):
        counts: Counter[str] = Counter()
        shards = []
        for piece, made in zip(pieces, facts, strict=True):
            if known := made["splits"].get(name):
                counts.update({what: known[what] for what in COUNTS})
                if known["files"]:
                    of_shard = {file: ShardFile(**about) for file, about in known["files"].items()}
                    shard = f"{name}-{piece.number:05d}"
                    shards.append(Shard(shard, known["documents"], known["tokens"], of_shard))
        splits[name] = Split(**{what: counts[what] for what in COUNTS}, shards=shards)
    _check(splits, fraction)
    documents, empty = sum(split.documents for split in splits.values()), sum(made["empty"] for made in facts)
    left_out = {"empty": empty} if empty else {}
    return Manifest(
        documents=documents,
        tokens=sum(split.tokens for split in splits.values()),
        dtype="uint16" if len(tokenizer) <= 1 << 16 else "uint32",
        separator=separator_id(tokenizer),
        word_starts=False,
        tokenizer=described(tokenizer, folder),
        splits=splits,
        left_out=left_out,
        steps=[Step("reading", documents + empty, documents, left_out)],
        options=wanted.options,
        fingerprint=wanted.fingerprint,
        made_with={name: _version(name) for name in ("pretune", "tokenizers")},
    )


def _check(splits: dict[str, Split], fraction: float) -> None:
    """Refuse a corpus without a part that was asked for."""
    train = splits.get("train")
    if train is None or (not train.documents and not fraction):
        raise InputError("--tokens names no document to train on.")
    for name, split in splits.items():
        if not split.documents:
            many = sum(other.documents for other in splits.values())
            raise InputError(
                f"None of {many:,} documents is left in {name}: another data.validation_fraction ({fraction}) would "
                "work, or 0, which holds nothing out."
                if fraction
                else f"--tokens names no document of {name}."
            )


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:  # run from a clone
        return "unknown"
