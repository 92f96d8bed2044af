"""Answer a question from a text: python predict.py QUESTION TEXT [QUESTION TEXT ...]; long texts in windows."""

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
    """Return the answer to each question, its place in the text in characters, and the odds that there is none."""
    found = []
    for question, text in zip(texts[::2], texts[1::2]):
        spans, none, first = [], [], TOKENIZER.encode(question, text)
        for row in [first, *first.overflowing]:
            given = {"input_ids": [row.ids], "attention_mask": [row.attention_mask], "token_type_ids": [row.type_ids]}
            start, end = (
                logits[0]
                for logits in SESSION.run(
                    None, {each.name: np.array(given[each.name]) for each in SESSION.get_inputs()}
                )
            )
            null = 0 if SETTINGS["null"] == "first" else sum(row.attention_mask) - 1
            none.append(float(start[null] + end[null]))
            inside = [i for i, part in enumerate(row.sequence_ids) if part == 1 and not row.special_tokens_mask[i]]
            spans += [
                (float(start[i] + end[j]), row.offsets[i][0], row.offsets[j][1])
                for i in inside
                for j in inside
                if i <= j < i + SETTINGS["max_answer_length"]
            ]
        score, a, b = max(spans, default=(-1e30, 0, 0))
        odds = min(none) - score
        answer = (
            "" if SETTINGS["null_threshold"] is not None and odds > SETTINGS["null_threshold"] else text[a:b].strip()
        )
        found.append({"prediction": answer, "start": a, "end": b, "no_answer_odds": odds})
    return found


if __name__ == "__main__":
    if len(sys.argv) < 3 or len(sys.argv) % 2 == 0:
        print("usage: python predict.py", SETTINGS["arguments"], file=sys.stderr)
        sys.exit(2)
    for row in predict(sys.argv[1:]):
        print(json.dumps(row, ensure_ascii=False))
