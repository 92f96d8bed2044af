"""Finding files and opening them as text: globs, URLs, compression, encodings, and the errors of each."""

from __future__ import annotations

import codecs
import glob
import io
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import IO, Any, TextIO

from ...errors import InputError

COMPRESSIONS = {".gz": "gzip", ".bz2": "bz2", ".xz": "xz", ".zst": "zstd"}


def expand(patterns: str | Sequence[str]) -> list[str]:
    """The files that paths, globs and URLs name: sorted within a glob, otherwise in the given order, none twice.

    Raises:
        InputError: if a pattern names nothing.
    """
    found: list[str] = []
    for pattern in [patterns] if isinstance(patterns, str) else patterns:
        found += _expand_url(pattern) if "://" in pattern else _expand_path(pattern)
    return list(dict.fromkeys(found))


def _expand_path(pattern: str) -> list[str]:
    pattern = os.path.expanduser(pattern)
    if os.path.isdir(pattern):
        raise InputError(f"{pattern} is a folder; a glob such as {os.path.join(pattern, '*.txt')} would work.")
    if os.path.exists(pattern):
        return [pattern]
    if glob.has_magic(pattern):
        if matches := sorted(p for p in glob.glob(pattern, recursive=True) if os.path.isfile(p)):
            return matches
        raise InputError(f"No file matches {pattern} (looked in {os.path.abspath(glob_root(pattern))}).")
    folder = os.path.dirname(os.path.abspath(pattern))
    if not os.path.isdir(folder):
        raise InputError(f"There is no file {pattern}: the folder {folder} does not exist.")
    close = get_close_matches(os.path.basename(pattern), os.listdir(folder), n=1)
    raise InputError(f"There is no file {pattern} in {folder}" + (f"; did you mean {close[0]}?" if close else "."))


def glob_root(pattern: str) -> str:
    """The folder that a glob starts in."""
    parts: list[str] = []
    for part in Path(pattern).parts:
        if glob.has_magic(part):
            break
        parts.append(part)
    return os.path.join(*parts) if parts else "."


def _expand_url(pattern: str) -> list[str]:
    import fsspec

    try:
        fs, path = fsspec.core.url_to_fs(pattern)
        matches = sorted(fs.glob(path)) if glob.has_magic(path) else [path] if fs.exists(path) else []
    except (ImportError, ValueError, OSError) as error:
        raise InputError(f"{pattern} cannot be read: {error}") from error
    if not matches:
        raise InputError(f"No file matches {pattern}.")
    return [fs.unstrip_protocol(path) for path in matches]


def suffix(path: str) -> str:
    """The format by its ending, in lower case and without compression: `.jsonl` for `a.jsonl.gz`."""
    name = path.lower()
    for ending in COMPRESSIONS:
        name = name.removesuffix(ending)
    return os.path.splitext(name)[1]


def fingerprint(paths: Sequence[str]) -> list[Any]:
    """Name, size and time of each file, for a cache key."""
    out: list[Any] = []
    for path in paths:
        if "://" in path:
            import fsspec

            fs, inner = fsspec.core.url_to_fs(path)
            info = fs.info(inner)
            out.append([path, info.get("size"), str(info.get("mtime") or info.get("LastModified") or info.get("created"))])
        else:
            stat = os.stat(path)
            out.append([os.path.abspath(path), stat.st_size, stat.st_mtime_ns])
    return out


@contextmanager
def open_binary(path: str) -> Iterator[IO[bytes]]:
    """A stream of the decompressed content."""
    kind = next((COMPRESSIONS[end] for end in COMPRESSIONS if path.lower().endswith(end)), None)
    try:
        if "://" in path:
            import fsspec

            raw: Any = fsspec.open(path, "rb").open()
        else:
            raw = open(path, "rb")  # noqa: SIM115  closed below, around the decompressor
    except OSError as error:
        raise InputError(f"{path} cannot be opened: {error.strerror or error}.") from error
    with raw:
        yield _decompressed(raw, kind)


def _decompressed(raw: Any, kind: str | None) -> IO[bytes]:
    if kind == "gzip":
        import gzip

        return gzip.open(raw)  # type: ignore[return-value]
    if kind == "bz2":
        import bz2

        return bz2.open(raw)
    if kind == "xz":
        import lzma

        return lzma.open(raw)
    if kind == "zstd":
        import zstandard

        return io.BufferedReader(zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True))  # type: ignore[arg-type]
    return raw  # type: ignore[no-any-return]


@contextmanager
def open_text(path: str, encoding: str = "utf-8", newline: str | None = None) -> Iterator[TextIO]:
    """A stream of text, decompressed by the file's ending, without a byte-order mark.

    Args:
        path: a path or URL.
        encoding: `utf-8` unless the user says otherwise.
        newline: as in `open`; `""` for csv.

    Raises:
        InputError: for bytes of another encoding (with their line and offset), broken compression, an empty file.
    """
    try:
        known = codecs.lookup(encoding).name
    except LookupError as error:
        raise InputError(f"data.encoding: there is no encoding {encoding!r}; utf-8, latin-1 or gb18030 would work.") from error
    try:
        with open_binary(path) as binary:
            text = io.TextIOWrapper(binary, encoding="utf-8-sig" if known == "utf-8" else encoding, newline=newline)
            yield text
    except UnicodeDecodeError as error:
        raise InputError(_where_undecodable(path, encoding)) from error
    except (EOFError, OSError, ValueError) as error:
        if isinstance(error, InputError) or not _is_compression_error(error):
            raise
        raise InputError(f"{path} is not a whole compressed file: {error}.") from error


def _is_compression_error(error: Exception) -> bool:
    return isinstance(error, EOFError) or type(error).__name__ in ("BadGzipFile", "LZMAError", "ZstdError", "error")


def _where_undecodable(path: str, encoding: str) -> str:
    """Reads the file again, byte by byte as it were: the price is paid only by who has the error."""
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    offset, line = 0, 1
    with open_binary(path) as binary:
        while chunk := binary.read(1 << 16):
            pending = len(decoder.getstate()[0])
            try:
                line += decoder.decode(chunk).count("\n")
            except UnicodeDecodeError as error:
                line += error.object[: error.start].count(b"\n")
                place = offset - pending + error.start
                byte = error.object[error.start]
                return (
                    f"{path}:{line}: byte {place} (0x{byte:02X}) is not {encoding}: save the file as UTF-8, or set "
                    "data.encoding, to latin-1 for instance."
                )
            offset += len(chunk)
    return f"{path} ends in the middle of a character: it is not {encoding}, or was cut off."
