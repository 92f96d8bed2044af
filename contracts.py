"""What modules, data and the command line ask of each other, in one place: facts about either, and keys of batches.

Modules and datamodules never import each other. What one of them asks of the other is an attribute or a method of
`DataFacts`, `ModuleFacts` or `LoaderFacts`, each with a default, which is the answer of whoever does not say. The bases
of this suite inherit from them; `data_facts`, `module_facts` and `loader_facts` let anything else be asked the same.
Attributes are plain, so that a subclass may make one a property, or set it. The file is long, as there is no second
place for any of this.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

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
    """Where it reads: `has(split)` and `name(split)`."""

    def occurrences(self, split: str) -> dict[str, int]:
        """Return how many rows of a split have each label; empty where there are no labels."""
        return {}

    def examples(self, split: str) -> Any:
        """Return the examples of a split by number, with the texts that a score or a prediction compares."""
        raise TypeError(f"{type(self).__name__} does not define `examples`.")

    def references(self, split: str, numbers: Sequence[int]) -> list[str] | None:
        """Return the texts that were to be written, of examples by number; None where nobody knows them."""
        return None

    def find_sources(self) -> None:
        """Raise an `InputError` if something that will be read is not there."""

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

    def judged(self, row: dict[str, Any], made: dict[str, Any]) -> dict[str, Any]:
        """Return what to write of a prediction beside it, such as whether it is right.

        Args:
            row: the input row.
            made: what was predicted for it.
        """
        return {}

    def judgments(self, columns: Sequence[str], made: dict[str, Any]) -> list[str]:
        """Return the names that `judged` may use; a table must know them before its first row.

        Args:
            columns: of all input rows.
            made: what was predicted for one of them.
        """
        return []


@dataclass(frozen=True)
class RowWork:
    """What a step computes for one row of data, for an estimate of its cost.

    Args:
        source: tokens that the network reads, after corruption.
        target: tokens that a decoder beside an encoder reads; 0 where there is none, or where it reads the source.
        predicted: places at which the vocabulary is predicted; where they are drawn, their mean.
        inputs: inputs of the network that the row becomes, such as the endings of a question.
        padded: whether rows are padded, so that attention gets a mask.
    """

    source: int
    target: int = 0
    predicted: float = 0.0
    inputs: int = 1
    padded: bool = True


class ModuleFacts:
    """What is asked of a module."""

    # ------------------------------------------------------------------ by data

    stored: dict[str, Any] | None = None
    """What the checkpoint that it comes from says about itself."""
    backbone: Any = None
    """What its network is built from; it may have a tokenizer."""
    tokenizer: Any = None
    """The tokenizer of the texts that it reads, once that is found."""
    labels: list[str] | None = None
    """The label names in the order of its outputs."""
    problem: Literal["single", "multi", "regression"] | None = None
    """Whether rows have one label, several, or a number."""
    frames_text: bool = True
    """Whether a text is to be put between the tokenizer's special tokens."""
    needs_word_ids: bool = False
    """Whether batches must tell words apart."""
    one_row: bool = False
    """Whether source and target stand in one row, as a decoder reads them."""

    def check_data(self, data: Any) -> None:
        """Raise an `InputError` if a datamodule's tokenizer or lengths will not do."""

    def input_limit(self) -> int | None:
        """Return the longest input in tokens that it takes, or None when nothing bounds it."""
        return None

    def known_labels(self, fitting: bool) -> list[str] | None:
        """Return the label names that do not come from the data, if there are any.

        Args:
            fitting: whether a head is about to be trained, which may have other labels than the backbone's.
        """
        return None

    def asked_problem(self) -> Literal["single", "multi", "regression"] | None:
        """Return the kind of problem that does not come from the data, if one is fixed."""
        return None

    # ------------------------------------------------------------------ by callbacks and the command line

    learning_rate: Any = None
    """The highest learning rate."""
    monitor: str | None = None
    """The metric that early stopping and the best checkpoint go by."""
    mode: Literal["min", "max"] | None = None
    """Whether that should fall or rise."""
    perplexity_of: str | None = None
    """The part of which a vocabulary is predicted."""
    r_drop: float = 0.0
    """The weight of the disagreement of two passes; 0 where a step is one pass."""
    validation_cost: float = 1 / 3
    """Of a batch in validation, in batches of training: a forward pass without a backward pass."""
    scores_all_before_training: bool = False
    """Whether the validation before training measures everything that those in training do."""
    last_loss: Any = None
    """The loss of the step just taken, over all processes: a scalar on its device."""
    target_counts: Mapping[str, Any] = NOTHING
    """Of each part the targets of the latest training batch; scalars on the device."""
    guard: Any = None
    """What looks out for losses that are no numbers, or jump."""
    resumed: dict[str, Any] | None = None
    """Where a run was resumed, and what changed."""
    predicts_untrained: bool = False
    """Whether predictions of a head that was never trained are wanted all the same."""
    why_untrained: str = ""
    """Why no checkpoint was found, a sentence before the others; the command line knows."""

    def check_class(self, entry: dict[str, Any]) -> None:
        """Raise an `InputError` if a checkpoint's description is not of this class."""

    def networks(self) -> list[Any]:
        """Return everything that learns; empty where nobody knows."""
        return []

    def directions(self) -> dict[str, Literal["min", "max"]]:
        """Return, of what it logs, whether it should fall or rise."""
        return {}

    def details(self) -> dict[str, Any]:
        """Return what a report says of a test beside its scores; plain data."""
        return {}

    def guess(self) -> dict[str, float]:
        """Return what a guess would score in validation, by name (`accuracy`); empty where nobody knows."""
        return {}

    def is_untrained(self) -> bool:
        """Return whether the network, or its head, is new: neither trained, nor loaded with trained weights."""
        return False

    # ------------------------------------------------------------------ by who estimates costs

    def row_work(self, length: int, data: DataFacts, config: Any) -> RowWork:
        """Return what a step computes for a row of data, as far as options tell.

        As it is here, the network reads the row as it comes, and predicts the vocabulary everywhere or nowhere.

        Args:
            length: tokens of the row, as the data give it.
            data: where it comes from; not set up.
            config: the configuration of the backbone.
        """
        return RowWork(length, predicted=0.0 if self.perplexity_of is None else length)

    def blank_networks(self, network: Any, options: Mapping[str, Any]) -> list[Any]:
        """Return all that a step runs, given the backbone without weights; what is exported comes first.

        Args:
            network: with its head and its adapters; what will not learn may be frozen here.
            options: for whatever else is made `from_config`, such as its dtype.
        """
        return [network]

    # ------------------------------------------------------------------ by who writes predictions

    def merge_predictions(self, parts: list[tuple[int, dict[str, Any]]]) -> dict[int, dict[str, Any]]:
        """Return what is predicted for each input row, of which several rows of a batch may be made.

        Args:
            parts: the number of an input row and what was predicted for it or for a part of it; of each row all.
        """
        return dict(parts)

    def official_prediction(self, number: int, row: dict[str, Any]) -> tuple[str, Any]:
        """Return a prediction in its benchmark's own form: a name and a value, of which `predictions.json` consists.

        Args:
            number: of the input row.
            row: what was predicted for it.
        """
        raise TypeError(f"{type(self).__name__} does not define `official_prediction`.")


class LoaderFacts:
    """What is asked of a loader of training batches."""

    plan: Any = None
    """Which batches there are, and what they are made of."""
    resumed_at: int | None = None
    """Where a checkpoint of other batches left off, in batches of an epoch as it is cut now."""


class _Foreign:
    """Somebody else's object, asked for facts: what it has is its answer, the rest are the defaults."""

    def __init__(self, thing: Any) -> None:
        object.__setattr__(self, "_thing", thing)

    def __getattribute__(self, name: str) -> Any:
        if name.startswith("_"):
            return object.__getattribute__(self, name)
        try:
            return getattr(self._thing, name)
        except AttributeError:
            return object.__getattribute__(self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if hasattr(self._thing, name):
            setattr(self._thing, name, value)


class _ForeignData(_Foreign, DataFacts):
    pass


class _ForeignModule(_Foreign, ModuleFacts):
    pass


class _ForeignLoader(_Foreign, LoaderFacts):
    pass


def files_of(facts: DataFacts, split: str) -> str | None:
    """What a split is read from, in words; None of data that do not say."""
    has = getattr(facts.source, "has", None)  # a foreign `source` may be anything
    return str(facts.source.name(split)) if callable(has) and has(split) else None


def data_facts(data: Any) -> DataFacts:
    """Return what a datamodule says, with defaults where it is another's or None.

    Args:
        data: any object; attributes and methods of the names in `DataFacts` are understood.
    """
    return data if isinstance(data, DataFacts) else _ForeignData(data)


def module_facts(module: Any) -> ModuleFacts:
    """Return what a module says, with defaults where it is another's or None.

    Args:
        module: any object; attributes and methods of the names in `ModuleFacts` are understood.
    """
    return module if isinstance(module, ModuleFacts) else _ForeignModule(module)


def loader_facts(loader: Any) -> LoaderFacts:
    """Return what a loader says, with defaults where it is another's or None.

    Args:
        loader: any object; attributes of the names in `LoaderFacts` are understood.
    """
    return loader if isinstance(loader, LoaderFacts) else _ForeignLoader(loader)


def is_defined(facts: DataFacts | ModuleFacts, default: Callable[..., Any]) -> bool:
    """Return whether a method of facts is more than its default.

    Args:
        facts: of data or of a module.
        default: the method as `DataFacts` or `ModuleFacts` has it.
    """
    return getattr(getattr(facts, default.__name__), "__func__", None) is not default


def set_length(data: Any) -> int | None:
    """Return what the option of a datamodule for the length of inputs is set to; None where it has none.

    Args:
        data: a datamodule, or None.
    """
    option = data_facts(data).length_option
    length: int | None = None if option is None else getattr(data, option, None)
    return length


# ------------------------------------------------------------------ what is known of a batch before it is moved

FULL = "full"
"""Whether nothing in the batch is padding: then no mask is needed, and attention has faster ways without one."""
LONGEST = "longest"
"""Tokens of the longest row, or of the longest document in a packed batch."""
TOKENS = "tokens"
"""Of rows of which some are padded, and none is empty: how many tokens they hold."""
CAPACITY = "capacity"
"""The most places that a batch of these data has, where they come in one shape: blocks, and packs but for their end."""
TARGETS = "targets"
"""How many places of a batch have a label."""
HINTS = {FULL, LONGEST, TOKENS, CAPACITY, TARGETS}


def with_hints(batch: Any) -> Any:
    """A batch of tensors with plain facts beside them, if it is of the kind that the datamodules give.

    Args:
        batch: before it is moved; what holds no `attention_mask` or `cu_seq_lens` comes back as it is.
    """
    if not isinstance(batch, dict):
        return batch
    mask, bounds, labels = batch.get("attention_mask"), batch.get("cu_seq_lens"), batch.get("labels")
    hints: dict[str, Any] = {}
    if mask is not None and mask.ndim >= 2 and not mask.is_cuda:
        if (there := batch.get("choice_mask")) is not None:  # of endings, of which the network is given these alone
            mask = mask[there.bool()]
        lengths, full = mask.bool().sum(-1), bool(mask.all())
        if mask.ndim == 2 and there is None:
            hints[FULL] = full
        if not full and bool(lengths.all()):
            hints |= {TOKENS: int(lengths.sum()), LONGEST: int(lengths.max())}
    if bounds is not None and not bounds.is_cuda:
        hints[LONGEST] = int(bounds.diff().max())
    if labels is not None and labels.ndim == 2 and not labels.is_cuda and not labels.is_floating_point():
        hints[TARGETS] = int((labels >= 0).sum())  # those without one have a negative number
    return {**batch, **hints}


def without_hints(batch: dict[str, Any]) -> dict[str, Any]:
    """A batch without them: for whoever changes its rows, mask or labels after it was moved.

    Args:
        batch: with hints or without.
    """
    return {key: value for key, value in batch.items() if key not in HINTS}


def known_targets(batch: dict[str, Any]) -> int | None:
    """How many places of a batch have a label, if that was counted before it went to the device."""
    found: int | None = batch.get(TARGETS)
    return found
