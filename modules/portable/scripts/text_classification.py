"""Classify texts: python predict.py TEXT [TEXT ...]; of a pair of texts, a tab divides the two."""

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
    """Return the label of each text, or its labels, with the probability of every label; or its number."""
    pairs = [text.split("\t", 1) for text in texts]
    rows = TOKENIZER.encode_batch([(p[0], SETTINGS["between"] + p[1]) if p[1:] else p[0] for p in pairs])
    given = {"input_ids": [r.ids for r in rows], "attention_mask": [r.attention_mask for r in rows]}
    given["token_type_ids"] = [r.type_ids for r in rows]
    logits = SESSION.run(None, {each.name: np.array(given[each.name]) for each in SESSION.get_inputs()})[0]
    if SETTINGS["problem"] == "regression":
        return [{"prediction": float(row[0])} for row in logits]
    scores = np.exp(logits - logits.max(-1, keepdims=True))
    scores = scores / scores.sum(-1, keepdims=True)
    if SETTINGS["problem"] == "multi":
        scores = 1 / (1 + np.exp(-logits))
    names, found = SETTINGS["labels"], []
    for row in scores:
        label = names[int(row.argmax())]
        if SETTINGS["problem"] == "multi":
            label = [name for name, p, least in zip(names, row, SETTINGS["thresholds"]) if p >= least]
        found.append({"prediction": label, "probabilities": dict(zip(names, row.tolist()))})
    return found


if __name__ == "__main__":
    if len(sys.argv) < 2:
        print("usage: python predict.py", SETTINGS["arguments"], file=sys.stderr)
        sys.exit(2)
    for row in predict(sys.argv[1:]):
        print(json.dumps(row, ensure_ascii=False))
