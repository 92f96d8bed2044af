"""The runs of version 0.1 beside this file, which later versions read; made by it: `python make.py`."""

from __future__ import annotations

from pathlib import Path

WORDS = "the a one small large old new good bad dull bright film book song story plot actor scene ends begins is was"
FOLDER = Path(__file__).parent

PRETRAIN = """\
model:
  class_path: MaskedLanguageModeling
  init_args:
    backbone:
      config: {model_type: bert, hidden_size: 16, num_hidden_layers: 1, num_attention_heads: 2, intermediate_size: 32, \
max_position_embeddings: 64}
data:
  class_path: CorpusDataModule
  init_args:
    train_files: corpus.txt
    tokenizer: {train: wordpiece, min_frequency: 1, vocab_size: 120}
    block_size: 32
    batch_size: 8
trainer: {max_steps: 6, limit_val_batches: 2}
"""
CLASSIFY = """\
model:
  class_path: TextClassification
  init_args:
    backbone: {name: runs/pretrain}
data:
  class_path: TextClassificationDataModule
  init_args: {train_files: reviews.csv, batch_size: 16}
trainer: {max_steps: 8}
"""


def sentence(number: int, length: int) -> str:
    words = WORDS.split()
    return " ".join(words[(number * 7 + i * i + i * number) % len(words)] for i in range(length)) + "."


def write() -> None:
    """Writes the data and the configurations into the working folder."""
    Path("corpus.txt").write_text("\n".join(sentence(i, 6 + i % 9) for i in range(240)) + "\n")
    rows = [
        f"{sentence(i, 4 + i % 7)} {'good' if i % 2 else 'bad'},{'positive' if i % 2 else 'negative'}"
        for i in range(80)
    ]
    Path("reviews.csv").write_text("text,label\n" + "\n".join(rows) + "\n")
    Path("pretrain.yaml").write_text(PRETRAIN)
    Path("classify.yaml").write_text(CLASSIFY)
    Path("adapt.yaml").write_text(CLASSIFY.replace("runs/pretrain}", "runs/pretrain, lora: {r: 2}}"))


def main() -> None:
    from pretune.main import main as run

    write()
    fixed = ("--trainer.accelerator=cpu", "--trainer.enable_progress_bar=false", "--trainer.log_every_n_steps=1")
    for name in ("pretrain", "classify", "adapt"):
        run(["fit", "--config", f"{name}.yaml", "--name", name, *fixed])
    for folder in Path("runs").glob("*/version_0"):
        for file in (*folder.glob("events*"), *folder.glob(".*"), folder / "curves.png"):
            file.unlink()


if __name__ == "__main__":
    main()
