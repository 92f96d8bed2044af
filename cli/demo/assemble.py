"""Models and their task become a page, or a folder that is one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ...errors import InputError
from .corrections import Corrections
from .examples import examples
from .load import Model
from .page.view import Fields, Prediction, Side, View
from .sources import arguments, name_of

if TYPE_CHECKING:
    from ..commands.demo import DemoOptions


def load(places: Sequence[str], seconds: Sequence[str], others: Sequence[str]) -> list[Model]:
    """Load the models.

    Args:
        places: a run or an export; none where a configuration says all.
        seconds: another one, which stands beside it.
        others: options of `predict`.

    Raises:
        InputError: if the two are of different tasks.
    """
    own = arguments(places[0], others) if places else list(others)
    beside = [(place, arguments(place)) for place in seconds]
    models = [Model(own, name_of(own, places[0] if places else None))]
    models += [Model(args, name_of(args, place)) for place, args in beside]
    views = [type(model.task) for model in models]
    if len(set(views)) > 1:
        first, second = (type(model.module).__name__ for model in models)
        raise InputError(f"{first} and {second} are asked different things: two models of one task stand side by side.")
    return models


def assemble(models: Sequence[Model], options: DemoOptions) -> tuple[Any, dict[str, Any]]:
    """Return the page and how it looks.

    Args:
        models: loaded.
        options: of the command.
    """
    from .page.build import build, look

    task = models[0].task
    file = Corrections(options.corrections)

    def correct(fields: Fields, prediction: Prediction, right: Any) -> str:
        return file.add(task.corrected(fields, prediction, right), list(task.row(fields)))

    shown, named = examples(task, options.examples) if options.examples else ([], "")
    sides = [Side(model.name, model.answer) for model in models]
    page = build(title_of(models), view_of(models[0]), sides, shown, named, correct)
    return page, look()


def title_of(models: Sequence[Model]) -> str:
    """Return the heading of the page."""
    return " and ".join(model.name for model in models)


def view_of(model: Model) -> View:
    """Return the view of a model's task."""
    from .page.views import VIEWS

    return VIEWS[model.task.view](**model.task.settings())


def save(models: Sequence[Model], options: DemoOptions) -> str:
    """Write the folder for a hosted space.

    Args:
        models: one.
        options: of the command.
    """
    from .saved.write import write_app

    if len(models) > 1:
        raise InputError("--save writes a page for one model: leave the second one out.")
    model = models[0]
    shown, named = examples(model.task, options.examples) if options.examples else ([], "")
    return write_app(str(options.save), model, title_of(models), shown, named)
