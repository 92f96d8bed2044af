"""A trained Unigram model in an order of its own: the same text gives the same entries, scores and ids.

The trainer of `tokenizers` adds numbers in the order of a hash table, which differs from process to process: scores
differ in their last digits, and entries of nearly equal score change places. Letters that its pruning left without a
score get one after the other in that order, too.
"""

from __future__ import annotations

Piece = tuple[str, float]

DIGITS = 4
"""Of a score, a natural logarithm, after the point: far more than a segmentation depends on."""

STEP = 1e-4
"""Between the scores of the letters that the training left without one."""


def settled(pieces: list[Piece], special: int) -> list[Piece]:
    """Return the entries by falling score, rounded; equal ones by their text.

    Args:
        pieces: of the model: special tokens, then the others with the logarithms of their probabilities.
        special: how many special tokens there are.
    """
    scores = dict(pieces[special:])
    letters = sorted((score, piece) for piece, score in scores.items() if len(piece) == 1)
    if letters:
        highest = letters[0][0]
        for score, _ in letters:
            if abs(score - highest - STEP) < STEP / 100:
                highest = score
        scoreless = [(score, piece) for score, piece in letters if score <= highest]
        scores |= dict(
            zip(sorted(piece for _, piece in scoreless), sorted(score for score, _ in scoreless), strict=True)
        )
    rounded = [(piece, round(score, DIGITS)) for piece, score in scores.items()]
    return [*pieces[:special], *sorted(rounded, key=lambda entry: (-entry[1], entry[0]))]
