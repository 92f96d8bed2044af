"""Files that may be anything: either they are read, or one message says what is wrong with them.

The short form is part of the tests: about a minute, always the same examples. Half a minute longer, with whole
commands on damaged runs: `pytest -m "" tests/fuzz`. The long form, an hour of other examples with each seed:

    PRETUNE_FUZZ_MINUTES=60 PRETUNE_FUZZ_SEED=1 pytest -m "" --timeout=0 tests/fuzz

All examples are tried in a process of their own (`fuzz_worker`), with a limit of time and of memory: a crash or a hang
is a failure as a traceback is, and says where it was. A failure shows the smallest example that was found. Mend its
kind, and keep it in `test_kept.py`.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fuzz_child import Child


@pytest.fixture(scope="session")
def child() -> Iterator[Child]:
    child = Child()
    child.start()
    yield child
    child.close()
