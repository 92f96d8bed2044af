"""Cleaning of raw text before it is tokenized: lengths, copies, languages, rules, and a filter of the user's own."""

from __future__ import annotations

import functools
import hashlib
import inspect
import os
import pickle
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from ..errors import InputError, check_range, first_line
from .languages import make_language_judge
from .near_duplicates import NearDuplicates, minhash
from .readers.identity import fingerprint
from .rules import EDITING, RULES, Judge, RuleName, make_rule


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
        languages: keep texts in these languages alone: `[en]`. Told by py3langid, or by `language_model`.
        language_model: a model of fastText's on this machine, such as lid.176.bin; null for py3langid.
        language_score: how sure it must be of the language, 0 to 1.
        rules: published rules of quality, made for English web pages, in the order in which they are asked:
            `gopher_quality`, `gopher_repetition` (arXiv 2112.11446), `c4_quality` (which also takes lines out of texts)
            and `c4_paragraphs` (arXiv 1910.10683), `fineweb_quality` (arXiv 2406.17557). Needs the package datatrove.
    """

    min_characters: int = 0
    max_characters: int | None = None
    exact_duplicates: bool = False
    near_duplicates: float | None = None
    filter: Callable[[str], bool] | None = None
    languages: list[str] | None = None
    language_model: str | None = None
    language_score: float = 0.65
    rules: list[RuleName] | None = None

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
        check_range("data.cleaning.language_score", self.language_score, least=0, most=1)
        if unknown := [rule for rule in self.rules or [] if rule not in RULES]:
            raise InputError(f"data.cleaning.rules: there is no rule {unknown[0]!r}; there are: {', '.join(RULES)}.")
        if self.language_model is not None and not os.path.isfile(self.language_model):
            raise InputError(f"data.cleaning.language_model: there is no file {self.language_model}.")
        if self.language_model is not None and not self.languages:
            raise InputError(
                "data.cleaning.language_model tells languages apart: say which in data.cleaning.languages."
            )
        if self.filter is not None and not callable(self.filter):
            raise InputError(
                f"data.cleaning.filter is {self.filter!r}; it must be the import path of a function, such as "
                "my_package.is_english."
            )

    def check_packages(self) -> None:
        """Raise an `InputError` if a package is needed and missing."""
        if self.near_duplicates is not None:
            minhash()
        self.judges()

    def key(self) -> dict[str, Any]:
        """Return what a cache key must hold."""
        key: dict[str, Any] = {
            "min_characters": self.min_characters,
            "max_characters": self.max_characters,
            "exact_duplicates": self.exact_duplicates,
            "near_duplicates": self.near_duplicates,
            "filter": function_key(self.filter),
        }
        if self.languages:
            model = None if self.language_model is None else fingerprint([self.language_model])[0][1:]
            key["languages"] = [sorted(self.languages), model, self.language_score]
        if self.rules:
            key["rules"] = self.rules
        return key

    def clean(self, documents: Iterator[str], skipped: Counter[str]) -> Iterator[str]:
        """Yield the documents that stay, in their order.

        Args:
            documents: texts, read once.
            skipped: counts what was left out, as `too short`, `too long`, `exact duplicates`, `other language`,
                `gopher_quality: ...`, `filtered`, `near duplicates`; the first that applies.

        Raises:
            InputError: if a package is needed and missing, or the filter fails.
        """
        seen: set[int] = set()
        near = None if self.near_duplicates is None else NearDuplicates(self.near_duplicates)
        judges = list(self.judges().values())
        for text in documents:
            reason = self.misfit(text)
            if reason is None and self.exact_duplicates and _seen(text, seen):
                reason = "exact duplicates"
            if reason is None:
                # Before near duplicates: a document that is filtered out must not take others with it.
                text, reason = judged(text, judges)
            if reason is None and near is not None and near.seen(text):
                reason = "near duplicates"
            if reason is None:
                yield text
            else:
                skipped[reason] += 1

    def misfit(self, text: str) -> str | None:
        """Return whether a text is too short or too long; None where it is neither."""
        if len(text) < self.min_characters:
            return "too short"
        return "too long" if self.max_characters is not None and len(text) > self.max_characters else None

    def judges(self) -> dict[str, Judge]:
        """Return what tells of one text by itself whether it stays, by name: languages, rules, the user's filter.

        Raises:
            InputError: if a package is missing.
        """
        made: dict[str, Judge] = {}
        if self.languages:
            made["languages"] = make_language_judge(self.languages, self.language_model, self.language_score)
        made |= {name: make_rule(name) for name in self.rules or []}
        if self.filter is not None:
            made["filter"] = lambda text: (text, None if self._keeps(text) else "filtered")
        return made

    def editors(self) -> list[Judge]:
        """Return those of the rules that take lines out of the texts which they keep."""
        return [make_rule(name) for name in self.rules or [] if name in EDITING]

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


def judged(text: str, judges: list[Judge]) -> tuple[str, str | None]:
    """Return what is left of a text, and why it is to be dropped; None keeps it."""
    for judge in judges:
        text, reason = judge(text)
        if reason is not None:
            return text, reason
    return text, None


def folded(text: str) -> str:
    """Return a text as exact copies have it in common: white space does not tell them apart."""
    return " ".join(text.split())


def _seen(text: str, seen: set[int]) -> bool:
    number = int.from_bytes(
        hashlib.blake2b(folded(text).encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little"
    )
    if number in seen:
        return True
    seen.add(number)
    return False


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
