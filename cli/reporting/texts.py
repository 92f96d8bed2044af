"""A row of a test as a reader sees it: its texts, with entities and answers marked, and what was said of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .run import Row
from .tested import Tested, found_entities, gold_entities

LONGEST = 700
"""Characters of a text that are shown."""
AROUND = 240
"""Characters that are shown before and after an answer."""


@dataclass(frozen=True)
class Piece:
    """A stretch of text.

    Args:
        text: what it says.
        mark: how it is marked: `right`, `wrong`, `missed`, or not at all.
        label: what stands beside it, such as the kind of an entity.
    """

    text: str
    mark: str = ""
    label: str = ""


@dataclass(frozen=True)
class Told:
    """A row for a template.

    Args:
        where: its place in the data.
        texts: each with a name, in pieces.
        said: what is said of it.
        facts: what else is known.
    """

    where: str
    texts: list[tuple[str, list[Piece]]]
    said: str
    facts: list[tuple[str, str]]


def told(row: Row, said: str, facts: list[tuple[str, str]] | None = None) -> Told:
    """Return a row with its texts, unmarked."""
    names = [name for name in ("text", "text_pair", "question", "context") if isinstance(row.get(name), str)]
    return Told(str(row.get("where", "")), [(name, [Piece(_cut(row[name]))]) for name in names], said, facts or [])


def verdict(tested: Tested, number: int) -> Told:
    """Return a row with what was predicted, and what is right.

    Args:
        tested: the rows.
        number: of the row among them.
    """
    row, sure = tested.rows[number], tested.confidence
    chance = f" ({sure[number]:.1%})" if sure is not None else ""
    kind = tested.kind
    if kind == "entities":
        return Told(
            str(row.get("where", "")), [("text", _marked(row))], f"least sure entity{chance}" if chance else "", []
        )
    if kind == "answer":
        return _answered(row, chance)
    if kind == "choice":
        endings = row["endings"]
        facts = [("right", endings[row["label"]]), ("chosen", endings[row["prediction"]])]
        return told(row, f"chosen: ending {row['prediction'] + 1}{chance}, right: {row['label'] + 1}", facts)
    if kind == "tags":
        pairs = zip(row.get("tags", []), row["prediction"], strict=False)
        wrong = [f"{a} for {b}" for b, a in pairs if a != b]
        return told(row, f"{len(wrong)} wrong tags: {', '.join(wrong[:12])}" if wrong else "all tags are right")
    if kind == "number":
        return told(row, f"predicted {row['prediction']:.4g}, right is {row.get('label', float('nan')):.4g}")
    if kind == "labels":
        return told(row, f"predicted {_names(row['prediction'])}{chance}, right: {_names(row.get('label', []))}")
    return told(row, f"predicted {row['prediction']}{chance}, right: {row.get('label')}")


def _names(labels: list[Any]) -> str:
    return ", ".join(map(str, labels)) or "none"


def _marked(row: Row) -> list[Piece]:
    """The text in pieces: what was found rightly, found wrongly, and missed; found ones go before missed ones."""
    text, gold, predicted = row["text"], gold_entities(row), found_entities(row)
    spans = [(s, e, kind, "right" if (s, e, kind) in gold else "wrong") for s, e, kind in sorted(predicted)]
    spans += [(s, e, kind, "missed") for s, e, kind in sorted(gold - predicted)]
    pieces, at = [], 0
    free = [span for span in spans if span[3] != "missed"]
    for span in spans:
        if span[3] == "missed" and all(span[1] <= s or span[0] >= e for s, e, _, _ in free):
            free.append(span)
    hidden = [span for span in spans if span not in free]
    for start, end, kind, mark in sorted(free):
        if start < at:
            continue
        missed = [k for s, e, k, _ in hidden if s < end and e > start]
        right = f", right: {' and '.join(missed)}" if missed else ""
        pieces += [
            Piece(text[at:start]),
            Piece(text[start:end], mark, kind + (", missed" if mark == "missed" else right)),
        ]
        at = end
    return [piece for piece in [*pieces, Piece(text[at:])] if piece.text]


def _answered(row: Row, chance: str) -> Told:
    """The question, and its context with the answer and the right one marked."""
    context, answer, golds = row["context"], row["prediction"], row.get("answers", [])
    right = answer in golds or (not answer and not golds)
    best = next((entry for entry in row.get("n_best", []) if entry["text"] == answer), None) if answer else None
    spans = [(best["start"], best["end"], "right" if right else "wrong", "answer")] if best else []
    if not right and golds and (place := context.find(golds[0])) >= 0:
        end = place + len(golds[0])
        if all(end <= s or place >= e for s, e, _, _ in spans):
            spans.append((place, end, "missed", "right answer"))
    spans.sort()
    begin = max(0, spans[0][0] - AROUND) if spans else 0
    stop = min(len(context), spans[-1][1] + AROUND) if spans else min(len(context), LONGEST)
    pieces, at = [Piece("…")] if begin else [], begin
    for start, end, mark, label in spans:
        pieces += [Piece(context[at:start]), Piece(context[start:end], mark, label)]
        at = end
    pieces += [Piece(context[at:stop]), *([Piece("…")] if stop < len(context) else [])]
    facts = [("answered", answer or "no answer"), ("right", " | ".join(dict.fromkeys(golds)) or "no answer")]
    texts = [("question", [Piece(row["question"])]), ("context", [p for p in pieces if p.text])]
    return Told(str(row.get("where", "")), texts, f"how sure it is: {chance.strip(' ()')}" if chance else "", facts)


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
