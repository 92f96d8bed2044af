"""Encodings of texts: whether there is such a one, where a file is not in it, and which one it may be in."""

from __future__ import annotations

import codecs
import io
import re
from typing import IO

from ...errors import InputError


def known_encoding(encoding: str) -> str:
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


def where_undecodable(binary: IO[bytes], path: str, encoding: str) -> str:
    """Return a message that names the first byte of a file which is not in an encoding.

    The file is read once more for it, in pieces: the price is paid only by who has the error.

    Args:
        binary: the decompressed content, from its beginning.
        path: for the message.
        encoding: that it is not in.
    """
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    offset, line = 0, 1
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
    """Return the encoding that bytes which are not UTF-8 are most likely in: utf-16, gb18030 or latin-1."""
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
