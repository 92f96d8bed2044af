"""Choose the ending that fits a context: python predict.py CONTEXT ENDING ENDING [ENDING ...]."""

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
    """Return the number of the likeliest ending, and the probability of each."""
    rows = TOKENIZER.encode_batch([(texts[0], SETTINGS["between"] + ending) for ending in texts[1:]])
    given = {"input_ids": [r.ids for r in rows], "attention_mask": [r.attention_mask for r in rows]}
    given["token_type_ids"] = [r.type_ids for r in rows]
    inputs = {each.name: np.array(given[each.name]) for each in SESSION.get_inputs()}
    if len(SESSION.get_inputs()[0].shape) == 3:  # rows, choices, tokens
        inputs = {name: array[None] for name, array in inputs.items()}
    logits = SESSION.run(None, inputs)[0].reshape(-1)
    scores = np.exp(logits - logits.max())
    return [{"prediction": int(logits.argmax()), "probabilities": (scores / scores.sum()).tolist()}]


if __name__ == "__main__":
    if len(sys.argv) < 4:
        print("usage: python predict.py", SETTINGS["arguments"], file=sys.stderr)
        sys.exit(2)
    for row in predict(sys.argv[1:]):
        print(json.dumps(row, ensure_ascii=False))
