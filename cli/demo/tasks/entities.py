"""Texts with spans, and words with tags."""

from __future__ import annotations

from typing import Any

from typing_extensions import override

from ....errors import InputError
from ....storage.cells import listed
from ....text.places import words_of
from ..page.view import Fields, Prediction
from .task import Task


class Entities(Task):
    """Of `TokenClassification`: rows of words, or of texts, as the data have them."""

    view = "entities"

    @override
    def usual_columns(self) -> Any:
        data = self.data
        if data.tokens_column and not data.text_column:
            return {"tokens": data.tokens_column, "tags": data.tags_column}
        return {"text": data.text_column or "text", "spans": data.spans_column}

    @override
    def settings(self) -> dict[str, Any]:
        names = self.module.labels or []
        tagging = bool(self.module.tagging)
        return {"labels": list(names) if tagging else sorted({name[2:] for name in names if name != "O"})}

    @override
    def sample(self) -> Fields:
        return {"text": "A text."}

    @override
    def row(self, fields: Fields) -> dict[str, Any]:
        text = fields["text"] or ""
        if "tokens" not in self.columns:
            return {self.columns["text"]: text}
        if not text.strip():  # who types a text knows nothing of words
            raise InputError("The text is empty.")
        return {self.columns["tokens"]: _words(text)}

    @override
    def fields(self, row: dict[str, Any]) -> Fields:
        if "tokens" not in self.columns:
            return {"text": str(row[self.columns["text"]])}
        return {"text": " ".join(map(str, listed(row[self.columns["tokens"]])))}

    @override
    def finished(self, prediction: Prediction) -> Prediction:
        example = self.data.examples("predict")[0]
        spans = prediction.get("entities")
        if spans is None:
            pairs = zip(example["words"], prediction["prediction"], strict=True)
            spans = [{"start": start, "end": end, "label": tag} for (start, end), tag in pairs]
        return {**prediction, "text": example["text"], "spans": spans}

    def _convention(self) -> Any:
        convention = self.data.convention
        if convention.spelling != "B-X":
            raise InputError(
                f"The tags of these data are spelled {convention.spelling}, which a correction is not written in: "
                "rows of a text and its spans, or tags such as B-PER, would work."
            )
        return convention

    @override
    def corrected(self, fields: Fields, prediction: Prediction, right: Any) -> dict[str, Any]:
        at, spans = 0, list[dict[str, Any]]()
        for piece, label in right or []:
            if label is not None:
                spans.append({"start": at, "end": at + len(piece), "label": str(label)})
            at += len(piece)
        text = "".join(piece for piece, _ in right or [])
        before = [{key: span[key] for key in ("start", "end", "label")} for span in prediction["spans"]]
        if spans == before:
            raise InputError("This is what was found: mark first what would have been right.")
        if unknown := sorted({span["label"] for span in spans} - set(self.settings()["labels"])):
            raise InputError(f"There is no label {unknown[0]!r}; there are: {', '.join(self.settings()['labels'])}.")
        if "tokens" not in self.columns:
            return {self.columns["text"]: text, self.columns.get("spans") or "entities": spans}
        words = [(span["start"], span["end"]) for span in spans] if self.module.tagging else words_of(text)
        tags = [span["label"] for span in spans] if self.module.tagging else _tags(words, spans, self._convention())
        tokens = [text[start:end] for start, end in words]
        return {self.columns["tokens"]: tokens, self.columns.get("tags") or "ner_tags": tags}


def _words(text: str) -> list[str]:
    return [text[start:end] for start, end in words_of(text)]


def _tags(words: list[tuple[int, int]], spans: list[dict[str, Any]], convention: Any) -> list[str]:
    """Return the tags of words in the scheme of the data, with which they are read together."""

    def span_at(start: int, end: int) -> int:
        return next((n for n, span in enumerate(spans) if span["start"] < end and start < span["end"]), -1)

    inside = [span_at(*word) for word in words]
    tags = []
    for place, number in enumerate(inside):
        if number < 0:
            tags.append("O")
            continue
        first = place == 0 or inside[place - 1] != number
        last = place + 1 == len(inside) or inside[place + 1] != number
        tags.append(_tag(spans[number]["label"], first, last, place > 0 and inside[place - 1] >= 0, convention))
    return tags


def _tag(label: str, first: bool, last: bool, beside: bool, convention: Any) -> str:
    letters = {
        "iob2": "B" if first else "I",
        "iob1": "B" if first and beside else "I",
        "iobes": ("S" if last else "B") if first else ("E" if last else "I"),
    }
    if convention.scheme == "io":
        return label
    return f"{letters.get(convention.scheme, letters['iob2'])}-{label}"
