"""What language models of running text are asked: hidden words, and how a text goes on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import Any

from typing_extensions import override

from ..page.view import Fields, Prediction
from .task import MOST_TRIED, Task, required

SHOWN_WORDS = 30
"""Of a document, in an example."""


class Texts(Task):
    """Of what is trained on running text; a correction is a document."""

    @override
    def usual_columns(self) -> Any:
        source = getattr(self.data.source, "rest", self.data.source)  # of a mixture, the files beside it
        return {"text": getattr(source, "text_column", "text")}

    @override
    def read_columns(self, row: dict[str, Any]) -> None:
        pass

    @override
    def sample(self) -> Fields:
        return {"text": "A text."}

    @override
    def row(self, fields: Fields) -> dict[str, Any]:
        return {"text": fields["text"] or ""}

    @override
    def example_rows(self, split: str) -> Iterator[dict[str, Any]]:
        documents = islice(self.data.source.documents(split, Counter()), MOST_TRIED)
        yield from ({"text": text} for text in documents if len(_words(text)[0]) > 4)

    @override
    def corrected(self, fields: Fields, prediction: Prediction, right: Any) -> dict[str, Any]:
        return {self.columns["text"]: required(right, "what the text should be")}


class Masks(Texts):
    """Of `MaskedLanguageModeling`."""

    view = "masks"

    @override
    def settings(self) -> dict[str, Any]:
        return {"mask": self.module.tokenizer.mask_token}

    @override
    def fields(self, row: dict[str, Any]) -> Fields:
        words, space = _words(row["text"])
        words = words[:SHOWN_WORDS]
        words[len(words) // 2] = self.module.tokenizer.mask_token
        return {"text": space.join(words)}


class Beginnings(Texts):
    """Of `CausalLanguageModeling`."""

    view = "writing"

    @override
    def settings(self) -> dict[str, Any]:
        return {"continues": True}

    @override
    def fields(self, row: dict[str, Any]) -> Fields:
        words, space = _words(row["text"])
        return {"text": space.join(words[: min(8, len(words) // 2)])}


def _words(text: str) -> tuple[list[str], str]:
    """Return the words of a text, and what stands between them; characters, where spaces divide nothing."""
    words = text.split()
    return (words, " ") if len(words) > 4 else (list(text.strip()), "")
