"""The options of a selection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

from ...checkpoints import locate
from ...errors import InputError, check_range, refuse_nulls
from .. import readers

Method = Literal["importance", "diversity", "random"]
Centers = Literal["kmeans", "k_center"]
METHODS, CENTERS = get_args(Method), get_args(Centers)


@dataclass
class Selection:
    """Which training documents are kept, of what cleaning leaves; what is held out, and other splits, stay whole.

    Args:
        method: `importance` keeps documents like those of a target (DSIR, arXiv 2302.03169: hashed uni- and bigrams;
            drawn without replacement by importance), `diversity` as many of each cluster as there are, `random` any.
            Needs `keep`. null keeps all.
        keep: share of the documents of each corpus (0.1; 1 is all), or how many (5000). Copies of a document stay or go
            together.
        target: of `importance`: paths, globs or URLs of texts to be like, in any format that is read. Of tables all
            texts count, unless `target_columns` says which.
        against: the same, of test sets: documents that share `ngram` words with one are dropped, whatever `method` is.
        target_columns: of the tables of `target`, where not all texts in them count.
        against_columns: of those of `against`.
        ngram: words in a run that no document may share; characters, where words are not divided by spaces. Neither
            case nor signs between words matter, and texts of test sets with fewer words are not looked for.
        buckets: that words, and for `importance` pairs of words, are hashed into.
        clusters: of `diversity`: as many, at most.
        centers: of the clusters: `kmeans`, or `k_center`, documents that are far from each other, so that rare kinds
            have clusters of their own. Both are found on a sample of the documents.
        backbone: of `diversity`: a name or a folder of a model whose mean output says what a document is about; null
            takes its words, weighted by how rare they are (latent semantic analysis), which needs no model.
        seed: of the draw.
    """

    method: Method | None = None
    keep: float | None = None
    target: str | list[str] | None = None
    against: str | list[str] | None = None
    target_columns: list[str] | None = None
    against_columns: list[str] | None = None
    ngram: int = 13
    buckets: int = 10_000
    clusters: int = 64
    centers: Centers = "kmeans"
    backbone: str | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        refuse_nulls(self, "data.selection")
        self._check_keep()
        self._check_method()
        if self.centers not in CENTERS:
            raise InputError(f"data.selection.centers is {self.centers!r}; there are: {', '.join(CENTERS)}.")
        check_range("data.selection.ngram", self.ngram, least=1)
        check_range("data.selection.buckets", self.buckets, least=2, most=1 << 24)
        check_range("data.selection.clusters", self.clusters, least=2, most=4096)

    def count(self, documents: int, name: str) -> int:
        """Return how many documents are kept; at least one.

        Args:
            documents: there are so many.
            name: of the corpus, for the message.

        Raises:
            InputError: if there are fewer than are to be kept.
        """
        assert self.keep is not None
        if self.keep <= 1:
            return max(1, round(self.keep * documents))
        if self.keep > documents:
            raise InputError(
                f"data.selection.keep is {self.keep:,.0f}, but {name} has only {documents:,} training documents to "
                "select from: lower it; a share, such as 0.1, would also work."
            )
        return int(self.keep)

    def target_files(self) -> list[str]:
        """Return the files of the target.

        Raises:
            InputError: if there are none.
        """
        return readers.expand(self.target) if self.target else []

    def test_files(self) -> list[str]:
        """Return the files of the test sets.

        Raises:
            InputError: if there are none.
        """
        return readers.expand(self.against) if self.against else []

    def find_files(self) -> None:
        """Look for the files and the backbone, before anything is read.

        Raises:
            InputError: if one is not there.
        """
        self.target_files()
        self.test_files()
        if self.backbone is not None:
            locate(self.backbone)

    def key(self, cache_dir: str | None = None) -> dict[str, Any]:
        """Return what a cache key must hold: what has an effect, with the content of files."""
        key: dict[str, Any] = {"seed": self.seed}
        if self.method:
            key |= {"method": self.method, "keep": self.keep}
        if self.method == "importance":
            key |= {
                "target": [readers.fingerprint(self.target_files(), cache_dir), self.target_columns],
                "buckets": self.buckets,
            }
        if self.method == "diversity":
            model = None if self.backbone is None else [self.backbone, readers.content_of(self.backbone)]
            key |= {"clusters": self.clusters, "centers": self.centers, "backbone": model, "buckets": self.buckets}
        if self.against:
            key |= {
                "against": [readers.fingerprint(self.test_files(), cache_dir), self.against_columns],
                "ngram": self.ngram,
            }
        return key

    def _check_keep(self) -> None:
        if self.method is None and self.keep is not None:
            raise InputError(
                f"data.selection.keep is {self.keep:g}, and no data.selection.method says which: set it to one of "
                f"{', '.join(METHODS)}."
            )
        if self.method is not None and self.keep is None:
            raise InputError(
                f"data.selection.method is {self.method}, and data.selection.keep is missing: a share of the documents "
                "(0.1) or their number (5000)."
            )
        check_range("data.selection.keep", self.keep, above=0)
        if self.keep is not None and self.keep > 1 and self.keep != int(self.keep):
            raise InputError(
                f"data.selection.keep is {self.keep:g}; it must be a share of the documents, above 0 and at most 1, or "
                "their number, a whole one."
            )

    def _check_method(self) -> None:
        if self.method is not None and self.method not in METHODS:
            raise InputError(f"data.selection.method is {self.method!r}; there are: {', '.join(METHODS)}.")
        if self.method is None and not self.against:
            raise InputError(
                f"data.selection says neither what to keep (data.selection.method: {', '.join(METHODS)}) nor what to "
                "drop (data.selection.against, test sets): set one of them, or leave data.selection out."
            )
        if self.method == "importance" and not self.target:
            raise InputError(
                "data.selection.method is importance, and data.selection.target is missing: files of texts to be like."
            )
        needs = {"target": "importance", "target_columns": "importance", "backbone": "diversity"}
        for name, method in needs.items():
            if getattr(self, name) is not None and self.method != method:
                raise InputError(
                    f"data.selection.{name} has no effect without data.selection.method: {method}: leave it out."
                )
        if self.against_columns is not None and not self.against:
            raise InputError("data.selection.against_columns has no effect without data.selection.against.")
