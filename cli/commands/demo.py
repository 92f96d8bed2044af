"""A page on which to try a model: `python main.py demo --config mine.yaml`, or a run, or an export."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ...errors import InputError, check_range
from ...storage.disk import refuse_unwritable
from ..verb_options import read_options


@dataclass(frozen=True)
class DemoOptions:
    """What `demo` is asked.

    Args:
        against: a second run or export, whose answers stand beside the first one's.
        corrections: the file to which the button for wrong answers adds a row; fit takes it among data.train_files.
        examples: rows of the test set to choose from.
        host: to bind to; 0.0.0.0 lets other machines in.
        port: null takes the first free one from 7860 on, 0 any free one.
        browser: open the page in a browser.
        save: writes a folder for a hosted space instead (app.py, requirements.txt, README.md, the export), and serves
            nothing.

    Raises:
        InputError: if a number is out of range.
    """

    against: str | None = field(default=None, metadata={"metavar": "RUN"})
    corrections: str = field(default="corrections.jsonl", metadata={"metavar": "FILE"})
    examples: int = 5
    host: str = "127.0.0.1"
    port: int | None = None
    browser: bool = False
    save: str | None = field(default=None, metadata={"metavar": "FOLDER"})

    def __post_init__(self) -> None:
        check_range("--examples", self.examples, least=0)
        if self.port is not None and self.port > 65535:
            raise InputError(f"--port is {self.port}; a number up to 65535 would work, or 0 for any free one.")


def run_demo(args: Sequence[str]) -> Any:
    """Serve a page on which to try a model.

    What it answers is what `predict` writes of the same row: probabilities as bars, entities and answers marked in
    their text, the five likeliest words for a mask, texts and conversations while they are written. `demo RUN_A RUN_B`
    shows two models side by side.

    Args:
        args: what stands after `demo`: a run or an export, or two; its own options (`DemoOptions`); those of `predict`.

    Returns:
        The page's address, or the saved folder.

    Raises:
        InputError: if there are no weights, nothing to show, no free port, no package gradio, or
            the folder for the page cannot be written.
    """
    places = [arg for arg, _ in zip(args, _leading(args), strict=False)]
    options, others = read_options(DemoOptions, args[len(places) :])
    if len(places) > 2 or (len(places) == 2 and options.against):
        raise InputError(f"demo shows one model, or two side by side; these are {len(places) + bool(options.against)}.")
    from ..demo.server import free_port, require_display, require_gradio, serve

    require_gradio()
    if options.save is not None:
        refuse_unwritable(options.save, "--save")
    if options.browser:
        require_display()
    port = free_port(options.host, options.port) if options.save is None else 0
    from ..demo.assemble import assemble, load, save

    seconds = [place for place in [*places[1:], options.against] if place is not None]
    models = load(places[:1], seconds, others)
    if options.save is not None:
        return save(models, options)
    page, look = assemble(models, options)
    return serve(page, look, options.host, port, options.browser)


def _leading(args: Sequence[str]) -> list[str]:
    """Return the words before the first option."""
    first = next((place for place, arg in enumerate(args) if arg.startswith("-")), len(args))
    return list(args[:first])
