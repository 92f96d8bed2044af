"""What must hold of every example."""

from __future__ import annotations

from typing import Any

from fuzz_child import Child


def usable(child: Child, target: str, files: dict[str, bytes], **options: Any) -> None:
    """Data, or a message that a user can act on; no traceback, no hang, no crash."""
    answer = child.ask(target, files, **options)
    assert answer.verdict != "rough", f"{options}\n{answer.text}"
