"""The picture of a report: `python docs/pictures/report.py` trains a small classifier, opens its page, and takes it."""

from __future__ import annotations

import os
import random
import sys
import tempfile
from pathlib import Path

PLACE = Path(__file__).with_name("report.png")
WORDS = [
    "the",
    "a",
    "one",
    "small",
    "large",
    "old",
    "new",
    "film",
    "book",
    "song",
    "story",
    "plot",
    "actor",
    "scene",
    "ends",
    "begins",
    "is",
    "was",
]
CONFIG = """\
model:
  class_path: TextClassification
  init_args:
    backbone:
      config: {model_type: bert, hidden_size: 32, num_hidden_layers: 2, num_attention_heads: 2, intermediate_size: 64}
    learning_rate: 2.0e-3
data:
  class_path: TextClassificationDataModule
  init_args:
    train_files: train.csv
    test_files: test.csv
    batch_size: 16
    tokenizer: {train: wordpiece, min_frequency: 1, vocab_size: 200}
trainer: {accelerator: cpu, max_epochs: 6, log_every_n_steps: 2, enable_progress_bar: false}
"""


def write_rows(path: str, count: int, rng: random.Random) -> None:
    """Write reviews of which one in ten has the wrong label."""
    lines = ["review,stars"]
    for _ in range(count):
        good = rng.random() < 0.5
        words = [*rng.choices(WORDS, k=rng.randint(3, 20)), rng.choice(["good", "bright"] if good else ["bad", "dull"])]
        lines.append(f"{' '.join(words)},{'positive' if good == (rng.random() < 0.9) else 'negative'}")
    Path(path).write_text("\n".join(lines) + "\n")


def main() -> None:
    """Train, test, open the page in Chromium, and write the picture beside this file."""
    sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))
    from browser import browser

    from pretune.main import main as run

    home = os.getcwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        rng = random.Random(1)
        write_rows("train.csv", 600, rng)
        write_rows("test.csv", 300, rng)
        Path("reviews.yaml").write_text(CONFIG)
        run(["fit", "--config", "reviews.yaml"])
        run(["test", "--config", "reviews.yaml"])
        with browser() as page:
            page.open(Path("runs/reviews/version_0/report.html"), 1200)
            page.picture(PLACE, height=1500)
        os.chdir(home)


if __name__ == "__main__":
    main()
