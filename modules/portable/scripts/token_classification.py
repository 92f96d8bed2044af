"""Tag the words of texts: python predict.py TEXT [TEXT ...]; a long text is read in windows."""

import json
import re
import sys
import unicodedata
from functools import lru_cache
from pathlib import Path

import numpy as np
from onnxruntime import InferenceSession
from tokenizers import Tokenizer

FOLDER = Path(__file__).parent
SETTINGS = json.loads((FOLDER / "settings.json").read_text(encoding="utf-8"))
TOKENIZER = Tokenizer.from_file(str(FOLDER / "tokenizer.json"))
SESSION = InferenceSession(FOLDER / "model.onnx")
# Over the kinds of a text's characters: a character of a script without spaces; letters and digits, with formatting
# inside; a flag; any other sign, such as an emoji with joiners. Each has its marks.
WORD = re.compile("[ABP][BGJMT]*|L[BGJMT]*(?:[FGJ]*L[BGJMT]*)*|RR|[PRST][BGJMT]*(?:(?<=J)[PRST][BGJMT]*)*")
ALONE = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0002fa1f]")
SCRIPTS = ("THAI", "LAO", "KHMER", "MYANMAR")


@lru_cache(maxsize=1 << 16)
def kind(character):
    """Return which of the kinds in WORD a character is of; a space for what belongs to no word."""
    group, category = unicodedata.category(character)[0], unicodedata.category(character)
    is_alone = ALONE.match(character) or unicodedata.name(character, " ").split(" ")[0] in SCRIPTS
    is_alone = is_alone and character != "\u0e3f"  # the baht is of no script
    if group == "M":
        return "B" if is_alone else "M"
    if is_alone:
        return "A" if group in "LN" else "P"
    if group in "LN" or character == "_":
        return "L"
    if "\U0001f1e6" <= character <= "\U0001f1ff":
        return "R"
    if "\U0001f3fb" <= character <= "\U0001f3ff":  # skin tones
        return "T"
    if category == "Cf":
        if character == "\u200d" or "\U000e0020" <= character <= "\U000e007f":
            return "J" if character == "\u200d" else "G"
        return " " if character in "\u200b\u2060\u2061\u2062\u2063\u2064\ufeff" else "F"
    return " " if group == "Z" or category in ("Cc", "Cs") else "S"


def words_of(text):
    """Return where the words of a text begin and end."""
    return [match.span() for match in WORD.finditer("".join(map(kind, text)))]


def predict(texts):
    """Return the words of each text, and the tag of each word: that of its first token."""
    found = []
    for text, first in zip(texts, TOKENIZER.encode_batch(texts)):
        words, tags = words_of(text), {}
        for row in [first, *first.overflowing]:
            given = {"input_ids": [row.ids], "attention_mask": [row.attention_mask], "token_type_ids": [row.type_ids]}
            best = SESSION.run(None, {each.name: np.array(given[each.name]) for each in SESSION.get_inputs()})[0][
                0
            ].argmax(-1)
            for (begin, end), special, tag in zip(row.offsets, row.special_tokens_mask, best):
                word = next((n for n, (a, b) in enumerate(words) if a < end and begin < b), None)
                if word is not None and not special:
                    tags.setdefault(word, SETTINGS["labels"][tag])
        found.append({"words": [text[a:b] for a, b in words]})
        found[-1]["prediction"] = [tags.get(number, SETTINGS["labels"][0]) for number in range(len(words))]
    return found


if __name__ == "__main__":
    if len(sys.argv) < 2:
        print("usage: python predict.py", SETTINGS["arguments"], file=sys.stderr)
        sys.exit(2)
    for row in predict(sys.argv[1:]):
        print(json.dumps(row, ensure_ascii=False))
