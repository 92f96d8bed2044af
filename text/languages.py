"""Which language a text is in: py3langid, whose model comes with it, or a model of fastText's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..errors import InputError, first_line
from .rules import Judge

Identify = Callable[[str], tuple[str, float]]
"""Takes a text to its language and to how sure that is, 0 to 1."""


def make_language_judge(languages: Sequence[str], model: str | None, score: float) -> Judge:
    """Return what drops texts of other languages.

    Args:
        languages: to keep, by code: `en`, `de`.
        model: path of a model of fastText's such as lid.176.bin; null for py3langid.
        score: how sure it must be.

    Raises:
        InputError: if a package is missing, or the model cannot be read, or knows none of the languages.
    """
    identify, known = _py3langid() if model is None else _fasttext(model)
    if unknown := [language for language in languages if language not in known]:
        raise InputError(
            f"data.cleaning.languages: {', '.join(unknown)} is none that can be told; these can: "
            f"{', '.join(sorted(known))}."
        )
    wanted = set(languages)

    def judge(text: str) -> tuple[str, str | None]:
        language, sure = identify(text)
        if language not in wanted:
            return text, "other language"
        return text, None if sure >= score else "language unsure"

    return judge


def _py3langid() -> tuple[Identify, set[str]]:
    try:
        from py3langid.langid import MODEL_FILE, LanguageIdentifier
    except ImportError as error:
        raise InputError(
            'data.cleaning.languages needs the package py3langid: pip install "pretune[prepare]".'
        ) from error
    identifier: Any = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)

    def identify(text: str) -> tuple[str, float]:
        language, sure = identifier.classify(text)
        return str(language), float(sure)

    return identify, set(identifier.labels)


def _fasttext(path: str) -> tuple[Identify, set[str]]:
    try:
        import fasttext
    except ImportError as error:
        raise InputError(
            "data.cleaning.language_model needs the package fasttext: pip install fasttext-numpy2-wheel. Without such "
            "a model (null), py3langid tells languages."
        ) from error
    try:
        model = fasttext.load_model(path)
    except ValueError as error:
        raise InputError(f"data.cleaning.language_model: {first_line(error).rstrip('.')}.") from error

    def identify(text: str) -> tuple[str, float]:
        labels, sure = model.predict(text.replace("\n", " "), k=1)
        return (labels[0].removeprefix("__label__"), float(sure[0])) if labels else ("", 0.0)

    return identify, {label.removeprefix("__label__") for label in model.get_labels()}
