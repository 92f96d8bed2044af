"""Run folders as `fit` and `test` leave them, made by hand."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

SCRIPT = '<script>document.title="broken"</script><img src=x onerror=alert(1)>'
HOSTILE = f'{SCRIPT} \u202ereversed \x1b[31m & "q" 中文字 عربي'
LABELS = ["negative", "positive", HOSTILE]


def make_run(folder: Path, rows: list[dict[str, Any]] | None = None, **more: Any) -> Path:
    """Write a run folder, with the rows of a test if there are any."""
    folder.mkdir(parents=True, exist_ok=True)
    before = {"val/loss": 1.0, "val/accuracy": 0.25}
    kept = {"step": 20, "train/loss": 0.3, "val/loss": 0.5, "val/accuracy": 0.8, "gap": 0.2}
    fit = {
        "status": "finished", "stopped": "trainer.max_steps (30) reached.", "steps": 30, "epochs": 3, "seconds": 61.0,
        "monitor": "val/accuracy", "mode": "max", "best": 0.8, "kept": kept,
        "last": {**kept, "step": 30, "val/loss": 0.6, "gap": 0.4},
    }  # fmt: skip
    summary: dict[str, Any] = {"fit": fit, "before": before}
    if rows is not None:
        summary["test"] = {"test/loss": 0.5, "test/accuracy": 0.75, "scored": {"checkpoint": "best.ckpt", "step": 20}}
        summary["test_rows"] = {"kept": len(rows), "left_out": 0}
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (folder / "test_predictions.jsonl").write_text(text, encoding="utf-8")
    summary |= {
        "setting": {"device": "cpu", "versions": {"torch": "2"}},
        "data": {"train": {"files": HOSTILE, "rows": 7, "labels": {HOSTILE: 3, "positive": 4}}},
        **more,
    }
    (folder / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
    (folder / "config.yaml").write_text("name: made\nmodel: {class_path: pretune.modules.TextClassification}\n")
    lines = ["epoch,step,train/loss,train/accuracy,val/loss,val/accuracy", "0,0,,,1.0,0.25"]
    for step in range(30):
        lines.append(f"{step // 10},{step},{1 - step / 40},,,")
        if step % 10 == 9:
            lines += [f"{step // 10},{step},,,{1 - step / 60},{step / 30}", f"{step // 10},{step},,{step / 29},,"]
    (folder / "metrics.csv").write_text("\n".join(lines) + "\n")
    return folder


def labeled(count: int, labels: list[str] = LABELS, seed: int = 0) -> list[dict[str, Any]]:
    """Rows of a test with single labels."""
    rng = random.Random(seed)
    rows = []
    for number in range(count):
        weights = [rng.random() ** 4 for _ in labels]
        chances = {name: w / sum(weights) for name, w in zip(labels, weights, strict=True)}
        prediction = max(chances, key=chances.__getitem__)
        right = prediction if rng.random() < 0.8 else rng.choice(labels)
        text = f"{number} {HOSTILE if number % 7 == 0 else 'an ordinary text of some words'}"
        rows.append({
            "row": number, "text": text, "where": f"part{number % 3}.csv:{number + 2}", "prediction": prediction,
            "probabilities": chances, "label": right, "tokens": 5 + number % 40,
        })  # fmt: skip
    return rows


def tagged() -> list[dict[str, Any]]:
    """Rows of a test with entities: one found rightly, one wrongly, one missed, one of the wrong kind."""
    text = "Ada Smith met Bob in Rome"
    words = [[0, 3], [4, 9], [10, 13], [14, 17], [18, 20], [21, 25]]
    entities = [
        {"text": "Ada Smith", "label": "PER", "start": 0, "end": 9, "score": 0.9},
        {"text": "met", "label": "PER", "start": 10, "end": 13, "score": 0.8},
        {"text": "Rome", "label": "PER", "start": 21, "end": 25, "score": 0.6},
    ]
    gold = ["B-PER", "I-PER", "O", "B-PER", "O", "B-LOC"]
    wrong = {"row": 0, "text": text, "words": words, "where": "a.jsonl:1", "tags": gold, "entities": entities,
             "prediction": ["B-PER", "I-PER", "B-PER", "O", "O", "B-PER"]}  # fmt: skip
    right = {**wrong, "row": 1, "tags": ["B-PER", "I-PER", "O", "O", "O", "O"], "entities": entities[:1],
             "prediction": ["B-PER", "I-PER", "O", "O", "O", "O"]}  # fmt: skip
    return [wrong, right] * 3


def answered() -> list[dict[str, Any]]:
    """Rows of a test with answers: a right one, a wrong one, and one that should not be there."""
    context = f"Ada lives in Rome, and Bob in Oslo. {HOSTILE}"
    rows = []
    for number, (answer, golds) in enumerate([("Rome", ["Rome"]), ("Oslo", ["Rome"]), ("Oslo", []), ("", ["Rome"])]):
        start = context.find(answer) if answer else 0
        best = [{"text": answer, "start": start, "end": start + len(answer), "score": 0.7}] if answer else []
        rows.append({
            "row": number, "question": f"Where {number}?", "context": context, "id": str(number), "answers": golds,
            "where": f"squad.json:{number}", "prediction": answer, "score": 0.7, "no_answer_odds": -1.0, "n_best": best,
        })  # fmt: skip
    return rows


def chosen() -> list[dict[str, Any]]:
    """Rows of a test with endings to choose from."""
    return [
        {"row": n, "context": "It rains.", "endings": ["wet", HOSTILE], "label": n % 2, "where": "a.jsonl:1",
         "prediction": 0, "probabilities": [0.7, 0.3], "tokens": 4}
        for n in range(6)
    ]  # fmt: skip


def several() -> list[dict[str, Any]]:
    """Rows of a test with several labels."""
    return [
        {"row": n, "text": HOSTILE, "label": ["a"] if n % 2 else ["a", "b"], "prediction": ["a"], "where": "a.csv:2",
         "probabilities": {"a": 0.9, "b": 0.3}, "tokens": n + 3}
        for n in range(8)
    ]  # fmt: skip


def numbers() -> list[dict[str, Any]]:
    """Rows of a test with numbers."""
    return [
        {"row": n, "text": "one", "text_pair": "two", "label": float(n), "prediction": n + 0.5 * (-1) ** n,
         "where": "a.csv:2", "tokens": 3 + n}
        for n in range(9)
    ]  # fmt: skip
