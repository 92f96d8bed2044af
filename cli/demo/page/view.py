"""What a page has for a task: fields to fill in, what is shown of a prediction, and how it is set right."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

Fields = dict[str, Any]
"""What was filled in, by name."""
Prediction = dict[str, Any]
"""What `predict` writes of a row."""


@dataclass(frozen=True)
class Side:
    """A model that answers.

    Args:
        name: stands above its answers.
        answer: yields what is predicted; where a text is written, it yields what is there so far, and at last all.
    """

    name: str
    answer: Callable[[Fields], Iterator[Prediction]]


class View(ABC):
    """The base of the views.

    Args:
        **settings: plain data, such as the names of labels; a saved page keeps them in `page.json`.
    """

    button = "Predict"
    """What starts a prediction."""
    remembers = False
    """Whether what is shown is a part of the next question, as in a conversation."""

    def __init__(self, **settings: Any) -> None:
        self.settings = settings
        self.labels: list[str] = settings.get("labels") or []

    @abstractmethod
    def inputs(self) -> list[Any]:
        """Return the components to fill in; made where the page stands."""

    @abstractmethod
    def outputs(self) -> list[Any]:
        """Return the components for one model's answer; made where the page stands."""

    @abstractmethod
    def ask(self, values: Sequence[Any], shown: Sequence[Any]) -> Fields:
        """Return the fields.

        Args:
            values: of the inputs.
            shown: of the outputs, where they are remembered.
        """

    @abstractmethod
    def values(self, fields: Fields) -> list[Any]:
        """Return the values of the inputs for an example."""

    @abstractmethod
    def show(self, fields: Fields, prediction: Prediction, shown: Sequence[Any]) -> list[Any]:
        """Return the values of the outputs.

        Args:
            fields: that were asked.
            prediction: the answer.
            shown: the outputs' values before, where they are remembered.
        """

    @abstractmethod
    def correction(self) -> Any:
        """Return the component in which one says what would have been right."""

    def proposal(self, fields: Fields, prediction: Prediction) -> Any:
        """Return the value that this component begins with: what was predicted, to be changed."""
        return prediction["prediction"]
