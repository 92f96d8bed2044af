"""Print the outputs for texts: python predict.py TEXT [TEXT ...]; of a pair of texts, a tab divides the two."""

import json
import sys
from pathlib import Path

import numpy as np
from onnxruntime import InferenceSession
from tokenizers import Tokenizer

FOLDER = Path(__file__).parent
SETTINGS = json.loads((FOLDER / "settings.json").read_text(encoding="utf-8"))
TOKENIZER = Tokenizer.from_file(str(FOLDER / "tokenizer.json"))
SESSION = InferenceSession(FOLDER / "model.onnx")


def predict(texts):
    """Return the outputs for each text by name, and its tokens."""
    found = []
    for text in texts:
        row = TOKENIZER.encode(*text.split("\t", 1))
        given = {"input_ids": [row.ids], "attention_mask": [row.attention_mask], "token_type_ids": [row.type_ids]}
        outputs = SESSION.run(None, {each.name: np.array(given[each.name]) for each in SESSION.get_inputs()})
        names = [each.name for each in SESSION.get_outputs()]
        found.append({"tokens": row.tokens} | {name: value[0].tolist() for name, value in zip(names, outputs)})
    return found


if __name__ == "__main__":
    if len(sys.argv) < 2:
        print("usage: python predict.py", SETTINGS["arguments"], file=sys.stderr)
        sys.exit(2)
    for row in predict(sys.argv[1:]):
        print(json.dumps(row, ensure_ascii=False))
