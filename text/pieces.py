"""Tokens as a person reads them, one by one: their texts put together are the text that they came from."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from .visible import visible

BYTE = re.compile(r"<0x([0-9A-F]{2})>")
"""How vocabularies with a fallback to bytes spell one."""


class Pieces:
    """Takes token ids to readable texts.

    Signs of a vocabulary for spaces and for the inside of words (`##`, `▁`, `Ġ`) become what they stand for. Bytes that
    are but a part of a character are shown as such, the last ones with the character: `⟨E4 BD⟩`, `⟨A0=你⟩`. Special
    tokens stay as they are spelled.

    Args:
        tokenizer: of transformers; None knows no word, and ids are shown.
    """

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        backend = getattr(tokenizer, "backend_tokenizer", None)
        parts = [repr(getattr(backend, part, None)) for part in ("decoder", "pre_tokenizer")]
        self._bytes = _byte_of() if any("ByteLevel" in part for part in parts) else None
        self._words = "WordPiece" in parts[0] or (backend is None and getattr(tokenizer, "wordpiece_tokenizer", None))
        self._special = set(getattr(tokenizer, "all_special_tokens", ())) | set(self._added())

    def _added(self) -> Sequence[str]:
        return list(self.tokenizer.get_added_vocab()) if hasattr(self.tokenizer, "get_added_vocab") else []

    def __call__(self, ids: Sequence[int]) -> list[str]:
        """Return the text of each token, spaces before words included; control characters as their codes.

        Args:
            ids: of one text, in order.
        """
        if self.tokenizer is None:
            return [f" {number}" for number in ids]
        tokens = self.tokenizer.convert_ids_to_tokens(list(ids))
        raw = [self._raw(token) for token in tokens]
        texts = [
            self._text(number, token) if of_token is None else text
            for number, token, of_token, text in zip(ids, tokens, raw, readable(raw), strict=True)
        ]
        return [visible(text) for text in texts]

    def _raw(self, token: str | None) -> bytes | None:
        """Return the bytes that a token stands for, where it stands for bytes."""
        if token is None or token in self._special:
            return None
        if byte := BYTE.fullmatch(token):
            return bytes.fromhex(byte[1])
        if self._bytes is not None and all(character in self._bytes for character in token):
            return bytes(self._bytes[character] for character in token)
        return None

    def _text(self, number: int, token: str | None) -> str:
        if token is None:  # an id of a vocabulary that was padded
            return f"⟨id {number}⟩"
        if token in self._special:
            return token
        if self._words:  # a space before each word, which WordPiece does not spell
            return token[2:] if token.startswith("##") else f" {token}"
        return token.replace("▁", " ")


def readable(raw: Sequence[bytes | None]) -> list[str]:
    """Return bytes of tokens as texts: `⟨E4 BD⟩` and `⟨A0=你⟩` of a character that is divided between two.

    Args:
        raw: of each token; None divides what is before from what follows, and becomes an empty text.
    """
    texts = [""] * len(raw)
    begin = 0
    while begin < len(raw):
        end = next((i for i in range(begin, len(raw)) if raw[i] is None), len(raw))
        _fill(texts, begin, [of_token or b"" for of_token in raw[begin:end]])
        begin = end + 1
    return texts


def _fill(texts: list[str], first: int, raw: Sequence[bytes]) -> None:
    """Put the texts of tokens that stand for bytes into their places, from the first one on."""
    owners = [first + i for i, of_token in enumerate(raw) for _ in of_token]
    whole, place = b"".join(raw), 0
    for character in whole.decode("utf-8", "surrogateescape"):
        size = len(character.encode("utf-8", "surrogateescape"))
        own_tokens = owners[place : place + size]
        if own_tokens[0] == own_tokens[-1] and not "\udc80" <= character <= "\udcff":
            texts[own_tokens[0]] += character
        else:
            for owner in dict.fromkeys(own_tokens):
                numbers = " ".join(f"{whole[place + i]:02X}" for i, of in enumerate(own_tokens) if of == owner)
                said = f"={character}" if owner == own_tokens[-1] and size > 1 else ""
                texts[owner] += f"⟨{numbers}{said}⟩"
        place += size


def _byte_of() -> dict[str, int]:
    """Return the byte that each character of a byte-level vocabulary stands for (GPT-2, Radford et al., 2019)."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    unprintable = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + i): byte for i, byte in enumerate(unprintable)}
