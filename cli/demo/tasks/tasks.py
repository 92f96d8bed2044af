"""Which task a module is shown as."""

from __future__ import annotations

from typing import Any

from ....contracts import DataFacts, data_facts, is_defined
from ....errors import InputError
from ....modules import (
    CausalLanguageModeling,
    InstructionTuning,
    MaskedLanguageModeling,
    MultipleChoice,
    QuestionAnswering,
    SequenceToSequence,
    TextClassification,
    TokenClassification,
)
from ....modules.refusals import refuse_predicting
from .answers import Answers
from .choices import Choices
from .entities import Entities
from .labels import Labels
from .task import Task
from .texts import Beginnings, Masks
from .writing import Instructions, Sources

TASKS: tuple[tuple[type[Any], type[Task]], ...] = (
    (TextClassification, Labels),
    (TokenClassification, Entities),
    (QuestionAnswering, Answers),
    (MultipleChoice, Choices),
    (InstructionTuning, Instructions),
    (SequenceToSequence, Sources),
    (MaskedLanguageModeling, Masks),
    (CausalLanguageModeling, Beginnings),
)


def task_of(module: Any, data: Any) -> Task:
    """Return how a module is shown.

    Args:
        module: made, not loaded.
        data: its datamodule.

    Raises:
        InputError: if there is nothing to show.
    """
    refuse_predicting(module)
    task = next((task for kind, task in TASKS if isinstance(module, kind)), None)
    if task is None:
        known = ", ".join(kind.__name__ for kind, _ in TASKS)
        raise InputError(f"{type(module).__name__} is none of those that the page can show: {known}.")
    if not is_defined(data_facts(data), DataFacts.take_rows):
        raise InputError(f"{type(data).__name__} cannot take the rows that are typed on a page (`take_rows`).")
    return task(module, data)
