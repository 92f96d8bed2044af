"""Fill the masks of texts: python predict.py TEXT [TEXT ...], with the mask token of settings.json in them."""

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
    """Return each text with the likeliest words in the places of its masks, and the five likeliest of each."""
    found = []
    for row in map(TOKENIZER.encode, texts):
        given = {"input_ids": [row.ids], "attention_mask": [row.attention_mask], "token_type_ids": [row.type_ids]}
        logits = SESSION.run(None, {each.name: np.array(given[each.name]) for each in SESSION.get_inputs()})[0][0]
        scores = np.exp(logits - logits.max(-1, keepdims=True))
        scores = scores / scores.sum(-1, keepdims=True)
        ids, masks = list(row.ids), []
        for place in [i for i, token in enumerate(row.ids) if token == SETTINGS["mask_id"]]:
            best = scores[place].argsort()[::-1][:5].tolist()
            masks.append({TOKENIZER.decode([i]): float(scores[place][i]) for i in best})
            ids[place] = best[0]
        found.append({"prediction": TOKENIZER.decode(ids), "masks": masks})
    return found


if __name__ == "__main__":
    for row in predict(sys.argv[1:]):
        print(json.dumps(row, ensure_ascii=False))
