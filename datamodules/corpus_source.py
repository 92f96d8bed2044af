"""The corpora of a mixture, as the options name them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import InputError
from .prepared.corpus import PreparedCorpus
from .sources import Documents, Files, MixedSource, make_source


@dataclass
class CorpusSource:
    """One corpus of a mixture.

    Args:
        files: paths, globs or URLs.
        dataset: a Hugging Face Hub id or a local folder of that shape instead of files.
        subset: the data set's configuration name.
        prepared: what `prepare` has tokenized, by path or URL, instead of files.
        weight: share of the training blocks, relative to the other weights.
        documents: what a document is in a .txt file: a `line`, a `paragraph`, or the `file`.
        text_column: the column of the text in other formats.
        encoding: of text files.
    """

    files: str | list[str] | None = None
    dataset: str | None = None
    subset: str | None = None
    prepared: str | None = None
    weight: float = 1.0
    documents: Documents = "line"
    text_column: str = "text"
    encoding: str = "utf-8"


def mix_sources(
    sources: Sequence[CorpusSource | dict[str, Any]],
    rest: Files,
    cache_dir: str,
    prepared: Callable[[str], PreparedCorpus],
) -> tuple[MixedSource, list[float]]:
    """Return a mixture of corpora as one source, and their weights.

    Args:
        sources: options of each corpus to train on.
        rest: what the other splits are read from.
        cache_dir: of the cache.
        prepared: takes the URL of a prepared corpus to it.

    Raises:
        InputError: if a corpus has no files and no name, or several of them, or no weight.
    """
    corpora = [CorpusSource(**source) if isinstance(source, dict) else source for source in sources]
    parts: list[Any] = []
    for number, corpus in enumerate(corpora):
        if not (corpus.files or corpus.dataset or corpus.prepared) or corpus.weight <= 0:
            raise InputError(
                f"data.sources[{number}] needs `files`, a `dataset` or what is `prepared`, and a `weight` above 0."
            )
        if corpus.prepared:
            if corpus.files or corpus.dataset:
                raise InputError(f"data.sources[{number}] is `prepared`, so that it takes no `files` and no `dataset`.")
            parts.append(prepared(corpus.prepared))
            continue
        reading = {"documents_are": corpus.documents, "text_column": corpus.text_column, "encoding": corpus.encoding}
        parts.append(make_source({"train": corpus.files}, corpus.dataset, corpus.subset, cache_dir, **reading))
    return MixedSource(parts, rest), [corpus.weight for corpus in corpora]
