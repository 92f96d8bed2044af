"""A process that does with files what a command would, one request after another; who asks survives whatever happens.

Run by `fuzz_child`: requests come pickled on standard input, answers go to standard output.
"""

from __future__ import annotations

import contextlib
import faulthandler
import io
import os
import pickle
import resource
import struct
import sys
import tempfile
import traceback
import warnings
from pathlib import Path
from typing import IO, Any

MEMORY = 3 << 30
"""Bytes that an example may take beside what the process has: small files fit into far less."""
LONGEST_MESSAGE = 2_000
"""Characters that a user reads."""


def receive(stream: IO[bytes]) -> Any:
    """The next message; None at the end."""
    head = stream.read(8)
    return pickle.loads(stream.read(struct.unpack("<q", head)[0])) if len(head) == 8 else None


def send(stream: IO[bytes], message: Any) -> None:
    content = pickle.dumps(message)
    stream.write(struct.pack("<q", len(content)) + content)
    stream.flush()


def main() -> None:
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # nothing that libraries print gets between answers
    os.environ.update(HF_HUB_OFFLINE="1", OMP_NUM_THREADS="1", CUDA_VISIBLE_DEVICES="", TOKENIZERS_PARALLELISM="false")
    faulthandler.enable()
    import fuzz_targets

    with tempfile.TemporaryDirectory() as home:
        os.environ.update(PRETUNE_CACHE=f"{home}/cache", HF_DATASETS_CACHE=f"{home}/datasets")
        fuzz_targets.prepare(Path(home))
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (held + MEMORY, hard))
        send(out, "ready")
        while (request := receive(sys.stdin.buffer)) is not None:
            faulthandler.dump_traceback_later(request["limit"], exit=True)
            verdict = answer(getattr(fuzz_targets, request["target"]), request["files"], request["options"])
            faulthandler.cancel_dump_traceback_later()
            send(out, verdict)


def answer(target: Any, files: dict[str, bytes], options: dict[str, Any]) -> tuple[str, str]:
    """What came of it: `data`, `told` with the message, or `rough` with the traceback."""
    from pretune.errors import InputError, input_error

    printed = io.StringIO()
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files.items():
            Path(folder, name).parent.mkdir(parents=True, exist_ok=True)
            Path(folder, name).write_bytes(content)
        os.chdir(folder)
        try:
            with warnings.catch_warnings(), contextlib.redirect_stderr(printed), contextlib.redirect_stdout(printed):
                warnings.simplefilter("ignore")
                target(**options)
        except InputError as error:
            return told(str(error))
        except SystemExit as stop:  # as main.py ends
            if stop.code in (0, None):
                return "data", ""
            return told(stop.code if isinstance(stop.code, str) else printed.getvalue().strip(), command=True)
        except BaseException as error:
            found = input_error(error) if isinstance(error, ValueError) else None  # as main.py has it
            return told(str(found)) if found is not None else ("rough", traceback.format_exc(limit=-5))
        finally:
            os.chdir("/")
    return "data", ""


def told(message: str, command: bool = False) -> tuple[str, str]:
    """A message is for a reader."""
    if command:
        message = message[message.rfind("\nerror: ") + 1 :]
    if not message or len(message) > LONGEST_MESSAGE or "Traceback" in message:
        return "rough", f"a message of {len(message)} characters: {message[:3000]}"
    if command and not message.startswith("error: "):
        return "rough", f"no error that one reads: {message}"
    return "told", message


if __name__ == "__main__":
    main()
