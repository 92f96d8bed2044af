"""Batches made and sent to a GPU ahead of the step that needs them, by a thread beside it.

What comes from mapped memory is made faster by one thread than worker processes could hand it over, and a copy that
was begun a step before costs the step nothing.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any

import torch
from lightning.fabric.utilities.apply_func import move_data_to_device
from lightning_utilities.core.apply_func import apply_to_collection

DEPTH = 2
"""Batches that wait."""
POLL = 0.1
"""Seconds after which the thread looks whether anybody still wants batches."""


class _End(Exception):
    """There are no more."""


def ahead(
    batches: Iterator[Any], device: torch.device, prepare: Callable[[Any], Any], depth: int = DEPTH
) -> Iterator[Any]:
    """Return the same batches on a device, in the same order.

    Args:
        batches: from a loader; pinned, if copies are not to be waited for. It is used by the thread alone.
        device: where to.
        prepare: what is done to a batch before it is sent.
        depth: how many may wait.

    Raises:
        Exception: whatever making a batch raises, in its turn.
    """
    waiting: queue.Queue[tuple[Any, Any, BaseException | None]] = queue.Queue(depth)
    ended = threading.Event()

    def put(item: tuple[Any, Any, BaseException | None]) -> bool:
        while not ended.is_set() and threading.main_thread().is_alive():
            try:
                waiting.put(item, timeout=POLL)
                return True
            except queue.Full:
                continue
        return False

    def work() -> None:
        try:  # around everything: who waits would wait forever for a thread that said nothing
            stream = None
            if device.type == "cuda":
                torch.cuda.set_device(device)  # threads begin with the first one
                stream = torch.cuda.Stream(device)
            for batch in batches:
                with torch.cuda.stream(stream) if stream is not None else nullcontext():
                    moved = move_data_to_device(prepare(batch), device)
                sent = stream.record_event() if stream is not None else None
                if not put((moved, sent, None)):
                    return
            put((None, None, _End()))
        except BaseException as error:
            put((None, None, error))

    # No daemon, which is frozen where it is when the interpreter ends: this one sees that, and is waited for.
    thread = threading.Thread(target=work, name="batches ahead")
    thread.start()
    try:
        while True:
            batch, sent, error = waiting.get()
            if isinstance(error, _End):
                return
            if error is not None:
                raise error
            if sent is not None:
                current = torch.cuda.current_stream(device)
                current.wait_event(sent)  # the device waits, nobody else does
                apply_to_collection(batch, torch.Tensor, _keep_for, current)
            yield batch
    finally:
        ended.set()
        thread.join()


def _keep_for(tensor: torch.Tensor, stream: Any) -> torch.Tensor:
    """Keep memory that was allocated on another stream until this one is done with it."""
    tensor.record_stream(stream)
    return tensor
