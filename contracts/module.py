"""What is asked of a module."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from .answer_options import AnswerOptions
from .data import NOTHING, DataFacts
from .shown import ShownRow, plain_rows
from .stored import Stored


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

    stored: Stored | None = None
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
    fills_masks: bool = False
    """Whether what it predicts of a text are the words behind its mask tokens."""
    scoring: Literal["squad", "cmrc2018"] | None = None
    """Whose rules its answers are scored by; None: whose suit the language."""
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
    temperature: float = 1.0
    """That its logits are divided by for probabilities."""
    calibration: Any = None
    """How that was fitted, in words where it is printed; None where it was not."""
    resumed: dict[str, Any] | None = None
    """Where a run was resumed, and what changed."""
    predicts_untrained: bool = False
    """Whether predictions of a head that was never trained are wanted all the same."""
    card: Any = None
    """What the model card of its export says that no run can know: `modules.cards.options.CardOptions`."""
    why_untrained: str = ""
    """Why no checkpoint was found, a sentence before the others; the command line knows."""

    def check_class(self, entry: Stored) -> None:
        """Raise an `InputError` if a checkpoint's description is not of this class."""

    def networks(self) -> list[Any]:
        """Return everything that learns; empty where nobody knows."""
        return []

    def directions(self) -> dict[str, Literal["min", "max"]]:
        """Return, of what it logs, whether it should fall or rise."""
        return {}

    def calibrate_kept(self, in_vain: bool = False) -> float | None:
        """Fit how sure it may be, if that was asked for, now that its weights are those that are kept.

        Args:
            in_vain: whether nothing was learned.

        Returns:
            The temperature that its logits are divided by, or None where nothing was to be done.
        """
        return None

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

    # ------------------------------------------------------------------ by who shows data

    def sketch(self) -> None:
        """Find out, without a network, all that `shown` asks: tokenizer, labels, which tokens are special."""

    def shown(self, batch: Any, stage: str) -> list[ShownRow]:
        """Return what the next step would learn from a batch: one entry for each row, or document of a pack.

        Args:
            batch: on the CPU.
            stage: `train`, `val`, `test` or `predict`.
        """
        return plain_rows(batch, self.tokenizer)

    # ------------------------------------------------------------------ by who writes predictions

    streamer: Any = None
    """Gets the tokens of a text while `predict_step` writes it, as a streamer of transformers does; None: nobody."""

    answer_options: AnswerOptions = AnswerOptions()
    """What is asked of predictions."""

    def answered_by(self) -> tuple[str, ...]:
        """Return which of those options mean something here: `top_k`, `threshold`."""
        return ()

    def merge_predictions(
        self, parts: list[tuple[int, dict[str, Any]]], split: str = "predict"
    ) -> dict[int, dict[str, Any]]:
        """Return what is predicted for each input row, of which several rows of a batch may be made.

        Args:
            parts: the number of an input row and what was predicted for it or for a part of it; of each row all.
            split: which examples the numbers count.
        """
        return dict(parts)

    # ------------------------------------------------------------------ by who keeps the rows of a test

    def answered(self, batch: Mapping[str, Any], outputs: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return what `predict_step` would of a test batch, from what its step came to: one entry a row.

        Where the batch knows what is right, and the data's examples do not say it as outputs do, that is under `label`.

        Args:
            batch: on the device.
            outputs: of the step, by part.

        Returns:
            An entry for each row; none where rows have nothing to be told of one by one.
        """
        return []

    def official_prediction(self, number: int, row: dict[str, Any]) -> tuple[str, Any]:
        """Return a prediction in its benchmark's own form: a name and a value, of which `predictions.json` consists.

        Args:
            number: of the input row.
            row: what was predicted for it.
        """
        raise TypeError(f"{type(self).__name__} does not define `official_prediction`.")
