"""The files that both sides read."""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pretune.storage.atomic_files import write_text

SEED = 20
COPIES = 20
"""Of the corpus for a GPU, which would go through one in a second."""
Row = dict[str, Any]


def prepare(
    data: Path, name: str, task: str, settings: dict[str, Any], folder: Path, copies: int = 1
) -> dict[str, str]:
    """Writes what a work needs, unless it is there.

    Args:
        data: holds `wikitext-2`, `c4_en_300`, `sst2`, `mrpc` and `squad`.
        name: of the work.
        task: `mlm`, `clm`, `classification` or `questions`.
        settings: of the work.
        folder: where to.
        copies: of a corpus.

    Returns:
        Paths by part.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rows = settings.get("rows")
    if task in ("mlm", "clm"):
        path = folder / (f"documents-{copies}.jsonl" if settings.get("documents") else f"corpus-{copies}.txt")
        if not path.is_file():
            write = mixed if settings.get("documents") else corpus
            write_text(path, write(data) * copies)
        return {"train": str(path.resolve())}
    if task == "questions":
        return {"validation": save(folder / f"squad-{rows}.jsonl", questions(data)[:rows])}
    if name == "defaults":
        found = {part: read(data / "sst2" / f"{part}.jsonl") for part in ("train", "validation", "test")}
        few = {"train": rows, "validation": settings.get("evaluated"), "test": settings.get("evaluated")}
        return {part: save(folder / f"sst2-{few[part]}-{part}.jsonl", found[part][: few[part]]) for part in found}
    return {"train": save(folder / f"glue-{rows}.jsonl", glue(data)[:rows])}


def corpus(data: Path) -> str:
    """WikiText-2, a paragraph a line."""
    path = data / "wikitext-2" / "train.txt"
    if not path.is_file():
        sys.exit(f"error: {path} is missing")
    return path.read_text(encoding="utf-8").rstrip("\n") + "\n"


def mixed(data: Path) -> str:
    """Headings and paragraphs of WikiText-2, and web pages, in random order, as jsonl."""
    texts = [line.strip() for line in corpus(data).splitlines() if line.strip()]
    texts += [row["text"] for row in read(data / "c4_en_300" / "train.jsonl")]
    random.Random(SEED).shuffle(texts)
    return lines({"text": text} for text in texts)


def glue(data: Path) -> list[Row]:
    """As many film reviews (SST-2) as pairs of sentences (MRPC, as one text), in random order."""
    pairs = [
        {"text": f"{row['sentence1']} {row['sentence2']}", "label": row["label"]}
        for row in read(data / "mrpc" / "train.jsonl")
    ]
    reviews = [{"text": row["sentence"], "label": row["label"]} for row in read(data / "sst2" / "train.jsonl")]
    rows = [*pairs[: len(reviews)], *reviews[: len(pairs)]]
    random.Random(SEED).shuffle(rows)
    return rows


def questions(data: Path) -> list[Row]:
    """SQuAD's validation rows."""
    return [
        {key: row[key] for key in ("id", "context", "question", "answers")}
        for row in read(data / "squad" / "validation.jsonl")
    ]


def read(path: Path) -> list[Row]:
    """The rows of a jsonl file."""
    if not path.is_file():
        sys.exit(f"error: {path} is missing")
    # Not splitlines(): texts may hold line separators of other alphabets.
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line.strip()]


def save(path: Path, rows: list[Row]) -> str:
    """Writes rows, unless they are there."""
    if not path.is_file():
        write_text(path, lines(rows))
    return str(path.resolve())


def lines(rows: Iterable[Row]) -> str:
    """Rows as jsonl."""
    return "".join(json.dumps(row) + "\n" for row in rows)
