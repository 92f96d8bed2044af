"""Where examples come from: files, the Hugging Face Hub, or this machine's own documentation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from ..errors import InputError
from ..text import readers
from ..text.visible import MOST_NAMES, shown_paths
from .tables.labels import class_name

Split = Literal["train", "validation", "test", "predict"]
Row = tuple[str, dict[str, Any]]
Documents = Literal["line", "paragraph", "file"]
SKIPPABLE = "data.on_bad_rows: skip leaves such rows out."


@dataclass
class Files:
    """Files of each split, by path, glob or URL.

    Where `on_bad_rows` is `skip`, rows that cannot be read are passed over, and what is wrong is added to `unreadable`.
    """

    patterns: dict[str, str | list[str] | None]
    encoding: str = "utf-8"
    documents_are: Documents = "line"
    text_column: str = "text"
    cache_dir: str | None = None
    on_bad_rows: Literal["error", "skip"] | None = None
    unreadable: list[str] = field(default_factory=list)
    _paths: dict[str, list[str]] = field(default_factory=dict)

    def paths(self, split: str) -> list[str]:
        """Return the files of a split; none where nothing was given."""
        if split not in self._paths:
            patterns = self.patterns.get(split)
            self._paths[split] = readers.expand(patterns) if patterns else []
        return self._paths[split]

    def has(self, split: str) -> bool:
        """Return whether there is such a split."""
        return bool(self.patterns.get(split))

    def class_names(self, column: str, split: str = "train") -> list[str] | None:
        """Return None: files say nothing of the order of labels."""
        return None

    def name(self, split: str) -> str:
        """Return what messages call a split."""
        return shown_paths(self.paths(split))

    def key(self, split: str) -> Any:
        """Return what a cache key must hold of a split."""
        content = readers.fingerprint(self.paths(split), self.cache_dir)
        return [content, self.encoding, self.documents_are, self.text_column]

    def rows(self, split: str) -> Iterator[Row]:
        """Return the rows of a split, each with its place."""
        for path in self.paths(split):
            yield from readers.read_rows(path, self.encoding, self._bad)

    def _bad(self, error: InputError) -> None:
        if self.on_bad_rows is None:  # of a datamodule without the option, or rows to predict: none goes unanswered
            raise error
        if self.on_bad_rows == "error":
            raise InputError(f"{error} {SKIPPABLE}") from error
        self.unreadable.append(str(error))

    def documents(self, split: str, skipped: Counter[str]) -> Iterator[str]:
        """Return the texts of a split."""
        for path in self.paths(split):
            yield from readers.read_documents(
                path, documents=self.documents_are, column=self.text_column, encoding=self.encoding, skipped=skipped
            )


@dataclass
class SplitFiles(Files):
    """Files that hold several splits, told apart by a column."""

    split_column: str = "split"
    _found: list[str] | None = None

    def has(self, split: str) -> bool:
        """Return whether there is such a split."""
        if self._found is None:
            self._found = sorted({split for split, _ in self._divided()})
        return split in self._found

    def name(self, split: str) -> str:
        """Return what messages call a split."""
        return f"{super().name('train')} ({self.split_column} {split})"

    def key(self, split: str) -> Any:
        """Return what a cache key must hold of a split."""
        return [*super().key("train"), self.split_column, split]

    def rows(self, split: str) -> Iterator[Row]:
        """Return the rows of a split, each with its place."""
        if split == "predict":
            yield from Files.rows(self, split)
            return
        yield from (row for found, row in self._divided() if found == split)

    def _divided(self) -> Iterator[tuple[str, Row]]:
        for row in Files.rows(self, "train"):
            try:
                split = self._split_of(*row)
            except InputError as error:
                self._bad(error)
                continue
            yield split, row

    def _split_of(self, where: str, row: dict[str, Any]) -> str:
        readers.require_columns(where, row, [self.split_column])
        value = str(row[self.split_column]).strip().lower()
        split = next((kind for kind, names in readers.SPLIT_NAMES.items() if value in names), None)
        if split is None:
            known = ", ".join(name for names in readers.SPLIT_NAMES.values() for name in names)
            raise InputError(
                f"{where}: the split {row[self.split_column]!r} in column {self.split_column!r} is none of: {known}."
            )
        return split


@dataclass
class Hub:
    """A data set of the Hugging Face Hub, or a local folder of the same shape."""

    dataset: str
    subset: str | None = None
    splits: dict[str, str | None] = field(default_factory=dict)
    text_column: str = "text"
    _loaded: Any = None

    def _split(self, split: str) -> Any:
        if self._loaded is None:
            self._loaded = readers.load_hub(self.dataset, self.subset)
        kind = "test" if split == "predict" else split
        name = readers.pick_split(self._loaded, self.splits.get(kind), kind)
        return None if name is None else self._loaded[name]

    def has(self, split: str) -> bool:
        """Return whether there is such a split."""
        return self._split(split) is not None

    def name(self, split: str) -> str:
        """Return what messages call a split."""
        return f"{self.dataset}{'/' + self.subset if self.subset else ''} ({split})"

    def hub_ids(self) -> list[str]:
        """Return its name."""
        return [self.dataset]

    def key(self, split: str) -> Any:
        """Return what a cache key must hold of a split."""
        known = getattr(self._split(split), "_fingerprint", None)
        return [self.dataset, self.subset, known, readers.content_of(self.dataset), self.text_column]

    def rows(self, split: str) -> Iterator[Row]:
        """Return rows; class labels become the names that the data set gives them; -1, its "no label", None."""
        data = self._split(split)
        readers.refuse_damaged(self.name(split), data)
        named = {column: names for column in data.features if (names := self.class_names(column, split))}
        for index, row in enumerate(data):
            where = f"{self.name(split)} row {index}"
            for column, names in named.items():
                value = row[column]
                many = isinstance(value, list)
                found = [class_name(where, column, names, i) for i in (value if many else [value])]
                row[column] = found if many else found[0]
            yield where, row

    def class_names(self, column: str, split: str = "train") -> list[str] | None:
        """Return the names, if any, of a column of class labels (or of lists of them) in the data set's order."""
        feature: Any = (getattr(self._split(split), "features", None) or {}).get(column)
        feature = getattr(feature, "feature", feature)
        return list(feature.names) if type(feature).__name__ == "ClassLabel" else None

    def documents(self, split: str, skipped: Counter[str]) -> Iterator[str]:
        """Return the texts of a split."""
        for where, row in self.rows(split):
            readers.require_columns(where, row, [self.text_column])
            text = row[self.text_column]
            if isinstance(text, str) and text.strip():
                yield text
            else:
                skipped["blank"] += 1


@dataclass
class InstalledDocs:
    """The documentation installed on this machine: real text with nothing to download."""

    subset: str
    cache_dir: str

    def has(self, split: str) -> bool:
        """Return whether there is such a split."""
        return split in (("train", "validation") if self.subset == "corpus" else ("train", "validation", "test"))

    def name(self, split: str) -> str:
        """Return what messages call a split."""
        return f"installed_docs/{self.subset} ({split})"

    def key(self, split: str) -> Any:
        """Return what a cache key must hold of a split."""
        return ["installed_docs", self.subset, split, readers.fingerprint_installed_docs()]

    def class_names(self, column: str, split: str = "train") -> list[str] | None:
        """Return None: nothing says in which order packages come."""
        return None

    def rows(self, split: str) -> Iterator[Row]:
        """Return the rows of a split, each with its place."""
        for index, row in enumerate(readers.read_installed_docs(self.subset, split, cache_dir=self.cache_dir)):
            yield f"{self.name(split)} row {index}", row

    def documents(self, split: str, skipped: Counter[str]) -> Iterator[str]:
        """Return the texts of a split."""
        for _, row in self.rows(split):
            yield row["text"]


@dataclass
class MixedSource:
    """A mixture of corpora to train on; the other splits come from one source."""

    parts: list[Files | Hub | InstalledDocs]
    rest: Files

    def class_names(self, column: str, split: str = "train") -> list[str] | None:
        """Return None: a corpus has none."""
        return None

    def has(self, split: str) -> bool:
        """Return whether there is such a split."""
        return split == "train" or self.rest.has(split)

    def name(self, split: str) -> str:
        """Return what messages call a split."""
        if split != "train":
            return self.rest.name(split)
        names, rest = [part.name(split) for part in self.parts[:MOST_NAMES]], len(self.parts) - MOST_NAMES
        return " + ".join([*names, f"{rest:,} more sources"] if rest > 0 else names)

    def hub_ids(self) -> list[str]:
        """Return those of its parts."""
        return [name for part in self.parts if isinstance(part, Hub) for name in part.hub_ids()]

    def key(self, split: str) -> Any:
        """Return what a cache key must hold of a split."""
        return [part.key(split) for part in self.parts] if split == "train" else self.rest.key(split)

    def rows(self, split: str) -> Iterator[Row]:
        """Return the rows of a split, each with its place."""
        for part in self.parts if split == "train" else [self.rest]:
            yield from part.rows(split)

    def documents(self, split: str, skipped: Counter[str]) -> Iterator[str]:
        """Return the texts of a split."""
        for part in self.parts if split == "train" else [self.rest]:
            yield from part.documents(split, skipped)


Source = Files | Hub | InstalledDocs | MixedSource


def make_source(
    files: dict[str, str | list[str] | None], dataset: str | None, subset: str | None, cache_dir: str, **reading: Any
) -> Source:
    """Return the source that a datamodule's options describe: either files or a data set by name."""
    with_files = [split for split, patterns in files.items() if patterns and split != "predict"]
    if dataset and with_files:
        raise InputError(f"data.dataset and data.{with_files[0]}_files exclude each other: leave one of them out.")
    column = reading.pop("split_column", None)
    if column and with_files != ["train"]:
        raise InputError(
            f"data.split_column ({column!r}) tells the splits within data.train_files apart: give those, and neither "
            "data.dataset nor files for the other splits."
        )
    if dataset == "installed_docs":
        if subset not in (None, "corpus", "packages"):
            raise InputError(f"data.subset is {subset!r}; installed_docs has: corpus, packages.")
        return InstalledDocs(subset or "corpus", cache_dir)
    if dataset:
        return Hub(dataset, subset, reading.get("splits") or {}, reading.get("text_column") or "text")
    reading.pop("splits", None)
    options = {name: value for name, value in reading.items() if value is not None}
    if column:
        return SplitFiles(files, split_column=column, cache_dir=cache_dir, **options)
    return Files(files, cache_dir=cache_dir, **options)
