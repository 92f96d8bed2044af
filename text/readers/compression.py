"""Compressed files, told by their ending, and the errors of those that are damaged."""

from __future__ import annotations

import io
import lzma
import zlib
from typing import IO, Any

from ...errors import InputError, first_line

COMPRESSIONS = {".gz": "gzip", ".bz2": "bz2", ".xz": "xz", ".zst": "zstd"}


def is_compressed(path: str) -> bool:
    """Return whether a file is compressed, by its ending."""
    return path.lower().endswith(tuple(COMPRESSIONS))


def decompressed(raw: Any, path: str) -> IO[bytes]:
    """Return a buffered stream of the decompressed content.

    Args:
        raw: a stream of the file's bytes.
        path: its name, whose ending tells how it is compressed, if it is.
    """
    kind = next((COMPRESSIONS[end] for end in COMPRESSIONS if path.lower().endswith(end)), None)
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
    """A stream of zstandard, frame after frame; its own reader takes a file that is cut off for one that ends there."""

    def __init__(self, raw: IO[bytes]) -> None:
        self.raw = raw
        self.frame: Any = None
        self.ready = memoryview(b"")
        self.rest = b""

    def readable(self) -> bool:
        """Return true."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer as far as a frame goes, and return how many bytes that are; 0 at the end."""
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


def refuse_broken(path: str, error: Exception) -> None:
    """Raise an `InputError` if an error is that of a compressed file which is damaged."""
    if is_compressed(path) and _is_compression_error(error):
        raise InputError(f"{path} is not a whole compressed file: {first_line(error).rstrip('.')}.") from error


def _is_compression_error(error: Exception) -> bool:
    if isinstance(error, OSError):
        return error.errno is None  # gzip's and bz2's complaints, which the system's own errors are not
    return isinstance(error, EOFError | zlib.error | lzma.LZMAError) or type(error).__name__ == "ZstdError"
