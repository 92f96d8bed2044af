"""A function over many batches, in helper processes, in order.

The helpers are plain interpreters that are spoken to through pipes. They inherit no threads (as forked ones would),
never run the user's script again (as `multiprocessing` does where it does not fork), and load neither torch nor
Lightning, so that they are ready in a moment.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from itertools import islice
from queue import SimpleQueue
from typing import Any

from ..errors import InputError

ALONE = 8
"""So many batches are worked through before helpers are started: a small corpus is done by then."""

MOST_HELPERS = 16
"""More would wait for the one process that reads and writes."""

ADDED = "PRETUNE_ADDED_TUNABLES"
"""What this process has set GLIBC_TUNABLES to for itself; helpers, which have many small objects, do without."""

_BEGIN = """
import pickle, sys
sys.path[:] = pickle.load(sys.stdin.buffer)
from pretune.text.processes import serve
serve()
"""


def helpers() -> int:
    """Return how many processes to use: `$PRETUNE_PROCESSES`, or one for each core that this process may run on."""
    wanted = os.environ.get("PRETUNE_PROCESSES")
    if wanted is not None:
        if not wanted.isdecimal() or int(wanted) < 1:
            raise InputError(f"PRETUNE_PROCESSES is {wanted!r}; it must be a number of processes, 1 or more.")
        return int(wanted)
    return min(cores(), MOST_HELPERS)


def cores() -> int:
    """Return how many cores this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_order(function: Callable[[Any], Any], batches: Iterator[Any], may: bool = True) -> Generator[Any]:
    """Yield what a function makes of each batch, in the order of the batches.

    The first batches are done right here, and all of them where there is one core only or the function cannot be sent
    to another process. Batches are read as they are needed, a few in advance.

    Args:
        function: gives the same wherever it runs.
        batches: its arguments.
        may: whether helpers may be used.

    Raises:
        Exception: what the function raises, wherever it ran; InputError if a helper was killed.
    """
    count = helpers() if may else 1
    yield from map(function, batches if count == 1 else islice(batches, ALONE))
    first = next(batches, None)
    if first is None:
        return
    message = _pickled(function)
    if message is None or not sys.executable:
        yield function(first)
        yield from map(function, batches)
        return
    pool: list[subprocess.Popen[bytes]] = []
    idle = SimpleQueue[subprocess.Popen[bytes]]()

    def ask(batch: Any) -> Any:
        helper = idle.get()  # there is one for each thread
        assert helper.stdin is not None
        assert helper.stdout is not None
        try:
            helper.stdin.write(pickle.dumps(batch, 5))
            helper.stdin.flush()
            good, answer = pickle.load(helper.stdout)
        except (EOFError, OSError, pickle.UnpicklingError) as error:
            raise InputError(
                "A process that prepares data has ended early; the system may have run out of memory. "
                "PRETUNE_PROCESSES=1 does without such processes."
            ) from error
        finally:
            idle.put(helper)
        if not good:
            raise answer
        return answer

    threads = ThreadPoolExecutor(count)
    try:
        for _ in range(count):
            pool.append(_start(message))
            idle.put(pool[-1])
        pending: deque[Future[Any]] = deque([threads.submit(ask, first)])
        for batch in batches:
            pending.append(threads.submit(ask, batch))
            if len(pending) > 2 * count:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        for helper in pool:
            helper.kill()  # which also wakes the thread that waits for it
        threads.shutdown(cancel_futures=True)
        for helper in pool:
            helper.wait()
            for pipe in (helper.stdin, helper.stdout):
                assert pipe is not None
                with suppress(OSError):  # for what was not written yet
                    pipe.close()


def _pickled(function: Any) -> bytes | None:
    """Return the function as another process can load it, or None."""
    try:
        message = pickle.dumps(function, 5)
    except Exception:  # each class fails to be pickled in its own way
        return None
    return None if b"__main__" in message else message  # which is another module there


def environment_of_helpers(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment without the options of malloc that a command took for its tensors."""
    added = environment.get(ADDED)
    left_out = (("GLIBC_TUNABLES", added), (ADDED, added))
    return {name: value for name, value in environment.items() if (name, value) not in left_out}


def _start(message: bytes) -> subprocess.Popen[bytes]:
    environment = {**environment_of_helpers(os.environ), "TOKENIZERS_PARALLELISM": "false", "OMP_NUM_THREADS": "1"}
    helper = subprocess.Popen(
        [sys.executable, "-c", _BEGIN],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
        process_group=0 if os.name == "posix" else None,  # Ctrl-C is for the one that started it, which ends it
    )
    assert helper.stdin is not None
    helper.stdin.write(pickle.dumps(sys.path, 5) + pickle.dumps(message, 5))
    helper.stdin.flush()
    return helper


def serve() -> None:
    """Load the function, answer batch after batch, and end when nobody asks any more; what a helper does."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a user's function prints must not go between the answers
    function = _loaded()
    while True:
        try:
            batch = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        try:
            answer = pickle.dumps((True, function(batch)), 5)
        except Exception as error:
            answer = _failure(error)
        answers.write(answer)
        answers.flush()


def _loaded() -> Callable[[Any], Any]:
    """Return the function; one that cannot be found from here tells so when it is called."""
    try:
        function: Callable[[Any], Any] = pickle.loads(pickle.load(sys.stdin.buffer))
    except Exception as error:
        told = InputError(
            f"A process that prepares data cannot load what it is to do ({type(error).__name__}: {error}). "
            "PRETUNE_PROCESSES=1 does without such processes."
        )

        def function(batch: Any) -> Any:
            raise told

    return function


def _failure(error: Exception) -> bytes:
    try:
        message = pickle.dumps((False, error), 5)
        pickle.loads(message)  # some can be written, but not be read
    except Exception:
        message = pickle.dumps((False, RuntimeError(f"{type(error).__name__}: {error}")), 5)
    return message
