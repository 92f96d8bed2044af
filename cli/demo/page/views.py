"""The views by name, as `page.json` has them."""

from __future__ import annotations

from .answers import AnswersView
from .chat import ChatView
from .choices import ChoicesView
from .entities import EntitiesView
from .labels import LabelsView
from .masks import MasksView
from .view import View
from .writing import WritingView

VIEWS: dict[str, type[View]] = {
    "labels": LabelsView,
    "entities": EntitiesView,
    "answers": AnswersView,
    "choices": ChoicesView,
    "masks": MasksView,
    "writing": WritingView,
    "chat": ChatView,
}
