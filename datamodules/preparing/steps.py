"""The steps of a preparation, each a step of a pipeline of datatrove that works portion by portion.

A task `rank` of `world_size` works on the portions `rank`, `rank + world_size`, ... Whatever datatrove keeps by rank
(signatures, what is removed) is kept by the number of the portion here: nothing depends on the number of tasks.
"""

from __future__ import annotations

import os
from abc import abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any

import numpy as np
from datatrove.data import Document
from datatrove.pipeline.base import PipelineStep
from datatrove.pipeline.dedup import MinhashDedupFilter

from ...errors import InputError
from ...storage.folders import Folder
from ...text.findings import unknown_id
from ...text.rules import Judge
from ...text.tokenizer import separator_id
from ...text.tokenizing import Tokenizing
from ...text.words import make_segmenter
from .corpus import Corpus
from .duplicates import Signatures, minhash_config, without_copies, write_hashes
from .plan import Portion
from .reading import texts_of
from .shards import write_shards
from .tally import Tally
from .tokenizer_files import read_tokenizer
from .work import Work

HASHES, SIGNATURES, TOKENS = "hashes", "signatures", "tokens"
"""The stages that work portion by portion: what exact copies are found by, near copies, and the shards."""


class PortionStep(PipelineStep):
    """Works on portions one after the other, and passes over those that are done.

    Args:
        output: URL of the folder that the shards go to.
    """

    type = "PORTIONS"
    stage = ""

    def __init__(self, output: str) -> None:
        super().__init__()
        self.output = output

    @cached_property
    def work(self) -> Work:
        """Where it works."""
        return Work(self.output)

    @cached_property
    def corpus(self) -> Corpus:
        """What is prepared."""
        return self.work.corpus()

    def run(self, data: Any = None, rank: int = 0, world_size: int = 1) -> None:
        """Work on the portions of a task."""
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # the tasks are the processes
        try:
            for portion in self.work.portions()[rank::world_size]:
                if self.work.is_marked(self.stage, portion):
                    continue
                with self.track_time("portion"):
                    facts = self.portion(portion)
                self.work.mark(self.stage, portion, facts)
                self.stat_update("portions")
        except InputError as error:
            self.work.tell(self.stage, rank, str(error))
            raise

    @abstractmethod
    def portion(self, portion: Portion) -> dict[str, Any]:
        """Do the work of one, and return what is to be known of it; a second time gives the same."""

    # ------------------------------------------------------------------ what steps have in common

    @cached_property
    def judges(self) -> dict[str, Judge]:
        """What tells of a text by itself whether it stays."""
        return self.corpus.cleaning.judges()

    @property
    def steps(self) -> list[str]:
        """The steps before near copies are looked for, by name."""
        cleaning = self.corpus.cleaning
        lengths = ["lengths"] if cleaning.min_characters or cleaning.max_characters is not None else []
        copies = ["exact duplicates"] if cleaning.exact_duplicates else []
        return ["reading", *lengths, *copies, *self.judges]

    def read(self, portion: Portion, tally: Tally) -> Iterator[Document]:
        """Yield the documents of fitting length, each called by its number among those that hold text."""
        skipped: Counter[str] = Counter()
        for number, text in enumerate(texts_of(self.corpus, portion, skipped)):
            tally.came += 1
            reason = self.corpus.cleaning.misfit(text)
            if reason is None:
                yield Document(text, str(number))
            else:
                tally.left_out["lengths"][reason] += 1
        tally.left_out["reading"].update(skipped)
        tally.came += sum(skipped.values())

    def cleaned(self, portion: Portion, tally: Tally) -> Iterator[Document]:
        """Yield the documents that stay, but for near copies."""
        documents = self.read(portion, tally)
        passed: Counter[str] = Counter()
        if self.corpus.cleaning.exact_duplicates:
            before = counted(documents, passed)
            documents = counted(
                without_copies(before, copies_of(self.work, portion.split), portion.number), passed, "out"
            )
        for document in documents:
            for name, judge in self.judges.items():
                document.text, reason = judge(document.text)
                if reason is not None:
                    tally.left_out[name][reason] += 1
                    break
            else:
                yield document
        if copies := passed["in"] - passed["out"]:
            tally.left_out["exact duplicates"]["exact duplicates"] += copies


def counted(documents: Iterable[Document], passed: Counter[str], name: str = "in") -> Iterator[Document]:
    """Yield documents, and count them."""
    for document in documents:
        passed[name] += 1
        yield document


def copies_of(work: Work, split: str) -> str:
    """Return the folder of the exact copies that were found in a split."""
    return work.url("copies", split)


class HashStep(PortionStep):
    """Writes what exact copies are found by."""

    name = "hashes of documents"
    stage = HASHES

    def __init__(self, output: str, finders: int) -> None:
        super().__init__(output)
        self.finders = finders

    def portion(self, portion: Portion) -> dict[str, Any]:
        """Write the hashes of one."""
        documents = self.read(portion, Tally(self.steps))
        write_hashes(documents, self.work.url(HASHES, portion.split), portion.number, self.finders)
        return {}


class SignatureStep(PortionStep):
    """Cleans, notes which documents stay, and writes what near copies are found by."""

    name = "signatures of documents"
    stage = SIGNATURES

    def portion(self, portion: Portion) -> dict[str, Any]:
        """Write the signatures of one."""
        tally, kept = Tally(self.steps), [np.zeros(0, np.int64)]
        threshold = self.corpus.cleaning.near_duplicates
        assert threshold is not None
        signatures = Signatures(self.work.url(SIGNATURES, portion.split), minhash_config(threshold))
        signatures(noted(self.cleaned(portion, tally), kept), portion.number)
        self.work.folder.write(f"{SIGNATURES}/kept/{portion.name}.bin", np.concatenate(kept).astype("<i8").tobytes())
        return tally.facts()


def noted(documents: Iterable[Document], kept: list[np.ndarray]) -> Iterator[Document]:
    """Yield documents, and add their numbers to a list of arrays."""
    numbers: list[int] = []
    for document in documents:
        numbers.append(int(document.id))
        if len(numbers) == 1 << 16:
            kept.append(np.array(numbers, np.int64))
            numbers.clear()
        yield document
    kept.append(np.array(numbers, np.int64))


class TokenStep(PortionStep):
    """Writes the shards."""

    name = "shards of tokens"
    stage = TOKENS

    @cached_property
    def tokenizing(self) -> Tokenizing:
        """What takes documents to tokens."""
        tokenizer, corpus = read_tokenizer(Folder(self.output)), self.corpus
        end = separator_id(tokenizer)
        segmenter = make_segmenter(corpus.words) if corpus.word_starts else None
        ends = [] if end is None else [end]
        return Tokenizing(tokenizer, ends, unknown_id(tokenizer), corpus.word_starts, segmenter, corpus.seed)

    def portion(self, portion: Portion) -> dict[str, Any]:
        """Write the shards of one."""
        near = self.corpus.cleaning.near_duplicates is not None
        tally = Tally(["near duplicates"] if near else self.steps)
        documents = self.without_near_copies(portion, tally) if near else self.cleaned(portion, tally)
        splits = self.corpus.names(portion.split)
        fraction = self.corpus.fraction if len(splits) > 1 else 0.0
        texts = (document.text for document in documents)
        made = write_shards(texts, self.tokenizing, fraction, splits, portion.number, Folder(self.output))
        self.stat_update("tokens", value=sum(counts["tokens"] for counts in made.values()), unit="portion")
        return {"splits": made, **tally.facts()}

    def without_near_copies(self, portion: Portion, tally: Tally) -> Iterator[Document]:
        """Yield the documents that stay after all."""
        removed = MinhashDedupFilter(self.work.url("removed", portion.split))
        passed: Counter[str] = Counter()
        before = counted(self.kept(portion), passed)
        yield from counted(removed(before, portion.number), passed, "out")
        if copies := passed["in"] - passed["out"]:
            tally.left_out["near duplicates"]["near duplicates"] += copies

    def kept(self, portion: Portion) -> Iterator[Document]:
        """Yield the documents that were noted as staying, as the rules left them."""
        kept = np.frombuffer(self.work.folder.read(f"{SIGNATURES}/kept/{portion.name}.bin"), "<i8")
        editors = self.corpus.cleaning.editors()
        place = 0
        for number, text in enumerate(texts_of(self.corpus, portion, Counter())):
            if place < len(kept) and kept[place] == number:
                place += 1
                for editor in editors:
                    text, _ = editor(text)
                yield Document(text, str(number))
        if place < len(kept):
            raise InputError(f"{portion.name} holds fewer documents than before: the input was changed meanwhile.")
