"""What is asked of a datamodule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from .survey import Survey

if TYPE_CHECKING:
    from .module import ModuleFacts

DataKind = Literal["text", "sentence pairs", "labels"]
"""What rows of data are: running text, pairs of sentences for their own objectives, or text with labels."""

NOTHING: Mapping[str, Any] = MappingProxyType({})


class DataFacts:
    """What is asked of a datamodule."""

    # ------------------------------------------------------------------ by modules

    tokenizer: Any = None
    """The tokenizer of its texts; a module takes it for its own."""
    holds: DataKind = "text"
    """What its rows are."""
    longest: int | None = None
    """The most tokens of an input."""
    longest_target: int | None = None
    """The most tokens of a text that is to be written."""
    length_option: str | None = None
    """The name of its option for the length of inputs."""
    labels: list[str] | None = None
    """Label names in the order of their indices; known after `setup`."""
    label_counts: Sequence[int] = ()
    """Training rows of each label; known after `setup('fit')`."""
    problem: Literal["single", "multi", "regression"] | None = None
    """Whether rows have one label, several, or a number."""
    tagging: bool | None = None
    """Whether labels of tokens name words, and not spans of them."""
    unanswerable: bool = False
    """Whether some questions have no answer in their text."""
    counts: Mapping[str, Mapping[str, int]] = NOTHING
    """Of each split of running text its `tokens`, `words`, `bytes` and `unknown` tokens."""
    source: Any = None
    """Where it reads: `has(split)`, `name(split)` and `hub_ids()`."""
    around_source: tuple[str, str] = ("", "")
    """What it puts before and after a source text that is to be turned into another."""

    passes: int | None = None
    """How often training goes over them, where their options settle that."""

    def rate_at(self, batch: int) -> float:
        """Return the factor on the learning rate in a batch of the training."""
        return 1.0

    def own_tokenizer(self) -> Any:
        """Return the tokenizer that comes with them, before they are set up; None where none does."""
        return None

    def occurrences(self, split: str) -> dict[str, int]:
        """Return how many rows of a split have each label; empty where there are no labels."""
        return {}

    def label_facts(self, split: str, most: int) -> dict[str, tuple[int, list[str]]]:
        """Return of each label how often a split has it, and some of its texts; empty where there are no labels.

        Args:
            split: which.
            most: texts of each label.
        """
        return {}

    def examples(self, split: str) -> Any:
        """Return the examples of a split by number, with the texts that a score or a prediction compares."""
        raise TypeError(f"{type(self).__name__} does not define `examples`.")

    def windows(self, split: str) -> Sequence[int]:
        """Return of each example of a split how many rows of batches it gives; empty where nobody knows."""
        return ()

    def references(self, split: str, numbers: Sequence[int]) -> list[str] | None:
        """Return the texts that were to be written, of examples by number; None where nobody knows them."""
        return None

    def are_same(self, split: str, other: str) -> bool:
        """Return whether two splits are known to hold the same rows; known after `setup`."""
        return False

    def find_sources(self) -> None:
        """Raise an `InputError` if something that will be read is not there."""

    # ------------------------------------------------------------------ by who shows data

    def survey(self, split: str) -> Survey | None:
        """Return what is known of all rows of a split that is set up; None where nobody looks."""
        return None

    def about(self, split: str, indices: Sequence[int]) -> list[dict[str, str]]:
        """Return what is known of each row of a batch, such as where it is `from`; empty where nothing is.

        Args:
            split: that the batch is of.
            indices: of the batch in the split's dataset, as its plan has them.
        """
        return []

    # ------------------------------------------------------------------ by callbacks that read data of their own

    def use_tokenizer(self, tokenizer: Any) -> None:
        """Take a tokenizer that was loaded elsewhere."""

    def take_share(self, rank: int, of: int) -> None:
        """Take the part of the data that is of process `rank` of so many."""

    def serve(self, module: ModuleFacts) -> None:
        """Take over what is asked of a trainer's module from one that no trainer runs, in one process."""

    # ------------------------------------------------------------------ by who writes predictions

    predict_texts: Sequence[Any] | None = None
    """What is to be predicted where it stands in the options and in no file."""
    predict_rows: Sequence[dict[str, Any]] = ()
    """The rows to predict, with all their columns; known after `setup('predict')`."""
    predict_key: str = ""
    """Names what is to be predicted, by content; known after `setup('predict')`. Empty: like nothing else."""
    predict_from: int = 0
    """The first row to predict: those before it are done."""
    predict_plan: Any = None
    """The batches of the prediction, which `steps()` names; known once its loader is made."""

    def predicted(self, done: int) -> None:
        """Take note that so many rows are done, and will not be asked for any more."""

    def take_rows(self, rows: Sequence[dict[str, Any]]) -> None:
        """Take rows to predict, with all their columns, in place of those that the options name.

        Before `setup('predict')` they are kept for it; after it they are at hand at once.

        Args:
            rows: one at least.

        Raises:
            InputError: if a row cannot be used.
        """
        raise TypeError(f"{type(self).__name__} does not define `take_rows`.")

    def judged(self, row: dict[str, Any], predicted: dict[str, Any]) -> dict[str, Any]:
        """Return what to write of a prediction beside it, such as whether it is right.

        Args:
            row: the input row.
            predicted: what was predicted for it.
        """
        return {}

    def judgments(self, columns: Sequence[str], predicted: dict[str, Any]) -> list[str]:
        """Return the names that `judged` may use; a table must know them before its first row.

        Args:
            columns: of all input rows.
            predicted: what was predicted for one of them.
        """
        return []
