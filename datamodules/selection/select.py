"""Selecting in two passes over the documents; a third one takes what was kept to tokens."""

from __future__ import annotations

import json
from array import array
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import InputError
from ...text.encoding import text_batch
from ...text.processes import in_order
from ...text.progress import progress
from ...text.selection.drawing import thresholds
from ...text.selection.gathering import Gathered, gather
from ...text.selection.judging import Embed, Judged, make_judge
from ...text.selection.options import Selection
from ...text.splitting import document_hash, held_out_documents
from .notes import notes_of
from .passes import Passes


@dataclass(frozen=True)
class Selected:
    """What `select` wrote.

    Args:
        folder: of the cache.
    """

    folder: Path

    @cached_property
    def report(self) -> dict[str, Any]:
        """What was left out (`skipped`), what is said of it (`notes`), and the last hash that is `held_out`."""
        report: dict[str, Any] = json.loads((self.folder / "report.json").read_text())
        return report

    def documents(self, passes: Passes, skipped: Counter[str]) -> Iterator[str]:
        """Return the documents that train, and those that are held out.

        Args:
            passes: over the same documents as before.
            skipped: counts what is left out, by its reason.
        """
        skipped.update(self.report["skipped"])
        return (text for _, text in passes.again(np.load(self.folder / "stays.npy", mmap_mode="r")))

    def held_out(self, hashes: np.ndarray) -> np.ndarray:
        """Return which documents are held out: the same, whichever others were kept.

        Args:
            hashes: (n,), from `document_hash`.
        """
        chosen: np.ndarray = hashes <= np.uint64(self.report["held_out"])
        return chosen


def select(folder: Path, passes: Passes, selection: Selection, fraction: float, seed: int, embed: Embed | None) -> None:
    """Write which documents stay, of those that cleaning leaves: what is held out, and what is kept of the others.

    Args:
        folder: of the cache; gets `stays.npy` and `report.json`.
        passes: over the documents.
        selection: the options.
        fraction: share of the documents that is held out, all of which stay.
        seed: of what is held out.
        embed: the backbone, where the options name one.

    Raises:
        InputError: if there is no document to select from, or too few.
    """
    name, skipped = passes.source.name(passes.split), Counter[str]()
    places, hashes, gathered = _gathered(passes.first(skipped), selection, seed, name)
    held_out = np.zeros(len(hashes), bool)
    if fraction > 0 and len(hashes):
        held_out = held_out_documents(hashes, fraction, name)
    stays = np.zeros(int(places[-1]) + 1 if len(places) else 0, bool)
    stays[places[~held_out]] = True
    if not stays.any():
        raise InputError(f"{name} holds no document to select from.")
    judge = make_judge(selection, gathered, embed)
    judged = _judged(passes.again(stays), judge, name, embed is None)
    clean = np.ones(len(judged.places), bool)
    clean[list(judged.all.hits)] = False
    if not clean.any():
        raise InputError(
            f"Every training document of {name} shares {selection.ngram} words with data.selection.against: raise "
            "data.selection.ngram, or look whether the corpus is the test set."
        )
    kept = clean.copy()
    if selection.method is not None:
        keys, groups = judged.all.keys[clean], judged.all.groups[clean]
        least = thresholds(keys, groups, selection.count(len(keys), name))
        kept[clean] = keys >= least[groups]
    stays[judged.places] = kept
    stays[places[held_out]] = True
    np.save(folder / "stays.npy", stays)
    for reason, count in (("contaminated", len(judged.all.hits)), ("not selected", int((clean & ~kept).sum()))):
        if count:
            skipped[reason] += count
    last = int(hashes[held_out].max()) if held_out.any() else None
    notes = notes_of(selection, name, judged.all, clean, kept, judge)
    (folder / "report.json").write_text(json.dumps({"skipped": skipped, "held_out": last, "notes": notes}))


def _gathered(
    documents: Iterator[tuple[int, str]], selection: Selection, seed: int, name: str
) -> tuple[np.ndarray, np.ndarray, Gathered]:
    """Return place and hash of each document, and what a selection has to know of all."""
    places, hashes = array("q"), []
    gathered = gather(selection, [])
    for more, found in in_order(partial(_known, selection, seed), _batches(documents, places, f"reading {name}")):
        hashes.append(more)
        gathered = gathered + found
    return np.array(places, np.int64), np.concatenate(hashes or [np.zeros(0, np.uint64)]), gathered


def _known(selection: Selection, seed: int, texts: list[str]) -> tuple[np.ndarray, Gathered]:
    return np.array([document_hash(text, seed) for text in texts], np.uint64), gather(selection, texts)


@dataclass
class _AllJudged:
    """The places of documents, and what is known of all of them."""

    places: np.ndarray
    all: Judged


def _judged(
    documents: Iterator[tuple[int, str]], judge: Callable[[list[str]], Judged], name: str, may: bool
) -> _AllJudged:
    places = array("q")
    parts: list[Judged] = []
    hits: dict[int, Any] = {}
    done = 0
    for part in in_order(judge, _batches(documents, places, f"selecting from {name}"), may):
        hits |= {done + place: hit for place, hit in part.hits.items()}
        done += len(part.keys)
        part.hits = {}
        parts.append(part)
    keys = np.concatenate([part.keys for part in parts])
    return _AllJudged(np.array(places, np.int64), Judged(keys, np.concatenate([part.groups for part in parts]), hits))


def _batches(documents: Iterator[tuple[int, str]], places: array[int], what: str) -> Generator[list[str]]:
    """Yield texts in batches, and add their places to those so far."""

    def texts() -> Iterator[str]:
        for place, text in documents:
            places.append(place)
            yield text

    shown = progress(texts(), what)
    yield from chain(iter(lambda: text_batch(shown), []))
