"""What was predicted for texts of the command line, on the terminal."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.text import Text

from ...text.visible import visible

MOST = 50
"""Texts that are answered on the terminal; the file has all."""
LIKELIEST = 3
"""Labels of a text whose probability is shown."""
MADE = (
    "prediction",
    "abstained",
    "probabilities",
    "top_k",
    "score",
    "n_best",
    "no_answer_odds",
    "entities",
    "masks",
    "correct",
)


def print_answers(rows: list[dict[str, Any]], console: Console | None = None) -> None:
    """Print what was given and what was predicted; nothing in it is taken for markup or a command.

    Args:
        rows: what was given, with what was predicted.
        console: null means the terminal.
    """
    console = console or Console(soft_wrap=True, highlight=False)
    for row in rows[:MOST]:
        inputs = " | ".join(str(value) for name, value in row.items() if name not in MADE)
        console.print(Text(visible(inputs), style="bold"))
        console.print(Text(visible(f"  -> {answer(row)}"), style="green"))
    if len(rows) > MOST:
        console.print(f"... and {len(rows) - MOST:,} more, in the file.")


def answer(row: dict[str, Any]) -> str:
    """Return a prediction in words."""
    prediction = row.get("prediction")
    if "entities" in row:
        names = [f"{entity['text']} ({entity['label']} {entity['score']:.2f})" for entity in row["entities"]]
        return ", ".join(names) or "no entity"
    words = ", ".join(map(str, prediction)) or "no label" if isinstance(prediction, list) else str(prediction)
    if isinstance(prediction, float):
        words = f"{prediction:.4g}"
    if row.get("abstained"):
        words = "no answer"
    chances = row.get("probabilities")
    if "top_k" in row:
        chances = {choice["label"]: choice["probability"] for choice in row["top_k"]}
    if isinstance(chances, dict):
        best = sorted(chances, key=chances.__getitem__, reverse=True)[:LIKELIEST]
        words += f" ({', '.join(f'{name} {chances[name]:.2f}' for name in best)})"
    return words
