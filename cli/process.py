"""A process that does nothing but a command: how it starts, and what its memory keeps."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

SWITCH = "PRETUNE_KEEP_MEMORY"
"""The environment variable that switches `keep_freed_memory` off, with 0."""
TUNABLES = ":".join(
    f"glibc.malloc.{name}={value}"
    for name, value in {"mmap_threshold": 2**30, "trim_threshold": 2**31 - 1, "tcache_count": 0}.items()
)
KERNELS = 64
"""How many compiled kernels are kept: a step of one shape needs a few dozen."""


def prepare_process() -> None:
    """Prepare a process that does nothing but a command, before torch is imported."""
    keep_freed_memory()
    bound_kernels()


def keep_freed_memory() -> None:
    """Begin the process anew, with a glibc that keeps what is freed for whoever asks next.

    The activations and gradients of a step are large. As it is, glibc maps and unmaps them: the kernel then clears
    every page anew, at every step, which takes a tenth to a third of a step on a CPU. And it cuts the memory for a
    tensor, which torch wants aligned, out of a larger piece, and keeps the crumbs in front of it and behind it in a
    cache for small objects: the hole that the tensor leaves does not serve for the next of the same size, and the
    process grows with every step, to several times what it needs. Only at its start does a process take these options.

    Not where the user has set malloc's options or another allocator, where the process has more to do than its command
    line says, or where a debugger looks on.
    """
    if wants_restart(os.environ):
        from ..text.processes import ADDED

        os.environ["GLIBC_TUNABLES"] = os.environ[ADDED] = TUNABLES
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def wants_restart(environment: Mapping[str, str]) -> bool:
    """Return whether the process would begin anew."""
    given_already = ("MALLOC_", "GLIBC_TUNABLES", "LD_PRELOAD")
    chosen = any(value and name.startswith(given_already) for name, value in environment.items())
    own_arguments = sys.argv[1:]
    script = own_arguments == sys.orig_argv[len(sys.orig_argv) - len(own_arguments) :] and sys.argv[0] not in ("", "-")
    watched = sys.gettrace() is not None or "debugpy" in sys.modules
    return _is_glibc() and not chosen and environment.get(SWITCH) != "0" and script and not watched


def bound_kernels() -> None:
    """Have oneDNN, and what is between torch and it, keep fewer of the kernels that they make for each shape.

    They keep 1,024 each, with their workspaces. Where each batch is as long as its longest row, nearly every batch has
    shapes of its own, and the process grows by 20 MB with each: to several times what training needs. Does nothing
    where torch is imported already, or the user has set the variables.
    """
    for name in ("LRU_CACHE_CAPACITY", "ONEDNN_PRIMITIVE_CACHE_CAPACITY"):
        os.environ.setdefault(name, str(KERNELS))


@contextmanager
def quick_imports() -> Iterator[None]:
    """Import without the garbage collector, which leaves alone afterwards whatever there is.

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


def _is_glibc() -> bool:
    try:
        return sys.platform == "linux" and (os.confstr("CS_GNU_LIBC_VERSION") or "").startswith("glibc")
    except ValueError:  # another C library does not know the name
        return False
