"""Training a tokenizer on a corpus."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from ..errors import InputError
from .progress import working
from .unigram_scores import settled
from .word_counts import count_words, train_wordpiece


@dataclass
class TrainTokenizer:
    """A tokenizer to be trained on the training corpus.

    The same text gives the same tokenizer wherever it is trained. (`unigram` adds up in no fixed order, and the
    last digits are left out: a corpus on which they decide is possible, and processes that then hold different
    tokenizers are stopped before they train.)

    Args:
        train: `wordpiece` (BERT), `bpe` (on characters, words apart), `bytelevel` (GPT-2, RoBERTa: never an unknown
            token), `unigram` (SentencePiece's, arXiv 1804.10959), or `character`.
        vocab_size: entries at most, special tokens included.
        lowercase: fold case and accents.
        min_frequency: pairs and words seen less often are left out.
    """

    train: Literal["wordpiece", "bpe", "bytelevel", "unigram", "character"]
    vocab_size: int = 16384
    lowercase: bool = False
    min_frequency: int = 2

    def key(self) -> dict[str, Any]:
        """Return what a cache key must hold."""
        return asdict(self)

    def make(self, documents: Iterator[str], folder: Path) -> None:
        """Train on documents and write the tokenizer."""
        train_tokenizer(self, documents, folder)

    @property
    def doing(self) -> str:
        """What the log says of it."""
        return f"Training a {self.train} tokenizer"


SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def train_tokenizer(spec: TrainTokenizer, documents: Iterator[str], folder: Path) -> None:
    """Train and write a tokenizer that `AutoTokenizer` reads.

    Args:
        spec: which, and how large.
        documents: texts, read once; memory holds the counts of their words.
        folder: where to.

    Raises:
        InputError: if the vocabulary has no room, or the corpus no text.
    """
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    if spec.vocab_size < 32:
        raise InputError(f"data.tokenizer.vocab_size is {spec.vocab_size}; special tokens and letters need more.")
    common: dict[str, Any] = {"vocab_size": spec.vocab_size, "special_tokens": SPECIAL, "show_progress": False}
    counted = {**common, "min_frequency": spec.min_frequency}
    steps: list[Any] = [normalizers.NFC()]
    if spec.lowercase:
        steps = [normalizers.NFD(), normalizers.Lowercase(), normalizers.StripAccents()]
    if spec.train == "wordpiece":
        tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
        tokenizer.normalizer = normalizers.BertNormalizer(lowercase=spec.lowercase, strip_accents=spec.lowercase)
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        tokenizer.decoder = decoders.WordPiece()
        words = count_words(tokenizer, documents)
        with working("training the tokenizer"):
            vocabulary = train_wordpiece(words, spec.vocab_size, spec.min_frequency, SPECIAL)
        tokenizer.model = models.WordPiece(vocabulary, unk_token="[UNK]")
        tokenizer.add_special_tokens(SPECIAL)
        trainer: Any = None
    elif spec.train == "bytelevel":
        tokenizer = Tokenizer(models.BPE())
        tokenizer.normalizer = normalizers.Sequence(steps) if spec.lowercase else None
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(**counted, initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    elif spec.train == "bpe":
        tokenizer = Tokenizer(models.BPE(unk_token="[UNK]"))
        tokenizer.normalizer = normalizers.Sequence(steps)
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
        tokenizer.decoder = decoders.Metaspace()
        trainer = trainers.BpeTrainer(**counted)
    elif spec.train == "unigram":
        tokenizer = Tokenizer(models.Unigram())
        tokenizer.normalizer = normalizers.Sequence(steps)
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
        tokenizer.decoder = decoders.Metaspace()
        trainer = trainers.UnigramTrainer(**common, unk_token="[UNK]")
    else:
        tokenizer = Tokenizer(models.WordLevel(unk_token="[UNK]"))
        tokenizer.normalizer = normalizers.Sequence(steps)
        # Every character is a word; `isolated` keeps spaces and line ends, which carry the text's shape.
        tokenizer.pre_tokenizer = pre_tokenizers.Split(_any_character(), "isolated")
        tokenizer.decoder = decoders.Fuse()
        trainer = trainers.WordLevelTrainer(**{**counted, "min_frequency": 1})
    try:
        if trainer is not None:
            with working("training the tokenizer"):
                tokenizer.train_from_iterator(documents, trainer)
    except Exception as error:  # it has no class of its own
        if "not large enough to contain all chars" not in str(error):
            raise
        raise InputError(
            f"data.tokenizer.vocab_size is {spec.vocab_size}, but the text has more characters than that, and unigram "
            "needs each of them. More words would do, or {train: bytelevel}, which writes them in bytes."
        ) from error
    if spec.train == "unigram":
        learned = json.loads(tokenizer.to_str())["model"]
        pieces = settled([(piece, score) for piece, score in learned["vocab"]], len(SPECIAL))
        tokenizer.model = models.Unigram(pieces, learned["unk_id"], learned.get("byte_fallback", False))
    if tokenizer.get_vocab_size() <= len(SPECIAL):
        raise InputError("The tokenizer found no text to learn from.")
    cls, sep = tokenizer.token_to_id("[CLS]"), tokenizer.token_to_id("[SEP]")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", cls), ("[SEP]", sep)]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    ).save_pretrained(folder)


def _any_character() -> Any:
    from tokenizers import Regex

    return Regex(r"[\s\S]")
