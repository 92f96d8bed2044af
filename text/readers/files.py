"""Finding files and opening them as text: globs, URLs, compression, encodings, and the errors of each."""

from __future__ import annotations

import codecs
import glob
import io
import lzma
import os
import re
import stat
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import IO, Any, TextIO

from ...errors import InputError, first_line

LONGEST_LINE = 50_000_000
"""Characters in a line of a table, at most: a few copies of it have to fit into memory."""

COMPRESSIONS = {".gz": "gzip", ".bz2": "bz2", ".xz": "xz", ".zst": "zstd"}


def expand(patterns: str | Sequence[str]) -> list[str]:
    """Return the files that paths, globs and URLs name: sorted within a glob, otherwise in the given order, none twice.

    Raises:
        InputError: if a pattern names nothing.
    """
    found: list[str] = []
    for pattern in [patterns] if isinstance(patterns, str) else patterns:
        found += _expand_url(pattern) if "://" in pattern else _expand_path(pattern)
    # By place, not by spelling: `a.txt` and `./a.txt` are one file, which would otherwise be read twice.
    once: dict[str, str] = {}
    for path in found:
        once.setdefault(path if "://" in path else os.path.abspath(path), path)
    return list(once.values())


def _expand_path(pattern: str) -> list[str]:
    pattern = os.path.expanduser(pattern)
    if os.path.isdir(pattern):
        raise InputError(f"{pattern} is a folder; a glob such as {os.path.join(pattern, '*.txt')} would work.")
    if os.path.exists(pattern):
        _require_regular(pattern)
        return [pattern]
    if glob.has_magic(pattern):
        if matches := sorted(p for p in glob.glob(pattern, recursive=True) if os.path.isfile(p)):
            return matches
        root = os.path.abspath(glob_root(pattern))
        raise InputError(f"No file matches {pattern} (looked in {root}){_nearest(pattern, os.path.dirname(pattern))}")
    if pattern == "-":
        raise InputError("- is no file: data are read several times, so that they cannot come from standard input.")
    folder = os.path.dirname(os.path.abspath(pattern))
    if not os.path.isdir(folder):
        raise InputError(f"There is no file {pattern}: the folder {folder} does not exist.")
    raise InputError(f"There is no file {pattern} in {folder}{_nearest(pattern, folder)}")


def _require_regular(path: str) -> None:
    """Refuse pipes and devices: they cannot be read twice, and a pipe that nobody writes into never opens."""
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise InputError(
            f"{path} is a pipe or a device. Data are read several times, which needs a regular file: write its content "
            "into one first (compressed, if you like: .gz, .zst, .bz2, .xz)."
        )


def _nearest(pattern: str, folder: str) -> str:
    """Return the end of a message: the nearest name, if there is any."""
    names = os.listdir(folder or ".") if os.path.isdir(folder or ".") else []
    close = get_close_matches(os.path.basename(pattern), names, n=1)
    return f"; did you mean {close[0]}?" if close else "."


def glob_root(pattern: str) -> str:
    """Return the folder that a glob starts in."""
    parts: list[str] = []
    for part in Path(pattern).parts:
        if glob.has_magic(part):
            break
        parts.append(part)
    return os.path.join(*parts) if parts else "."


def _expand_url(pattern: str) -> list[str]:
    import fsspec.implementations.local

    try:
        fs, path = fsspec.core.url_to_fs(pattern)
        if not glob.has_magic(path) and fs.isdir(path):
            raise InputError(f"{pattern} is a folder; a glob such as {pattern.rstrip('/')}/*.txt would work.")
        if glob.has_magic(path):
            matches = sorted(found for found in fs.glob(path) if fs.isfile(found))
        else:
            matches = [path] if fs.exists(path) else []
    except InputError:
        raise
    except (ImportError, ValueError, OSError) as error:
        raise InputError(f"{pattern} cannot be read: {error}") from error
    if not matches:
        raise InputError(f"No file matches {pattern}.")
    if isinstance(fs, fsspec.implementations.local.LocalFileSystem):
        for path in matches:
            _require_regular(path)
    return [fs.unstrip_protocol(path) for path in matches]


def suffix(path: str) -> str:
    """Return the format by its ending, in lower case and without compression: `.jsonl` for `a.jsonl.gz`."""
    name = path.lower()
    for ending in COMPRESSIONS:
        name = name.removesuffix(ending)
    return os.path.splitext(name)[1]


@contextmanager
def open_binary(path: str) -> Iterator[IO[bytes]]:
    """Return a stream of the decompressed content."""
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
        return lzma.open(raw)
    if kind == "zstd":
        return io.BufferedReader(_Zstandard(raw))
    return raw if hasattr(raw, "peek") else io.BufferedReader(raw)


class _Zstandard(io.RawIOBase):
    """Frame after frame. zstandard's own reader takes a file that is cut off for one that ends there."""

    def __init__(self, raw: IO[bytes]) -> None:
        self.raw = raw
        self.frame: Any = None
        self.ready = memoryview(b"")
        self.rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self.ready:
            chunk = self.rest or self.raw.read(1 << 16)
            self.rest = b""
            if not chunk:
                if self.frame is not None:
                    raise EOFError("it ends in the middle of a frame")
                return 0
            self.frame = self.frame or _new_frame()
            self.ready = memoryview(self.frame.decompress(chunk))
            if self.frame.eof:
                self.rest, self.frame = self.frame.unused_data, None
        size = min(len(buffer), len(self.ready))
        buffer[:size] = self.ready[:size]
        self.ready = self.ready[size:]
        return size


def _new_frame() -> Any:
    import zstandard

    return zstandard.ZstdDecompressor().decompressobj()


@contextmanager
def open_text(path: str, encoding: str = "utf-8", newline: str | None = None) -> Iterator[TextIO]:
    """Return a stream of text, decompressed by the file's ending, without a byte-order mark.

    Args:
        path: a path or URL.
        encoding: `utf-8` unless the user says otherwise.
        newline: as in `open`; `""` for csv.

    Raises:
        InputError: for bytes of another encoding (with their line, and their offset in the decompressed stream), broken
            compression, an empty file.
    """
    known = _known_encoding(encoding)
    try:
        with open_binary(path) as binary:
            if not binary.peek(1):  # type: ignore[attr-defined]  # every stream of open_binary is buffered
                raise InputError(f"{path} is empty.")
            text = io.TextIOWrapper(binary, encoding="utf-8-sig" if known == "utf-8" else encoding, newline=newline)
            yield text
    except UnicodeError as error:
        try:
            place = _where_undecodable(path, encoding)
        except Exception as broken:  # further on
            refuse_broken(path, broken)
            raise
        raise InputError(place) from error
    except Exception as error:
        refuse_broken(path, error)
        raise


def lines(text: TextIO, path: str) -> Iterator[str]:
    """Yield the lines of a text, with their ends.

    Raises:
        InputError: for a line of more than `LONGEST_LINE` characters, which is no line (and would not fit into memory).
    """
    number = 0
    while line := text.readline(LONGEST_LINE + 1):
        number += 1
        if len(line) > LONGEST_LINE:
            raise InputError(
                f"{path}:{number}: a line of more than {LONGEST_LINE:,} characters, which is no row of a table."
            )
        yield line


def _known_encoding(encoding: str) -> str:
    """Return the usual name of an encoding.

    Raises:
        InputError: if there is none, or it is none of texts, such as `hex`.
    """
    try:
        known = codecs.lookup(encoding)
        io.TextIOWrapper(io.BytesIO(), encoding)
    except (LookupError, ValueError) as error:  # a name with a NUL
        raise InputError(
            f"data.encoding: there is no encoding {encoding!r}; utf-8, latin-1 or gb18030 would work."
        ) from error
    return known.name


def refuse_broken(path: str, error: Exception) -> None:
    """Raise an `InputError` if an error is that of a compressed file which is damaged."""
    if path.lower().endswith(tuple(COMPRESSIONS)) and _is_compression_error(error):
        raise InputError(f"{path} is not a whole compressed file: {first_line(error).rstrip('.')}.") from error


def _is_compression_error(error: Exception) -> bool:
    if isinstance(error, OSError):
        return error.errno is None  # gzip's and bz2's complaints, which the system's own errors are not
    return isinstance(error, EOFError | zlib.error | lzma.LZMAError) or type(error).__name__ == "ZstdError"


def _where_undecodable(path: str, encoding: str) -> str:
    """Read the file again, byte by byte as it were: the price is paid only by who has the error."""
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    offset, line = 0, 1
    with open_binary(path) as binary:
        while chunk := binary.read(1 << 16):
            pending = len(decoder.getstate()[0])
            try:
                line += decoder.decode(chunk).count("\n")
            except UnicodeError as error:
                if not isinstance(error, UnicodeDecodeError):  # a missing mark of the order of bytes, for one
                    return f"{path} is not {encoding} ({error}): set data.encoding, to utf-8 for instance."
                line += error.object[: error.start].count(b"\n")
                place = offset - pending + error.start
                byte = error.object[error.start]
                return (
                    f"{path}:{line}: byte {place} (0x{byte:02X}) is not {encoding}: save the file as UTF-8, or set "
                    f"data.encoding, to {_likely_encoding(error.object, place == 0)} for instance."
                )
            offset += len(chunk)
        begun = decoder.getstate()[0]
    return (
        f"{path}:{line}: byte {offset - len(begun)} (0x{begun[:1].hex().upper()}) begins a character that the end of "
        f"the file cuts off: the file is not {encoding} (set data.encoding, to latin-1 for instance), or is not whole."
    )


def _likely_encoding(sample: bytes, at_start: bool) -> str:
    """Return what could read bytes that are not UTF-8."""
    if at_start and sample.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    # Chinese puts high bytes in pairs and the pairs in words; accents stand alone between plain letters.
    high = len(re.findall(rb"[\x80-\xff]", sample))
    together = sum(map(len, re.findall(rb"[\x81-\xfe]{4,}", sample)))
    try:
        codecs.getincrementaldecoder("gb18030")().decode(sample)
    except UnicodeDecodeError:
        return "latin-1"
    return "gb18030" if together > 0.7 * high else "latin-1"
