"""Texts of many scripts and forms of Unicode, with marked parts, and tokenizers of every kind that know them."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

from pretune.text.train_tokenizer import SPECIAL, TrainTokenizer, train_tokenizer

_MARKED = {
    "plain": "old [Tom Brown] lives in [Rome], now",
    "composed": "und [Zoë Müller] wohnt in [Mérida].",
    "decomposed": unicodedata.normalize("NFD", "und [Zoë Müller] wohnt in [Mérida] und [Bogotá]"),
    "hebrew": "הוא [דָּוִד] בא אל [יְרוּשָׁלַיִם] אתמול",
    "arabic": "ذهب [مُحَمَّد علي] إلى [القاهرة] أمس",
    "devanagari": "[राम शर्मा] आज [दिल्ली] में है",
    "thai": "ฉันอยู่ที่[กรุงเทพ]กับ[สมชาย]นะ",
    "chinese": "我在[北京大学]学[中文]。",
    "japanese": "私は[山田\u3000太郎]です。[東京タワー]へ",
    "emoji": "we [❤️ 👨\u200d👩\u200d👧] like [🇫🇷 Paris] and [👍🏽]!",
    "no-break": "le [M.\u00a0Dupont] a [10\u00a0000] euros",
    "hidden": "a so\u00adft [Ha\u00admburg] to [Ber\u200dlin]\u200b or \ufeff[Bonn] now",
    "directions": "the \u200f[دبي]\u200e and \u202a[Rome]\u202c here [می\u200cخواهم]",
}


def _unmarked(text: str) -> tuple[str, list[tuple[int, int]]]:
    """A text without its brackets, and where they were."""
    plain, spans = "", []
    for piece in text.split("["):
        inside, closed, after = piece.partition("]")
        if closed:
            spans.append((len(plain), len(plain) + len(inside)))
        plain += inside + after
    return plain, spans


TEXTS = {name: _unmarked(text) for name, text in _MARKED.items()}
"""Of each name a text and its parts."""
KINDS = ("wordpiece", "uncased", "bpe", "bytelevel", "unigram", "late")


def make_tokenizer(kind: str, folder: Path) -> None:
    """Trains a tokenizer of the texts; `late` has offsets that begin one character into a word."""
    texts = [text for text, _ in TEXTS.values()]
    size = {"bytelevel": 300, "late": 300}.get(kind, 260)
    known = {"uncased": "wordpiece", "late": "bytelevel"}.get(kind, kind)
    spec = TrainTokenizer(known, size, lowercase=kind == "uncased", min_frequency=1)  # type: ignore[arg-type]
    train_tokenizer(spec, iter(texts), folder)
    if kind == "late":
        path = folder / "tokenizer.json"
        content = json.loads(path.read_text())
        level = {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}
        content["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [{"type": "Whitespace"}, level]}
        cls, sep = (SPECIAL.index(name) for name in ("[CLS]", "[SEP]"))
        content["post_processor"] = {
            "type": "RobertaProcessing",
            "sep": ["[SEP]", sep],
            "cls": ["[CLS]", cls],
            "trim_offsets": True,
            "add_prefix_space": True,
        }
        path.write_text(json.dumps(content))
