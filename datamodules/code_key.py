"""What tells the code that makes rows from another's, for keys of the cache."""

from __future__ import annotations

import inspect

from ..storage.cache import digest


def code_key(kind: type[object]) -> str:
    """Return the name of a class of this suite; of one of somebody else's also what its source says.

    Rows that the cache has are taken as they are: those of a class that was edited since are made anew. What lies
    outside of the class, as a function that it calls, is not looked at.

    Args:
        kind: of a datamodule.
    """
    sources = []
    for ancestor in inspect.getmro(kind):
        if ancestor.__module__.startswith("pretune."):
            break
        try:
            sources.append(inspect.getsource(ancestor))
        except (OSError, TypeError):  # typed into an interpreter
            sources.append(repr(ancestor))
    return f"{kind.__module__}.{kind.__qualname__}:{digest(sources)}" if sources else kind.__name__
