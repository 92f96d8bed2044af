"""The memory of a process that trains on a CPU: what a step frees is kept for the next, what is hardly used is not."""

from __future__ import annotations

import ctypes
import os
import sys

SWITCH = "PRETUNE_KEEP_MEMORY"
"""The environment variable that switches this off, with 0."""
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of malloc.h
LARGEST = 2**31 - 1
KERNELS = 128
"""How many compiled kernels are kept: a step of one shape needs a few dozen."""


def keep_freed_memory() -> bool:
    """Has glibc keep what is freed, instead of giving it back to the system and asking for it again.

    The activations and gradients of a step are large, and glibc maps and unmaps each of them: the kernel then clears
    every page anew, at every step, which takes a tenth to a third of a step on a CPU. The process stays as large as it
    was at its peak. Not where the user has set malloc's options, or another allocator.

    Returns:
        Whether it did.
    """
    chosen = any(name.startswith("MALLOC_") for name in os.environ) or "GLIBC_TUNABLES" in os.environ
    if sys.platform != "linux" or chosen or os.environ.get("LD_PRELOAD") or os.environ.get(SWITCH) == "0":
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library
        return False
    return bool(mallopt(M_MMAP_THRESHOLD, 2**30) and mallopt(M_TRIM_THRESHOLD, LARGEST))


def bound_kernels() -> None:
    """Has oneDNN, and what is between torch and it, keep fewer of the kernels that they make for each shape.

    They keep 1,024 each, with their workspaces. Where each batch is as long as its longest row, nearly every batch has
    shapes of its own, and the process grows by 20 MB with each: to several times what training needs. Does nothing
    where torch is imported already, or the user has set the variables.
    """
    for name in ("LRU_CACHE_CAPACITY", "ONEDNN_PRIMITIVE_CACHE_CAPACITY"):
        os.environ.setdefault(name, str(KERNELS))
