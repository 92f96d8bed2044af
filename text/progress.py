"""A progress line for what takes long before training starts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn


def progress(texts: Iterable[str], description: str) -> Iterator[str]:
    """Hand texts through and show how many there were, in documents and millions of characters.

    Args:
        texts: any.
        description: what is done with them.
    """
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        MofNCompleteColumn(),
        TextColumn("{task.fields[done]}"),
    )
    with Progress(*columns, TimeElapsedColumn(), transient=True) as bar:
        task = bar.add_task(description, total=None, done="")
        characters = 0
        for count, text in enumerate(texts, 1):
            yield text
            characters += len(text)
            if count % 1000 == 0:
                bar.update(task, completed=count, done=f"{characters / 1e6:.1f} M characters")
