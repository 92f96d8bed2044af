"""Cleaning of raw text before it is tokenized: lengths, copies, near copies, and a filter of the user's own."""

from __future__ import annotations

import functools
import hashlib
import inspect
import pickle
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import InputError, check_range, first_line

PERMUTATIONS = 128
"""Numbers in a MinHash signature: the estimate of a similarity of 0.8 has a standard deviation of 0.035."""

SHINGLE = 5
"""Words (or characters) in a shingle."""

SPACED = 12
"""Texts whose words have more characters than this on average are taken to be written without spaces."""


@dataclass
class Cleaning:
    """Which documents are left out before anything else happens to them.

    Args:
        min_characters: shorter documents are dropped.
        max_characters: longer documents are dropped; null keeps them.
        exact_duplicates: drop later copies of a document; white space does not tell documents apart. Takes about 100
            bytes of memory for each document.
        near_duplicates: drop a document if an earlier one is as similar as this (0 to 1, 0.8 is usual) or more: the
            Jaccard similarity of their 5-grams of words (of characters, where words are not divided by spaces),
            estimated by MinHash. Needs the package datasketch, and about 7 kB of memory at 0.8 (13 at 0.5) for each
            document that is kept. null keeps them.
        filter: import path of a function from a text to true (keep it) or false, such as a language or quality filter.
    """

    min_characters: int = 0
    max_characters: int | None = None
    exact_duplicates: bool = False
    near_duplicates: float | None = None
    filter: Callable[[str], bool] | None = None

    def __post_init__(self) -> None:
        check_range("data.cleaning.min_characters", self.min_characters, least=0)
        if self.max_characters is not None and self.max_characters < max(1, self.min_characters):
            raise InputError(
                f"data.cleaning.max_characters is {self.max_characters}; it must be 1 or more, and not below "
                f"data.cleaning.min_characters ({self.min_characters}): no document would be left."
            )
        if self.near_duplicates is not None and not 0 < self.near_duplicates <= 1:
            raise InputError(
                f"data.cleaning.near_duplicates is {self.near_duplicates}; it must be above 0 and at most 1 (0.8 is "
                "usual), or null."
            )
        if self.filter is not None and not callable(self.filter):
            raise InputError(
                f"data.cleaning.filter is {self.filter!r}; it must be the import path of a function, such as "
                "my_package.is_english."
            )

    def check_packages(self) -> None:
        """Raise an `InputError` if datasketch is needed and missing."""
        if self.near_duplicates is not None:
            _minhash()

    def key(self) -> dict[str, Any]:
        """Return what a cache key must hold."""
        return {
            "min_characters": self.min_characters,
            "max_characters": self.max_characters,
            "exact_duplicates": self.exact_duplicates,
            "near_duplicates": self.near_duplicates,
            "filter": function_key(self.filter),
        }

    def clean(self, documents: Iterator[str], skipped: Counter[str]) -> Iterator[str]:
        """Yield the documents that stay, in their order.

        Args:
            documents: texts, read once.
            skipped: counts what was left out, as `too short`, `too long`, `exact duplicates`, `filtered`, `near
                duplicates`; the first that applies.

        Raises:
            InputError: if datasketch is needed and missing, or the filter fails.
        """
        seen: set[int] = set()
        near = None if self.near_duplicates is None else _NearDuplicates(self.near_duplicates)
        for text in documents:
            if len(text) < self.min_characters:
                skipped["too short"] += 1
            elif self.max_characters is not None and len(text) > self.max_characters:
                skipped["too long"] += 1
            elif self.exact_duplicates and _seen(text, seen):
                skipped["exact duplicates"] += 1
            # Before near duplicates: a document that is filtered out must not take others with it.
            elif self.filter is not None and not self._keeps(text):
                skipped["filtered"] += 1
            elif near is not None and near.seen(text):
                skipped["near duplicates"] += 1
            else:
                yield text

    def _keeps(self, text: str) -> bool:
        assert self.filter is not None
        try:
            return bool(self.filter(text))
        except Exception as error:
            raise InputError(
                f"data.cleaning.filter: {function_name(self.filter)} failed with {type(error).__name__}: "
                f"{first_line(error).rstrip('.')}, for the text that begins {text[:60]!r}. It must return true or "
                "false for every text."
            ) from error


def _seen(text: str, seen: set[int]) -> bool:
    folded = " ".join(text.split()).encode("utf-8", "surrogatepass")
    number = int.from_bytes(hashlib.blake2b(folded, digest_size=8).digest(), "little")
    if number in seen:
        return True
    seen.add(number)
    return False


# -------------------------------------------------------------------------------------------------- near duplicates


def _minhash() -> tuple[Any, Any]:
    """Return datasketch's classes, which near duplicates are found with."""
    try:
        from datasketch import MinHash, MinHashLSH
    except ImportError as error:
        raise InputError(
            'data.cleaning.near_duplicates needs the package datasketch: pip install "pretune[cleaning]".'
        ) from error
    return MinHash, MinHashLSH


class _NearDuplicates:
    """An index of the documents so far. Candidates come from LSH, and are dropped by the estimated similarity."""

    def __init__(self, threshold: float) -> None:
        MinHash, MinHashLSH = _minhash()
        self.threshold = threshold
        self.empty = MinHash(num_perm=PERMUTATIONS, hashfunc=int)  # the shingles come as numbers already
        self.index = MinHashLSH(num_perm=PERMUTATIONS, params=_bands(threshold))
        self.signatures: list[np.ndarray] = []

    def seen(self, text: str) -> bool:
        """Return whether an earlier document is similar; if none is, this one is remembered."""
        sketch = self.empty.copy()
        hashes = shingle_hashes(text)
        for start in range(0, len(hashes), 4096):  # times 128 numbers: a long text must not fill the memory
            sketch.update_batch(hashes[start : start + 4096].tolist())
        signature = sketch.hashvalues.astype(np.uint32)
        needed = self.threshold * PERMUTATIONS
        for candidate in self.index.query(sketch):
            if np.count_nonzero(self.signatures[candidate] == signature) >= needed:
                return True
        self.index.insert(len(self.signatures), sketch, check_duplication=False)
        self.signatures.append(signature)
        return False


def _bands(threshold: float) -> tuple[int, int]:
    """Return the number of bands of the LSH, and of the hashes in each.

    The longest bands that find 95 of 100 documents at the threshold: what they find too much costs only a comparison.
    """
    for rows in range(PERMUTATIONS // 2, 1, -1):
        bands = PERMUTATIONS // rows
        if 1 - (1 - threshold**rows) ** bands >= 0.95:
            return bands, rows
    return PERMUTATIONS, 1


def shingle_hashes(text: str) -> np.ndarray:
    """Return the hashes of a text's 5-grams of words, or of characters if it has hardly a space; uint32, each once.

    A text that is shorter is one shingle.
    """
    words = text.split()
    joined = "".join(words)
    if len(joined) > SPACED * len(words):
        codes = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), "<u4").astype(np.uint64)
    else:
        crcs = (zlib.crc32(word.encode("utf-8", "surrogatepass")) for word in words)
        codes = np.fromiter(crcs, np.uint64, len(words))
    size = min(SHINGLE, len(codes))
    count = len(codes) - size + 1
    hashes = np.zeros(count, np.uint64)
    for i in range(size):  # one pass for each place in the shingle, over all shingles at once
        hashes = (hashes ^ codes[i : i + count]) * np.uint64(0x9E3779B97F4A7C15)
    return np.unique(hashes >> np.uint64(32))  # the upper half depends on all bits


# ------------------------------------------------------------------------------------------------- users' functions


def function_name(function: Callable[..., Any]) -> str:
    """Return module and name of a function, for messages."""
    if isinstance(function, functools.partial):
        return function_name(function.func)
    named = function if hasattr(function, "__qualname__") else type(function)
    module = getattr(named, "__module__", None)
    return f"{module}.{named.__qualname__}" if module else str(named.__qualname__)


def function_key(function: Callable[..., Any] | None) -> Any:
    """Return what a cache key must hold of a user's function: its name, a hash of its source, and what is bound to it.

    An object that has a method `key` answers for itself. What a function calls is not looked into: after a change
    there, the cache must be emptied by hand. What cannot be told apart by its content never meets the cache again.
    """
    if function is None:
        return None
    if isinstance(function, functools.partial):
        return ["partial", function_key(function.func), _content([function.args, function.keywords])]
    if callable(key := getattr(function, "key", None)) and not inspect.isclass(function):
        return [function_name(function), key()]
    if not hasattr(function, "__qualname__"):  # an object with __call__
        return [function_name(function), _source(type(function)), _content(function)]
    bound: list[Any] = []
    owner = getattr(function, "__self__", None)
    if owner is not None and not inspect.ismodule(owner):
        bound.append(owner)
    plain = getattr(function, "__func__", function)
    bound += [cell.cell_contents for cell in getattr(plain, "__closure__", None) or ()]
    bound += getattr(plain, "__defaults__", None) or ()
    bound += (getattr(plain, "__kwdefaults__", None) or {}).values()
    return [function_name(function), _source(plain), [_content(value) for value in bound]]


def _source(function: Any) -> str | None:
    try:
        source = inspect.getsource(function)
    except (OSError, TypeError):  # typed in, or not written in Python
        code = getattr(function, "__code__", None)
        if code is None:
            return None
        source = repr((code.co_code, code.co_consts, code.co_names))
    return _hash(source.encode("utf-8", "surrogatepass"))


def _content(value: Any) -> str:
    if inspect.isfunction(value):  # which pickle would only name
        return repr(function_key(value))
    try:
        return _hash(pickle.dumps(value, protocol=5))
    except Exception:  # each class fails to be pickled in its own way
        return repr(value)


def _hash(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=8).hexdigest()
