"""What makes a command start sooner."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

SIGNAL = "scipy.signal"


@contextmanager
def quick_imports() -> Iterator[None]:
    """Imports sooner, in a process that is ours."""
    with collector_at_rest(), signal_processing_later():
        yield


@contextmanager
def collector_at_rest() -> Iterator[None]:
    """Imports without the garbage collector, which leaves alone afterwards whatever there is.

    torch, Lightning and what they import make half a million objects that stay until the process ends. The collector
    would look through all of them several times while they are imported, and again while training starts: about a
    second. Only for a process that is ours: of whatever is frozen, cycles are never collected.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if enabled:
            gc.enable()


@contextmanager
def signal_processing_later() -> Iterator[None]:
    """Imports without `scipy.signal`, half a second's work: whoever needs it afterwards imports it then.

    torchmetrics imports it for one name that a package for speech looks for, `hamming`.
    """
    if SIGNAL in sys.modules:
        yield
        return
    stand_in = ModuleType(SIGNAL)
    stand_in.__dict__["hamming"] = None
    sys.modules[SIGNAL] = stand_in
    try:
        yield
    finally:
        if sys.modules.get(SIGNAL) is stand_in:
            del sys.modules[SIGNAL]
