"""A run that is evaluated with other options than it was trained with: where that fails, its own are named."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ...errors import InputError, MisfitError
from ..arguments import read_config
from ..parser import as_plain
from .option_values import flat

OWN = re.compile(r"\.(\w+_files|predict_texts|batch_size|num_workers|cache_dir|on_bad_rows|encoding)$")
"""Options of data that each command has for itself."""
SHAPING = re.compile(r"backbone|generator|label|problem|tokenizer|tags|scheme|class_path")
"""Options of which network and head are made; a learning rate is no reason that they do not fit."""
SHOWN = 3


@contextmanager
def own_options_named(run: Path, checkpoint: Path | None, verb: str, config: Any) -> Iterator[None]:
    """Add which options a run was trained with to the error of a network that does not fit, where they are others.

    Args:
        run: its folder.
        checkpoint: of it, which is evaluated or resumed; null adds nothing.
        verb: what is done.
        config: as it was parsed.

    Raises:
        InputError: what was raised within, with the run's own options; or if a checkpoint does not fit the model.
    """
    try:
        yield
    except MisfitError as error:  # of a missing file or column, options of the training are no cure
        if checkpoint is None or verb == "fit" or not (hint := _hint(run, config, SHAPING)):
            raise
        raise MisfitError(f"{error} {hint}") from error
    except RuntimeError as error:
        if checkpoint is None or "Error(s) in loading state_dict" not in str(error):
            raise
        what = next((line.strip() for line in str(error).splitlines()[1:] if line.strip()), "")
        raise InputError(f"{checkpoint} does not fit the model: {what} {_hint(run, config)}".rstrip()) from error


def _hint(run: Path, config: Any, of: re.Pattern[str] | None = None) -> str:
    file = run / "config.yaml"
    trained, current = read_config(str(file)) if file.is_file() else {}, as_plain(config)
    parts = [{key: options.get(key) for key in ("model", "data")} for options in (trained, current)]
    before, now = (dict(flat(part)) for part in parts)
    changed = [key for key in {**before, **now} if before.get(key) != now.get(key) and not OWN.search(key)]
    changed = [key for key in changed if of is None or of.search(key)]
    if not trained or not changed:
        return ""
    more = f" and {len(changed) - SHOWN} more" if len(changed) > SHOWN else ""
    return f"{run} was trained with other {', '.join(changed[:SHOWN])}{more}: --config {file} takes its options."
