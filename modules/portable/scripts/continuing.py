"""Continue texts, or answer them, by the likeliest token each time: python predict.py TEXT [TEXT ...]."""

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
    """Return what follows each text, up to an end or as many tokens as settings.json allows."""
    found = []
    for text in texts:
        framed = SETTINGS["text_before"] + text + SETTINGS["text_after"]
        plain = TOKENIZER.encode(framed, add_special_tokens=False).ids[: SETTINGS["room"]]
        ids = [*SETTINGS["ids_before"], *plain, *SETTINGS["ids_after"]] or [SETTINGS["begin_id"]]
        begun = len(ids)
        while len(ids) < min(begun + SETTINGS["max_new_tokens"], SETTINGS["positions"]):
            given = {"input_ids": [ids], "attention_mask": [[1] * len(ids)], "token_type_ids": [[0] * len(ids)]}
            ids.append(
                int(
                    SESSION.run(None, {each.name: np.array(given[each.name]) for each in SESSION.get_inputs()})[0][
                        0, -1
                    ].argmax()
                )
            )
            if ids[-1] in SETTINGS["stop_ids"]:
                break
        found.append({"prediction": TOKENIZER.decode(ids[begun:])})
    return found


if __name__ == "__main__":
    if len(sys.argv) < 2:
        print("usage: python predict.py", SETTINGS["arguments"], file=sys.stderr)
        sys.exit(2)
    for row in predict(sys.argv[1:]):
        print(json.dumps(row, ensure_ascii=False))
