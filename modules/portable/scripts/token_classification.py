"""Tag the words of texts: python predict.py TEXT [TEXT ...]; a long text is read in windows."""

import json
import re
import sys
from pathlib import Path

import numpy as np
from onnxruntime import InferenceSession
from tokenizers import Tokenizer

FOLDER = Path(__file__).parent
SETTINGS = json.loads((FOLDER / "settings.json").read_text(encoding="utf-8"))
TOKENIZER = Tokenizer.from_file(str(FOLDER / "tokenizer.json"))
SESSION = InferenceSession(FOLDER / "model.onnx")
WORD = re.compile(
    r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]|"
    r"[^\W\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]+|[^\w\s]"
)


def predict(texts):
    """Return the words of each text, and the tag of each word: that of its first token."""
    found = []
    for text, first in zip(texts, TOKENIZER.encode_batch(texts)):
        words, tags = [match.span() for match in WORD.finditer(text)], {}
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
