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
    """Return each text with the likeliest words in the places of its masks, and the five likeliest of each.

    Of a text that is too long, as much around each mask is read as fits.
    """
    found, before, after = [], SETTINGS["ids_before"], SETTINGS["ids_after"]
    room = SETTINGS["positions"] - len(before) - len(after)
    for text in texts:
        whole = TOKENIZER.encode(text, add_special_tokens=False).ids
        filled, masks, begun = list(whole), [], None
        for place in [i for i, token in enumerate(whole) if token == SETTINGS["mask_id"]]:
            first = max(0, min(place - room // 2, len(whole) - room))
            if first != begun:
                ids, begun = [*before, *whole[first : first + room], *after], first
                given = {"input_ids": [ids], "attention_mask": [[1] * len(ids)], "token_type_ids": [[0] * len(ids)]}
                inputs = {each.name: np.array(given[each.name]) for each in SESSION.get_inputs()}
                logits = SESSION.run(None, inputs)[0][0]
            scores = logits[len(before) + place - first]
            scores = np.exp(scores - scores.max())
            scores = scores / scores.sum()
            best = scores[: SETTINGS["words"]].argsort()[::-1][:5].tolist()
            masks.append({TOKENIZER.decode([i]): float(scores[i]) for i in best})
            filled[place] = best[0]
        found.append({"prediction": TOKENIZER.decode([*before, *filled, *after]), "masks": masks})
    return found


if __name__ == "__main__":
    if len(sys.argv) < 2:
        print("usage: python predict.py", SETTINGS["arguments"], file=sys.stderr)
        sys.exit(2)
    for row in predict(sys.argv[1:]):
        print(json.dumps(row, ensure_ascii=False))
