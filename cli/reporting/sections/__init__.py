"""The parts of a report, a file each; each gives a section, or None where the run has nothing for it."""

from __future__ import annotations

from collections.abc import Sequence

from ..run import Run
from ..section import Section
from ..tested import Tested
from .breakdown import breakdown
from .calibrated import calibrated
from .comparison import configurations, curves_together, scores_together
from .confused import confused
from .course import course
from .data import data
from .mistakes import mistakes
from .overview import overview
from .samples import samples
from .scores import scores
from .setting import setting
from .suspected import suspected
from .tokens import tokens


def of_one(run: Run) -> list[Section]:
    """Return the parts of the report of a run.

    Raises:
        InputError: if one of its files is damaged.
    """
    rows = list(run.tested())
    tested = Tested(rows) if rows else None
    sections = [overview(run), course(run), scores(run, tested)]
    if tested is not None:
        sections += [breakdown(tested), confused(run, tested), calibrated(tested), mistakes(tested), suspected(tested)]
    else:
        sections.append(confused(run, None))
    sections += [tokens(run), samples(run), data(run), setting(run)]
    return [section for section in sections if section is not None]


def side_by_side(runs: Sequence[Run]) -> list[Section]:
    """Return the parts of the report of several runs: scores, curves, and how their configurations differ."""
    sections = [scores_together(runs), curves_together(runs), configurations(runs)]
    return [section for section in sections if section is not None]
