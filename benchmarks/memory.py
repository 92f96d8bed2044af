"""Peak memory and time of tokenizing a large corpus: bounded, whatever its size.

    python benchmarks/memory.py [--megabytes 1000] [--folder /tmp]

The text is generated: words of a Zipf distribution, one document a line.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path

import numpy as np

from pretune.datamodules import CorpusDataModule


def generate(path: Path, megabytes: int) -> None:
    """Writes about so many megabytes of words."""
    rng = np.random.default_rng(0)
    letters = np.array(list("etaoinshrdlucmfwypvbgk"))
    words = np.array(["".join(rng.choice(letters, rng.integers(2, 11))) for _ in range(50_000)])
    with path.open("w") as file:
        while file.tell() < megabytes * 1_000_000:
            picked = words[np.minimum(rng.zipf(1.2, 200_000) - 1, len(words) - 1)]
            file.writelines(" ".join(line) + "\n" for line in picked.reshape(-1, 40))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=1000)
    parser.add_argument("--folder", default=tempfile.gettempdir())
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        corpus = Path(folder, "corpus.txt")
        generate(corpus, given.megabytes)
        spec: dict[str, object] = {"train": "wordpiece", "vocab_size": 16384}
        data = CorpusDataModule(str(corpus), tokenizer=spec, cache_dir=f"{folder}/cache")  # type: ignore[arg-type]
        began = time.monotonic()
        data.prepare_data()
        cold = time.monotonic() - began
        began = time.monotonic()
        data.setup("fit")
        next(iter(data.train_dataloader()))
        warm = time.monotonic() - began
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        size, tokens = corpus.stat().st_size / 1e6, data.datasets["train"].tokens
        print(
            f"{size:.0f} MB of text, {tokens / 1e6:.0f} M tokens: tokenizer trained and text tokenized in {cold:.0f} s "
            f"({size / cold:.1f} MB/s), then mapped and first batch after {warm:.2f} s; peak memory {peak:.0f} MB."
        )
