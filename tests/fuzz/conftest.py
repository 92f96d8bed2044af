"""Files that may be anything: either they are read, or one message says what is wrong with them.

The short form is part of the tests: a minute, always the same examples. The long form, for an hour, other examples:

    PRETUNE_FUZZ_MINUTES=60 PRETUNE_FUZZ_SEED=1 pytest tests/fuzz

A failure shows the smallest example that was found. Mend its kind, and keep it in `test_kept.py`.
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
