"""Write a text for each source, by the likeliest token each time: python predict.py TEXT [TEXT ...]."""

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
    """Return what is written for each text, up to an end or as many tokens as settings.json allows."""
    found = []
    for row in TOKENIZER.encode_batch([SETTINGS["text_before"] + text for text in texts]):
        given = {"input_ids": [row.ids], "attention_mask": [row.attention_mask]}
        written = list(SETTINGS["start_ids"])
        while len(written) <= SETTINGS["max_new_tokens"]:
            given["decoder_input_ids"] = [written]
            written.append(
                int(
                    SESSION.run(None, {each.name: np.array(given[each.name]) for each in SESSION.get_inputs()})[0][
                        0, -1
                    ].argmax()
                )
            )
            if written[-1] in SETTINGS["stop_ids"]:
                break
        found.append({"prediction": TOKENIZER.decode(written)})
    return found


if __name__ == "__main__":
    if len(sys.argv) < 2:
        print("usage: python predict.py", SETTINGS["arguments"], file=sys.stderr)
        sys.exit(2)
    for row in predict(sys.argv[1:]):
        print(json.dumps(row, ensure_ascii=False))
