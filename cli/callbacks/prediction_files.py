"""Files that grow stretch by stretch, have another name until they are whole, and go on where they were cut off."""

from __future__ import annotations

import csv
import io
import json
import os
import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from ...errors import InputError
from ...storage.disk import naming
from ...text.visible import to_cell

PART = ".part"
"""At the end of the name of an unfinished file."""
ODD = re.compile("[\x7f-\x9f\u2028\u2029\ud800-\udfff]")
"""What JSON may hold as it is, and a terminal, an encoder or a reader of lines may not."""


class GrowingFile:
    """A text file under another name until it is finished.

    Args:
        path: its name in the end.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.part = path, path.with_name(path.name + PART)
        self.size = 0
        """Bytes so far."""
        self._file: IO[bytes] | None = None

    def open(self, size: int = 0) -> None:
        """Go on after so many bytes; what is behind them is lost."""
        with naming(self.path):
            self._file = self.part.open("r+b" if size else "wb")
            self._file.truncate(size)
            self._file.seek(size)
        self.size = size

    def write(self, text: str) -> None:
        """Appends."""
        assert self._file is not None
        with naming(self.path):
            self.size += self._file.write(text.encode())

    def flush(self) -> int:
        """Bring all onto the disk, and return the number of bytes."""
        assert self._file is not None
        with naming(self.path):
            self._file.flush()
            os.fsync(self._file.fileno())
        return self.size

    def finish(self) -> None:
        """Give the file its name."""
        self.flush()
        self.close()
        self.part.replace(self.path)

    def close(self) -> None:
        """Leave it unfinished; what is not on the disk yet, and finds no room, is lost."""
        file, self._file = self._file, None
        if file is not None:
            with suppress(OSError):
                file.close()


def to_json(value: Any) -> str:
    """One line of JSON in which nothing can be mistaken for a command or the end of a line."""
    return ODD.sub(lambda match: f"\\u{ord(match[0]):04x}", json.dumps(value, ensure_ascii=False, default=str))


class JsonLines:
    """Rows as lines of JSON."""

    header: list[str] | None = None

    def begin(self, inputs: Sequence[str], predicted: dict[str, Any], whole: bool) -> str:
        """Return what stands before the first row."""
        return ""

    def row(self, inputs: dict[str, Any], predicted: dict[str, Any]) -> str:
        """Return what was given and what was predicted, in a line."""
        return to_json({**inputs, **predicted}) + "\n"


class Table:
    """Rows as lines of csv: lists and what else is no text or number as JSON; no cell is a formula.

    Args:
        header: the columns, where they are known.
    """

    def __init__(self, header: list[str] | None = None) -> None:
        self.header = header

    def begin(self, inputs: Sequence[str], predicted: dict[str, Any], whole: bool) -> str:
        """Return the header: the columns of the input, then those of the first row's predictions.

        Args:
            inputs: the columns of the input.
            predicted: the predictions of the first row.
            whole: whether a dictionary has the same keys in each row, and gets a column for each.
        """
        self.header = [*inputs, *(_flat(predicted, inputs) if whole else predicted)]
        return self._line(map(to_cell, self.header))

    def row(self, inputs: dict[str, Any], predicted: dict[str, Any]) -> str:
        """Return what was given and what was predicted, in a line.

        Raises:
            InputError: if there is a column that the first row had not.
        """
        header = self.header or []
        cells = {**inputs, **_flat(predicted, header)}
        if more := cells.keys() - set(header):
            raise InputError(
                f"The prediction has {', '.join(sorted(more))}, which the first one had not, and a table has one set "
                "of columns: --predictions jsonl would work."
            )
        return self._line(_cell(cells.get(name)) for name in header)

    def _line(self, cells: Any) -> str:
        text = io.StringIO(newline="")
        csv.writer(text).writerow(cells)
        return text.getvalue()


def _flat(row: dict[str, Any], columns: Sequence[str]) -> dict[str, Any]:
    """Return a column for each key of a dictionary, unless it is a column itself."""
    out: dict[str, Any] = {}
    for name, value in row.items():
        if name == "top_k" and isinstance(value, list) and name not in columns:
            for place, choice in enumerate(value, 1):
                out |= {f"top_{place}.{key}": entry for key, entry in choice.items()}
        elif isinstance(value, dict) and name not in columns:
            out |= {f"{name}.{key}": entry for key, entry in value.items()}
        else:
            out[name] = value
    return out


def _cell(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    return to_cell(value if isinstance(value, str) else to_json(value))


class Likeliest:
    """Leaves the most probable labels of `probabilities`, where there are many; says so once.

    Args:
        most: labels of a row; null means all of up to 100, else 20.
    """

    limit, some = 100, 20

    def __init__(self, most: int | None = None) -> None:
        self.most = most
        self.left_out = 0
        """Labels that each row has and does not show."""

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        """Return the row with fewer probabilities, the highest first; as it is where there are few."""
        chances = row.get("probabilities")
        most = self.most or (self.some if isinstance(chances, dict) and len(chances) > self.limit else None)
        if not isinstance(chances, dict) or most is None or len(chances) <= most:
            return row
        self.left_out = len(chances) - most
        best = sorted(chances, key=chances.__getitem__, reverse=True)[:most]
        return {**row, "probabilities": {name: chances[name] for name in best}}
