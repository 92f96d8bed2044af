"""Tag schemes for spans of words: which one data follow, how they spell it, and everything as IOB2."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from itertools import pairwise
from typing import Any, Literal, get_args

from ..errors import InputError
from ..storage.cells import is_whole

Scheme = Literal["iob1", "iob2", "iobes", "io", "tags"]
Span = tuple[int, int, str]
"""Where a span begins, where it ends, and its label."""
Spelling = Literal["B-X", "B_X", "X-B", "X_B", "b-x", "b_x", "x-b", "x_b", "B"]
"""How a prefix and a kind of span are put together; `B` has no kinds."""
INNER = {"M": "I", "L": "E", "U": "S"}
"""BMES calls the words in the middle M; BILOU calls the last word L and the only one U."""
ONE_KIND = "ENTITY"
"""The kind of spans whose tags name none."""
MOST_NAMES = 12


def _pattern(spelling: Spelling) -> re.Pattern[str]:
    letters = "[BIEMSLU]" if spelling.upper() == spelling else "[biemslu]"
    if spelling == "B":
        return re.compile(f"(?P<prefix>{letters})(?P<kind>)")
    first, between, _ = spelling
    prefix, kind = f"(?P<prefix>{letters})", "(?P<kind>.+)"
    return re.compile(prefix + between + kind if first in "Bb" else kind + between + prefix, re.DOTALL)


PATTERNS: dict[Spelling, re.Pattern[str]] = {spelling: _pattern(spelling) for spelling in get_args(Spelling)}


@dataclass(frozen=True)
class Convention:
    """How tags are to be read.

    Args:
        scheme: `iob1` writes B- only between two spans of one kind, `iob2` at the beginning of every span, `iobes` (or
            BILOU, BMES) also marks the last word and the only one, and plain names (`io`) mark neither. `tags` are no
            spans at all, but a name for each word, such as a part of speech.
        spelling: of prefix and kind.
        known: the most frequent tags, for messages.
    """

    scheme: Scheme
    spelling: Spelling = "B-X"
    known: tuple[str, ...] = ()

    @property
    def plain(self) -> bool:
        """Whether the data have IOB2 as it is written here, so that nothing is converted."""
        return self.scheme in ("iob2", "tags") and (self.scheme == "tags" or self.spelling == "B-X")

    def to_dict(self) -> dict[str, Any]:
        """Return what JSON can carry; `Convention(**fields)` takes it back."""
        return {**asdict(self), "known": list(self.known)}

    def split(self, tag: str) -> tuple[str, str] | None:
        """Return the prefix, one of O, B, I, E, S, and the kind; None for a tag that the convention does not have."""
        if tag == "O" or (tag == "o" and self.spelling.islower() and "O" not in self.known):
            return "O", ""
        if self.scheme == "io":
            return ("", tag) if self._fits(tag) else None
        match = PATTERNS[self.spelling].fullmatch(tag)
        if match is None:
            return None
        prefix = match["prefix"].upper()
        if self.scheme != "iobes" and prefix not in "BI":
            return None
        return INNER.get(prefix, prefix), match["kind"] or ONE_KIND

    def _fits(self, tag: str) -> bool:
        """Return whether a name is not another one of the data with a prefix."""
        match = PATTERNS["B-X"].fullmatch(tag)
        return match is None or match["kind"] not in self.known

    def said(self, named: bool) -> str:
        """Return what is told of data that are not IOB2.

        Args:
            named: whether the user gave names to what is in the files.
        """
        if self.scheme == "tags":
            if not named and self.known and all(map(is_whole, self.known)):
                return (
                    "The tags are numbers without names: each is a class, scored by accuracy. data.label_names: "
                    "[O, B-PER, I-PER, ...] would name them."
                )
            return "The tags name words, not spans: each is a class, scored by accuracy."
        if self.spelling == "B":
            return (
                f"The tags are {self.scheme.upper()} without kinds; they are read as B-{ONE_KIND} and I-{ONE_KIND}. "
                "data.label_names: {B: B-DISEASE, I: I-DISEASE} would name the kind."
            )
        if self.plain:
            return ""
        how = "" if self.spelling == "B-X" or self.scheme == "io" else f", spelled {self.spelling}"
        return f"The tags are {self.scheme.upper()}{how}; they are converted to IOB2."

    def read(self, where: str, tags: Sequence[str], place: Callable[[int], str] | None = None) -> list[str]:
        """Return the same spans in IOB2; names that are no spans as they are.

        Args:
            where: the place of the sentence, for messages.
            tags: of its words.
            place: of a word by its number, where that is known better.

        Raises:
            InputError: for a tag, or a sequence of tags, that the scheme does not allow.
        """
        at = place or (lambda number: where)
        if self.scheme == "tags":
            for number, tag in enumerate(tags):
                if not self._fits(tag):
                    raise InputError(self._unknown(at(number), tag, number))
            return list(tags)
        out: list[str] = []
        before, before_kind = "O", ""
        for number, tag in enumerate(tags):
            parts = self.split(tag)
            if parts is None:
                raise InputError(self._unknown(at(number), tag, number))
            prefix, kind = parts
            if not prefix:
                prefix = "I" if before != "O" and kind == before_kind else "B"
            goes_on = before in ("B", "I") and before_kind == kind
            if self.scheme == "iobes" and before in ("B", "I") and (prefix not in ("I", "E") or not goes_on):
                raise InputError(_illegal(at(number), tags, number, "IOBES closes a span with E- first"))
            if prefix in ("I", "E") and not goes_on:
                if self.scheme != "iob1":
                    hint = "a span begins with B-; data.scheme: iob1 would read it as a beginning"
                    raise InputError(_illegal(at(number), tags, number, hint))
                prefix = "B"
            out.append("O" if prefix == "O" else f"{'B' if prefix in ('B', 'S') else 'I'}-{kind}")
            before, before_kind = prefix, kind
        if self.scheme == "iobes" and before in ("B", "I"):
            raise InputError(_illegal(where, [*tags, "the end"], len(tags), "IOBES closes a span with E- first"))
        return out

    def _unknown(self, where: str, tag: str, number: int) -> str:
        known = [name for name in self.known if name != tag]
        rest = ", ..." if len(known) > MOST_NAMES else ""
        listed = f" ({', '.join(known[:MOST_NAMES])}{rest})" if known else ""
        near = nearest(tag, known)
        scheme = "plain names" if self.scheme == "io" else self.scheme.upper()
        return (
            f"{where}: the tag {tag!r} (word {number + 1}) is none of {scheme}, which the other tags are{listed}"
            f"{f'; did you mean {near!r}?' if near else '.'} data.scheme: tags would make each tag a class of its own."
        )


def nearest(tag: str, known: Sequence[str]) -> str | None:
    """Return the one of some tags that another was probably meant to be; a zero is an O."""
    folded = {name.upper().replace("_", "-"): name for name in reversed(known)}
    close = get_close_matches(tag.upper().replace("0", "O").replace("_", "-"), list(folded), n=1, cutoff=0.5)
    return folded[close[0]] if close else None


def detect(sentences: Iterable[Sequence[str]]) -> Convention:
    """Return the convention that most tags of a set of sentences follow: one slip of the pen changes nothing."""
    counts: Counter[str] = Counter()
    pairs: Counter[tuple[str, str]] = Counter()
    for tags in sentences:
        counts.update(tags)
        pairs.update(pairwise(["O", *tags]))
    known = tuple(name for name, _ in counts.most_common(50))
    outside = {"O"} if counts["O"] else {"o"}
    named = {tag: n for tag, n in counts.items() if tag not in outside}
    fits = {s: sum(n for t, n in named.items() if p.fullmatch(t)) for s, p in PATTERNS.items()}
    if not counts["O"]:
        fits["B"] = 0  # letters that are never outside of something are names
    spelling = max(fits, key=lambda s: fits[s])
    if not named:
        return Convention("iob2", known=known)
    if 2 * fits[spelling] <= sum(named.values()):
        return Convention("io" if counts["O"] else "tags", known=known)
    return Convention(_scheme(spelling, counts, pairs), spelling, known)


def _scheme(spelling: Spelling, counts: Counter[str], pairs: Counter[tuple[str, str]]) -> Scheme:
    parts = {t: (m["prefix"].upper(), m["kind"]) for t in counts if (m := PATTERNS[spelling].fullmatch(t))}
    prefixes: Counter[str] = Counter()
    for tag, (prefix, _) in parts.items():
        prefixes[prefix] += counts[tag]
    begins: Counter[str] = Counter()
    for (before, tag), n in pairs.items():
        if tag in parts and parts[tag][1] != parts.get(before, ("O", None))[1]:
            begins[parts[tag][0]] += n
    closed = sum(prefixes[letter] for letter in "ESLU")
    if closed and 2 * closed >= prefixes["B"] + begins["I"]:
        return "iobes"
    return "iob1" if begins["I"] > 9 * begins["B"] else "iob2"


def _illegal(where: str, tags: Sequence[str], number: int, why: str) -> str:
    before = tags[number - 1] if number else "the beginning"
    return f"{where}: an illegal tag sequence: {tags[number]!r} (word {number + 1}) follows {before!r}, where {why}."


def is_spans(labels: Iterable[str]) -> bool:
    """Return whether labels are IOB2: what does not begin a span anywhere names words, such as parts of speech."""
    labels = list(labels)
    return labels == ["O"] or any(name.startswith("B-") for name in labels)


def spans_of(tags: Sequence[str]) -> list[Span]:
    """Return the spans of IOB2 tags by word, strictly: an I- that continues nothing is none."""
    spans: list[Span] = []
    start: int | None = None
    kind = ""
    for number, tag in enumerate([*tags, "O"]):
        if start is not None and tag != f"I-{kind}":
            spans.append((start, number, kind))
            start = None
        if tag.startswith("B-"):
            start, kind = number, tag[2:]
    return spans


def continued(tag: str) -> str:
    """Return the tag of a word that goes on with the one before it."""
    return f"I-{tag[2:]}" if tag.startswith("B-") else tag
