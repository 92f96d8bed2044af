"""When a run is said to overfit, what the warning says, and that it is said once."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from pretune.cli.callbacks import EarlyStopping, LastCheckpoint, OverfittingWarnings
from pretune.errors import InputError

FALLING = [2.0 - 0.05 * step for step in range(40)]
RISING = [1.0 + 0.05 * step for step in range(40)]


@pytest.fixture
def said(scripted: Any, fit: Any) -> Any:
    """The warnings of a scripted run."""

    def run(
        *script: Any, callbacks: Sequence[Any] = (), validations: int = 3, recipe: str | None = None, **how: Any
    ) -> list[str]:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            with suppress(RuntimeError):  # broken off
                fit(scripted(*script), OverfittingWarnings(validations, recipe), *callbacks, **how)
        return [str(w.message) for w in caught if "what may help" in str(w.message)]

    return run


def test_validation_rises_while_training_falls(said: Any) -> None:
    """Said once, with the numbers and the steps, and with what would work."""
    messages = said(FALLING, [1.5, 1.2, 1.25, 1.5, 1.75, 1.8, 1.9])
    assert len(messages) == 1
    # Validations are at steps 4, 8, 12, ...; training losses are means of the four steps before.
    assert (
        "the validation loss rose from 1.2000 (step 8) to 1.7500 (step 20) over 3 validations in a row, while the "
        "training loss fell from 1.7250 to 1.1250." in messages[0]
    )
    for cure in ("early_stopping", "model.backbone.dropout", "recipe: few_labels", "max_epochs", "more data"):
        assert cure in messages[0]


def test_the_recipe_in_use_is_not_recommended(said: Any) -> None:
    script = (FALLING, [1.5, 1.2, 1.25, 1.5, 1.75, 1.8, 1.9])
    assert "recipe" not in said(*script, recipe="few_labels")[0]
    assert "recipe: few_labels" in said(*script, recipe="gentle")[0]


@pytest.mark.parametrize(
    ("train", "validation"),
    [
        (FALLING, [1.5, 1.2, 1.3, 1.4, 1.3, 1.4, 1.5, 1.4]),  # never three times in a row
        (RISING, [1.5, 1.6, 1.7, 1.8, 1.9, 2.0]),  # training rises as well: no overfitting, but a rate that is too high
        (FALLING, [1.5, 1.4, 1.3, 1.2, 1.1, 1.0]),
        (FALLING, [1.5, 1.5, 1.5, 1.5, 1.5, 1.5]),
    ],
)
def test_nothing_to_say(said: Any, train: list[float], validation: list[float]) -> None:
    assert said(train, validation) == []


def test_how_often_in_a_row(said: Any) -> None:
    losses = [1.5, 1.2, 1.3, 1.4, 1.3]
    assert said(FALLING, losses) == []
    assert len(said(FALLING, losses, validations=2)) == 1
    with pytest.raises(InputError, match="at least 1"):
        OverfittingWarnings(validations=0)


def test_the_monitored_metric_is_told(said: Any) -> None:
    """A loss may rise while accuracy does not fall: then the model is too sure of itself, not worse."""
    (message,) = said(FALLING, [1.2, 1.3, 1.4, 1.5], [0.5, 0.6, 0.7, 0.8])
    assert "val/accuracy went from 0.5000 to 0.8000" in message


def test_early_stopping_is_told(said: Any) -> None:
    stopping = EarlyStopping(monitor="val/loss", mode="min", patience=9)
    (message,) = said(FALLING, [1.2, 1.3, 1.4, 1.5], callbacks=[stopping])
    assert "Early stopping keeps the best weights" in message


def test_everything_right_in_training(said: Any) -> None:
    """Once, although it is so in two epochs."""
    (message,) = said(FALLING, [1.0, 0.9, 0.8], [0.5, 0.75, 0.8], [0.9, 1.0, 1.0])
    assert "training accuracy of epoch 1 (steps 5 to 8) is 100%, that of validation 75.0%" in message
    assert "more data" in message


@pytest.mark.parametrize(
    ("accuracy", "train_accuracy"),
    [
        ([0.5, 1.0], [0.9, 1.0]),  # an easy task
        ([0.5, 0.6], [0.9, 0.999]),
        ([], [1.0, 1.0]),  # nothing to compare with
    ],
)
def test_nothing_to_say_of_accuracy(said: Any, accuracy: list[float], train_accuracy: list[float]) -> None:
    assert said(FALLING, [1.0, 0.9], accuracy, train_accuracy) == []


def test_a_part_of_an_epoch_proves_nothing(said: Any, breaks: Any) -> None:
    """Neither the one that training ended in, nor the rest of one that it was resumed in."""
    script = (FALLING, [1.0, 0.9, 0.8], [0.5, 0.6, 0.7], [0.9, 1.0, 0.9])
    assert said(*script, max_steps=6) == []
    last = LastCheckpoint("checkpoints", every_n_steps=1)
    assert said(*script, callbacks=[breaks(7), last]) == []
    assert said(*script, callbacks=[LastCheckpoint("checkpoints")], resume="checkpoints/last.ckpt") == []
    assert len(said(*script)) == 1


def test_a_resumed_run_knows_what_came_before(said: Any, breaks: Any) -> None:
    """The rise is counted over the interruption; and what was said is not said again."""
    losses = [1.2, 1.3, 1.4, 1.5, 1.6, 1.7]
    last = LastCheckpoint("checkpoints", every_n_steps=1)
    assert said(FALLING, losses, callbacks=[breaks(15), last]) == []
    (message,) = said(FALLING, losses, callbacks=[breaks(18), last], resume="checkpoints/last.ckpt")
    assert "from 1.2000 (step 4) to 1.5000 (step 16)" in message
    assert "fell from 1.9250 to 1.3250" in message  # the mean over the interruption too
    assert said(FALLING, losses, resume=str(Path("checkpoints/last.ckpt"))) == []
