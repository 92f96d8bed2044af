"""A preparation from beginning to end, as the process sees it that waits for all others."""

from __future__ import annotations

import pickle
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import Any

from ...errors import InputError
from ...storage.cache import digest
from ...storage.folders import Folder
from ...text.cleaning import function_name
from ...text.progress import Bar
from ..corpus import CorpusDataModule
from . import work as places
from .assembly import assembled
from .corpus import Corpus, content_of, corpus_of, options_of
from .duplicates import MOST_PORTIONS, Clusters, find_copies, find_pairs, minhash_config
from .executors import Executors, hush
from .made import Page, Prepared
from .plan import Portion, make_plan, plan_text
from .state import State, begin, found
from .steps import HASHES, SIGNATURES, HashStep, SignatureStep, TokenStep, copies_of
from .tokenizer_files import NAME as TOKENIZER
from .tokenizer_files import read_tokenizer, write_tokenizer
from .work import Work, forget_read

PORTION_SIZE = 64 << 20
"""Bytes of input in a portion, about."""
PORTIONS_A_FINDER = 64
"""Hashes of so many portions are compared in one task."""


def prepare(
    data: CorpusDataModule,
    output: str,
    executors: Executors | None = None,
    portion_size: int = PORTION_SIZE,
    page: Page | None = None,
) -> Prepared:
    """Prepare the corpus of a datamodule: clean it, remove duplicates, tokenize it, and write it as shards.

    Args:
        data: its options say what is read, how it is cleaned, and with what it is tokenized.
        output: a folder, or its URL.
        executors: who does the work, in how many tasks: the output is the same.
        portion_size: bytes of input in a shard, about.
        page: makes a page for people, which goes to `report.html`.

    Returns:
        The manifest. What is finished is left as it is; what was begun goes on.

    Raises:
        InputError: if the input cannot be read, or the output holds something else.
    """
    executors = executors or Executors()
    executors.check()
    folder, corpus = Folder(output), corpus_of(data)
    corpus.cleaning.judges()  # which says what is missing
    wanted = State(
        digest([content_of(corpus), _tokenizer_key(data), portion_size]),
        {**options_of(data, corpus, data.tokenizer_spec), "portion_size": portion_size},
    )
    if (manifest := found(folder, wanted)) is not None:
        folder.remove(places.NAME)
        return Prepared(manifest)
    begin(folder, wanted)
    preparation = _Preparation(folder, corpus, executors)
    with preparation.timed("tokenizer and plan"):
        preparation.write_tokenizer(data)
        preparation.write_plan(portion_size)
    preparation.run()
    manifest = assembled(preparation.work, corpus, wanted, read_tokenizer(folder))
    made = Prepared(manifest, preparation.seconds)
    if page is not None:
        folder.write("report.html", page(made).encode())
    manifest.write(folder.url)
    folder.remove(places.NAME)
    return made


def _tokenizer_key(data: CorpusDataModule) -> Any:
    """Return what tells the tokenizer from others: of one that is trained here, how, as its texts are known."""
    spec = data.tokenizer_spec
    if spec is not None and not isinstance(spec, str):
        return spec.key()
    data.load_tokenizer()
    return data.tokenizer_key()


class _Preparation:
    def __init__(self, folder: Folder, corpus: Corpus, executors: Executors) -> None:
        self.folder, self.corpus, self.executors = folder, corpus, executors
        self.work = Work(folder.url)
        self.seconds: dict[str, float] = {}
        forget_read()
        hush()

    @contextmanager
    def timed(self, what: str) -> Iterator[None]:
        began = time.monotonic()
        yield
        self.seconds[what] = time.monotonic() - began

    def write_tokenizer(self, data: CorpusDataModule) -> None:
        if not self.work.folder.exists("tokenizer.done"):
            data.load_tokenizer()
            self.folder.remove(TOKENIZER)
            write_tokenizer(data.tokenizer, self.folder)
            self.work.folder.write("tokenizer.done", b"")

    def write_plan(self, portion_size: int) -> None:
        try:
            pickled = pickle.dumps(self.corpus)
        except Exception as error:  # each class fails to be pickled in its own way
            names = [function_name(f) for f in (self.corpus.cleaning.filter, self.corpus.words) if callable(f)]
            raise InputError(
                f"{' or '.join(names)} cannot be sent to another process ({error}): a function of a module would work."
            ) from error
        self.work.folder.write(places.CORPUS, pickled)
        if not self.work.folder.exists(places.PLAN):
            portions = make_plan(self.corpus, portion_size)
            self.work.folder.write(places.PLAN, plan_text(portions).encode())
        most = max(portion.number for portion in self.work.portions())
        if self.corpus.cleaning.exact_duplicates and most > MOST_PORTIONS:
            raise InputError(
                f"There are more than {MOST_PORTIONS + 1:,} portions of {portion_size >> 20} MB: raise --portion_mb."
            )

    def run(self) -> None:
        cleaning, url = self.corpus.cleaning, self.folder.url
        splits = {portion.split: portion.number + 1 for portion in self.work.portions()}
        if cleaning.exact_duplicates:
            finders = max(1, max(splits.values()) // PORTIONS_A_FINDER)
            self.portions(HashStep(url, finders), "reading for exact duplicates")
            for split in splits:
                step = find_copies(self.work.url(HASHES, split), copies_of(self.work, split))
                self.stage(step, finders, f"copies-{split}", f"comparing documents of {split}")
        if (threshold := cleaning.near_duplicates) is not None:
            config = minhash_config(threshold)
            self.portions(SignatureStep(url), "cleaning, and reading for near duplicates")
            for split in splits:
                pairs = self.work.url("pairs", split)
                step = find_pairs(self.work.url(SIGNATURES, split), pairs, config)
                self.stage(step, config.num_buckets, f"pairs-{split}", f"comparing signatures of {split}")
                clusters = Clusters(pairs, self.work.url("removed", split))
                self.stage(clusters, 1, f"clusters-{split}", f"joining near duplicates of {split}")
        self.portions(TokenStep(url), "tokenizing")

    def portions(self, step: Any, what: str) -> None:
        """Run a step that works portion by portion."""
        portions: list[Portion] = self.work.portions()
        self.work.forget(step.stage)
        tasks = min(self.executors.tasks, len(portions))
        with self.timed(what), self._shown(what, step.stage, len(portions)):
            self._run(step, tasks, step.stage)

    def stage(self, step: Any, tasks: int, name: str, what: str) -> None:
        """Run a step with a number of tasks of its own."""
        with self.timed(what), Bar(what):
            self._run(step, tasks, name)

    def _run(self, step: Any, tasks: int, name: str) -> None:
        logs = self.work.url("logs", f"{name}-{tasks}")
        self.executors.run(step, tasks, logs, lambda: self.work.told(name))

    @contextmanager
    def _shown(self, what: str, stage: str, total: int) -> Iterator[None]:
        """Show how many portions are done, whoever works on them."""
        over = Event()

        def watch() -> None:
            while not over.wait(2.0):
                bar.advance(self.work.marked(stage) - bar.done)

        with Bar(what, total, "portions") as bar:
            watching = Thread(target=watch, daemon=True)
            watching.start()
            try:
                yield
                bar.advance(total - bar.done)
            finally:
                over.set()
                watching.join()
