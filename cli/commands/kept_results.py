"""What is done of several runs, kept in files, so that the command given again skips it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ...storage.atomic_files import write_text
from ...storage.plain_files import read_json


def aside(home: Path) -> Path:
    """Rename a folder that is no longer wanted, and return its new name."""
    old = next(p for i in range(1, 10**6) if not (p := home.with_name(f"{home.name}_old_{i}")).exists())
    home.rename(old)
    return old


def read(path: Path) -> dict[str, Any]:
    """Return what `write` wrote; empty if nothing."""
    content = read_json(path) if path.is_file() else {}
    return content if isinstance(content, dict) else {}


def write(path: Path, content: dict[str, Any]) -> None:
    """Write JSON (which is YAML too), whole or not at all."""
    write_text(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")
