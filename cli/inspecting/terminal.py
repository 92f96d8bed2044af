"""An inspection in a terminal, by rich: signs say what colors say, so that a pipe has it all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from ...contracts import Survey
from ...text.visible import visible
from .figures import batch_line, counted, counts_line, histogram, label_counts, row_line, shared_lines
from .inspection import Inspection
from .signs import LEGEND, signed

MOST_TOKENS = 400
"""Of a text."""
STYLES = {
    "read": "", "learned": "bold green", "masked": "bold magenta", "replaced": "bold yellow", "ignored": "dim",
    "special": "cyan", "padding": "dim", "label": "bold blue", "edge": "dim", "sign": "bold", "space": "",
}  # fmt: skip
WIDEST_BAR = 40


def parts(seen: Inspection, width: int) -> Iterator[Any]:
    """Yield what is printed, from above.

    Args:
        seen: what is shown.
        width: of the terminal, in columns.
    """
    yield Rule(Text(seen.title, "bold"), align="left", characters="─")
    for style, sign, says in LEGEND:
        if style in seen.styles:
            yield Text.assemble("  ", (f"{sign:<14}", STYLES[style]), (says, "dim"))
    for remark in seen.remarks:
        yield Text(f"  {remark}")
    for number, row in enumerate(seen.rows, 1):
        yield Text()
        head = row_line(row.facts, row.length, row.targets)
        yield Text.assemble((f"{number} ", "bold"), (visible(head), "blue"))
        for text in row.texts:
            said = Text(overflow="fold").append(f"{text.name}: " if text.name else "", "bold")
            for piece in signed(text, MOST_TOKENS):
                said.append(piece.text, STYLES[piece.style])
            yield said
    for name, survey in seen.surveys.items():
        yield Text()
        yield from _survey(name, survey, width)
    yield Text()
    yield Rule(Text("The first batch", "bold"), align="left", characters="─")
    yield Text(f"{counts_line(seen)}; {batch_line(seen.batch)}")
    table = Table(box=None, pad_edge=False, show_header=False)
    for row_of_table in seen.batch.tensors:
        table.add_row(*map(Text, row_of_table))
    yield table


def _survey(name: str, survey: Survey, width: int) -> Iterator[Any]:
    yield Rule(Text(f"{name}: {counted(survey.rows, survey.unit)}", "bold"), align="left", characters="─")
    for note in survey.notes:
        yield Text(visible(note))
    for said in shared_lines(name, survey):
        yield Text(visible(said), "bold yellow")
    if not survey.shared and len(survey.lengths):
        yield Text(
            "no duplicates, and nothing that other parts hold, too" + ", as far as was looked" * survey.is_sample
        )
    if (lengths := histogram(survey)) is not None:
        yield Text(lengths.says)
        yield from _bars(lengths.entries, width)
    if survey.labels:
        yield Text("labels")
        yield from _bars([(visible(label), count) for label, count in label_counts(survey)], width)


def _bars(entries: Sequence[tuple[str, int]], width: int) -> Iterator[Text]:
    most = max((count for _, count in entries), default=0)
    widest = min(max((Text(name).cell_len for name, _ in entries), default=0), max(8, width // 3))
    digits = max((len(f"{count:,}") for _, count in entries), default=0)
    room = max(4, min(WIDEST_BAR, width - widest - digits - 6))
    for name, count in entries:
        label = Text(name)
        label.truncate(widest, overflow="ellipsis", pad=True)
        bar = "█" * round(room * count / most) if most else ""
        yield Text.assemble("  ", label, f"  {count:>{digits},}  ", (bar or ("▏" if count else ""), "green"))
