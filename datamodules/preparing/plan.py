"""How the input is divided into portions: a function of the inputs, so that nothing depends on who works on which."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from ...text.readers.dividing import divide
from ...text.readers.hub import load_hub, pick_split
from ...text.readers.parts import FilePart
from ..sources import Files, Hub
from .corpus import Corpus, Part


@dataclass(frozen=True)
class Unit:
    """What is read in one go.

    Args:
        source: its number among those of the split.
        path: of a file; None where the source is no file.
        start: the first byte, row group or row; with `stop` None, all is read.
        stop: the one after the last.
        head: bytes of the file's beginning that come first.
    """

    source: int
    path: str | None = None
    start: int = 0
    stop: int | None = None
    head: int = 0

    @property
    def file(self) -> str:
        """The path, of a part where one is meant."""
        assert self.path is not None
        return self.path if self.stop is None else FilePart(self.path, self.start, self.stop, self.head)


@dataclass(frozen=True)
class Portion:
    """What is worked on by itself, and leaves one shard in each split that its documents go to.

    Args:
        split: of the input.
        number: within the split.
        units: what is read, in order.
    """

    split: str
    number: int
    units: list[Unit] = field(default_factory=list)

    @property
    def name(self) -> str:
        """It is called so in the folder of the work."""
        return f"{self.split}-{self.number:05d}"


def make_plan(corpus: Corpus, size: int) -> list[Portion]:
    """Return the portions of a corpus.

    Args:
        corpus: what is read.
        size: bytes in a portion, about; files that cannot be divided are one, however large.

    Raises:
        InputError: if something cannot be read.
    """
    portions: list[Portion] = []
    for split, parts in corpus.sources.items():
        held, number = size, -1
        for unit, taken in _units(split, parts, size):
            if held + taken > size:
                number, held = number + 1, 0
                portions.append(Portion(split, number))
            portions[-1].units.append(unit)
            held += taken
    return portions


def _units(split: str, parts: list[Part], size: int) -> Iterator[tuple[Unit, int]]:
    """Yield what is read, in order, with about how many bytes it has (at least 1)."""
    for number, part in enumerate(parts):
        if isinstance(part, Files):
            for path in part.paths(split):
                for piece, taken in divide(path, size, part.documents_are, part.encoding):
                    where = (piece.start, piece.stop, piece.head) if isinstance(piece, FilePart) else ()
                    place = str(piece) if "://" in piece else os.path.abspath(piece)
                    yield Unit(number, place, *where), max(1, taken)
        elif isinstance(part, Hub):
            data: Any = rows_of(part, split)
            rows = len(data)
            count = max(1, -(-data.data.nbytes // size))
            for piece_number in range(count):
                begin, end = rows * piece_number // count, rows * (piece_number + 1) // count
                yield Unit(number, None, begin, end), size
        else:
            yield Unit(number), size


def rows_of(source: Hub, split: str) -> Any:
    """Return the rows of a split of a data set."""
    loaded = load_hub(source.dataset, source.subset)
    name = pick_split(loaded, source.splits.get(split), split)
    assert name is not None
    return loaded[name]


def plan_text(portions: list[Portion]) -> str:
    """Return the plan as it is written down."""
    return json.dumps([asdict(portion) for portion in portions], ensure_ascii=False)


def read_plan(text: str) -> list[Portion]:
    """Return the plan that `plan_text` wrote."""
    return [
        Portion(plain["split"], plain["number"], [Unit(**unit) for unit in plain["units"]])
        for plain in json.loads(text)
    ]
