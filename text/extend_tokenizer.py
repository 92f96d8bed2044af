"""Extending a tokenizer by the words of a new corpus, so that a pretrained model can be kept up to date."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lightning_utilities.core.rank_zero import rank_zero_info

from ..errors import InputError, check_range
from .tokenizer import EXTENDS, load_tokenizer


@dataclass
class ExtendTokenizer:
    """A tokenizer to be extended by words of the training corpus; all that it knew stays as it was.

    A word is added when the tokenizer splits it into several pieces or does not know a letter of it: the words that
    save most tokens first. The embeddings of new words start at the mean of their old pieces' (as the modules see to).

    Args:
        extend: a name, a folder, or an earlier run: the tokenizer to start from, as a rule the backbone's own.
        words: how many to add at most.
        min_frequency: words seen less often are left out.
    """

    extend: str
    words: int = 1000
    min_frequency: int = 5

    def key(self) -> dict[str, Any]:
        """Return what a cache key must hold: the tokenizer by content, as a run may be trained again."""
        content = load_tokenizer(self.extend).backend_tokenizer.to_str()
        return {**asdict(self), "content": content}

    @property
    def doing(self) -> str:
        """What the log says of it."""
        return f"Extending the tokenizer of {self.extend}"

    def make(self, documents: Iterator[str], folder: Path) -> None:
        """Write the tokenizer.

        Args:
            documents: texts, read once; memory holds the counts of their words.
            folder: where to.

        Raises:
            InputError: if the tokenizer has no fast form, or options are out of range.
        """
        check_range("data.tokenizer.words", self.words, least=1)
        check_range("data.tokenizer.min_frequency", self.min_frequency, least=1)
        tokenizer: Any = load_tokenizer(self.extend)
        backend = getattr(tokenizer, "backend_tokenizer", None)
        if backend is None:
            raise InputError(f"The tokenizer of {self.extend} has no fast form (tokenizer.json), which this needs.")
        counts = count_words(backend, documents)
        pieces = {word: _pieces(backend, word) for word, n in counts.items() if n >= self.min_frequency}
        vocabulary = backend.get_vocab()
        wanted = [
            word
            for word, parts in pieces.items()
            if word not in vocabulary and _is_word(backend, word) and (len(parts) > 1 or tokenizer.unk_token in parts)
        ]
        wanted.sort(key=lambda word: (-counts[word] * (len(pieces[word]) - 1 or 1), word))
        content = json.loads(backend.to_str())
        ids = iter(range(max([len(tokenizer) - 1, *tokenizer.get_vocab().values()]) + 1, 10**9))
        added = add_words(content, wanted[: self.words], pieces, ids)
        tokenizer.save_pretrained(folder)
        (folder / "tokenizer.json").write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
        settings = folder / "tokenizer_config.json"
        known = json.loads(settings.read_text(encoding="utf-8"))
        settings.write_text(json.dumps({**known, EXTENDS: self.extend}, indent=2, ensure_ascii=False), encoding="utf-8")
        words = sum(counts.values())
        before = sum(n * len(_pieces(backend, word)) for word, n in counts.items()) / max(1, words)
        new = load_tokenizer(str(folder)).backend_tokenizer
        after = sum(n * len(_pieces(new, word)) for word, n in counts.items()) / max(1, words)
        rank_zero_info(
            f"The tokenizer of {self.extend} was extended by {added:,} words ({', '.join(wanted[:5])}, ...): "
            f"{before:.3f} tokens a word before, {after:.3f} now."
        )


def count_words(backend: Any, documents: Iterator[str]) -> Counter[str]:
    """Return how often each word occurs as the tokenizer's model sees it: normalized, with its mark of a space."""
    counts: Counter[str] = Counter()
    for text in documents:
        if backend.normalizer is not None:
            text = backend.normalizer.normalize_str(text)
        if backend.pre_tokenizer is None:
            counts.update(text.split())
        else:
            counts.update(word for word, _ in backend.pre_tokenizer.pre_tokenize_str(text))
    return counts


def add_words(content: dict[str, Any], words: list[str], pieces: dict[str, list[str]], ids: Iterator[int]) -> int:
    """Add words to the content of a tokenizer.json, in place.

    WordPiece finds the longest entry, and takes a whole word of itself. Unigram takes the likeliest way, and a word is
    made likelier than its pieces together. BPE gets merges that put the pieces together, after all others.

    Args:
        content: of the file.
        words: as the model sees them.
        pieces: of each word, so far.
        ids: free numbers, rising.

    Returns:
        How many there are more: words that BPE cannot build from pieces it knows are left out.
    """
    model = content["model"]
    added = 0
    if isinstance(model["vocab"], list):  # Unigram: numbers are places, and added tokens may lie behind the list
        vocab: list[Any] = model["vocab"]
        scores: dict[str, float] = dict(vocab)
        lowest = min(scores.values())
        later = sorted((t["id"], t["content"]) for t in content["added_tokens"] if t["id"] >= len(vocab))
        vocab += [[name, lowest - 100.0] for _, name in later]
        for word in words:
            known = [scores[piece] for piece in pieces[word] if piece in scores]
            vocab.append([word, sum(known) + 1.0 if len(known) == len(pieces[word]) else lowest])
            added += 1
        return added
    entries: dict[str, int] = model["vocab"]
    for word in words:
        if "merges" in model:
            parts = pieces[word]
            if "".join(parts) != word:
                continue  # a letter that it does not know
            listed = bool(model["merges"]) and isinstance(model["merges"][0], list)
            whole = parts[0]
            for part in parts[1:]:
                model["merges"].append([whole, part] if listed else f"{whole} {part}")
                whole += part
                if whole not in entries:
                    entries[whole] = next(ids)
        else:
            entries[word] = next(ids)
        added += 1
    return added


def _pieces(backend: Any, word: str) -> list[str]:
    return [token.value for token in backend.model.tokenize(word)]


def _is_word(backend: Any, word: str) -> bool:
    """Return whether there is a letter in it; byte-level pieces are spelled in letters that are none."""
    text = backend.decoder.decode([word]) if backend.decoder is not None else word
    return any(c.isalpha() for c in text)
