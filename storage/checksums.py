"""What the files of an export held when they were written: whoever starts from them learns when that has changed."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

import xxhash

from ..errors import InputError

NAME = "checksums.json"
UNCHECKED = (NAME, "README.md", "curves.png")
"""What is for people, and is written anew when there is more to tell."""
BLOCK = 1 << 22


def write_checksums(folder: str | Path) -> None:
    """Add a file with the hash (128 bits of XXH3) of each file of a folder, but for its card and pictures."""
    files = [path for path in sorted(Path(folder).iterdir()) if path.is_file() and path.name not in UNCHECKED]
    hashes = {path.name: _hash(path) for path in files}
    Path(folder, NAME).write_text(json.dumps(hashes, indent=1) + "\n", encoding="utf-8")


def changes(folder: Path) -> tuple[list[str], list[str], list[str]]:
    """Return which files are others than they were written, which are missing, and which were written at all.

    All three are empty where nothing was written down; a list that cannot be read counts as changed itself.
    """
    try:
        listed = list(json.loads((folder / NAME).read_text(encoding="utf-8")))
    except (OSError, ValueError, RecursionError, TypeError):
        listed = []
    return _changed(folder), [name for name in listed if not (folder / name).is_file()], listed


@lru_cache(maxsize=64)
def warn_of_changes(folder: Path) -> None:
    """Compare the small files of a folder with what was written, and warn of each that is another; once."""
    from lightning_utilities.core.rank_zero import rank_zero_warn

    changed = [name for name in _changed(folder) if not _is_weights(name)]
    if changed:
        rank_zero_warn(
            f"Of {folder}, {' and '.join(changed)} changed after the export: damaged, unless you did so yourself "
            f"(then delete {NAME} there)."
        )


def refuse_damaged_weights(folder: Path) -> None:
    """Compare weights with what was written. A gigabyte takes a fraction of a second.

    Raises:
        InputError: if they are others.
    """
    for name in filter(_is_weights, _changed(folder)):
        raise InputError(
            f"{folder / name} is not what was exported: it is damaged, or was replaced. checkpoints/best.ckpt of the "
            f"run holds the same weights; if you replaced it yourself, delete {NAME} there."
        )


def _changed(folder: Path) -> list[str]:
    """Return files that are others than they were; none where nothing was written down."""
    try:
        hashes = json.loads((folder / NAME).read_text(encoding="utf-8"))
        files = {str(name): str(known) for name, known in hashes.items()}
    except FileNotFoundError:
        return []
    except (OSError, ValueError, AttributeError, RecursionError):
        return [NAME]
    return [name for name, known in files.items() if (folder / name).is_file() and _known_hash(folder / name) != known]


def _is_weights(name: str) -> bool:
    return name.endswith(".safetensors")


def _known_hash(path: Path) -> str:
    status = path.stat()
    return _hash_of(str(path.resolve()), status.st_size, status.st_mtime_ns, status.st_ino)


@lru_cache(maxsize=256)
def _hash_of(path: str, size: int, changed: int, inode: int) -> str:
    return _hash(Path(path))


def _hash(path: Path) -> str:
    content = xxhash.xxh3_128()
    with path.open("rb", buffering=0) as file:
        while block := file.read(BLOCK):
            content.update(block)
    return content.hexdigest()
