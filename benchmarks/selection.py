"""What `data.selection` brings: the loss on each kind of text after equal steps on differently selected documents.

    python benchmarks/selection.py DATA [--seeds 1 2 3] [--keep 0.1] [--steps 300] [--documents 250] [--kinds wikitext
        ...] [--cases all random importance diversity] [--model gpt2] [--results selection.json] [--table]

The corpus holds as many documents of each kind: WikiText-2, Chinese classics, Shakespeare, web pages (C4), installed
documentation, and noise (random words of random letters); each of 1,000 characters at most. DATA holds
`wikitext-2/{train,validation,test}.txt`, `zh_classics/` and `tiny_shakespeare/` alike, and
`c4_en_300/{train,validation}.jsonl`. A case selects from it, and a tiny network learns from what is left, for as many
steps in every case, all with the tokenizer of the whole corpus. Then its loss is taken on texts of each kind that
neither the corpus nor the target holds. `importance` is selected for each kind by itself, with other texts of the kind
as the target: one network for each. `all` and the others do not know which kind is wanted.

What was measured is kept in `--results`, and what is there is not measured again.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import string
import sys
from collections import Counter
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
NOISE = "noise"
KINDS = ("wikitext", "classics", "shakespeare", "web", "docs")
CASES = ("all", "random", "importance", "diversity")
LONGEST = 1_000
"""Characters of a document."""
HELD_OUT = 20_000
"""Characters of each kind that the loss is taken on, and as many that are the target."""
NETWORKS: dict[str, tuple[str, dict[str, Any]]] = {
    "gpt2": ("CausalLanguageModeling", {"model_type": "gpt2", "n_embd": 128, "n_layer": 2, "n_head": 2}),
    "bert": (
        "MaskedLanguageModeling",
        {
            "model_type": "bert",
            "hidden_size": 128,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "intermediate_size": 512,
        },
    ),
}
BARE = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "enable_model_summary": False}


def pieces(paragraphs: list[str]) -> list[str]:
    """Paragraphs joined, or cut, into documents."""
    made, held = [], ""
    for paragraph in paragraphs:
        for begin in range(0, len(paragraph), LONGEST):
            part = paragraph[begin : begin + LONGEST]
            if held and len(held) + len(part) > LONGEST:
                made.append(held)
                held = ""
            held += part + "\n"
    return [text.strip() for text in [*made, held] if len(text) >= LONGEST // 5]


def split(data: Path, kind: str, part: str, cache: Path) -> list[str]:
    """The documents of a kind."""
    from pretune.text.readers import read_installed_docs

    halves = {"validation": slice(0, None, 2), "test": slice(1, None, 2), "train": slice(None)}
    of = "train" if part == "train" else "validation"
    if kind == "docs":
        rows = read_installed_docs("corpus", of, cache_dir=str(cache))
        texts = [row["text"] for row in rows if len(row["text"]) >= LONGEST // 5]
        return [text[:LONGEST] for text in texts[halves[part]]]
    if kind == "web":
        lines = (data / "c4_en_300" / f"{of}.jsonl").read_text(encoding="utf-8").splitlines()
        return [json.loads(line)["text"][:LONGEST] for line in lines[halves[part]]]
    folder, blank = {"wikitext": ("wikitext-2", "\n"), "classics": ("zh_classics", "\n")}.get(
        kind, ("tiny_shakespeare", "\n\n")
    )
    return pieces((data / folder / f"{part}.txt").read_text(encoding="utf-8").split(blank))


def noise(count: int) -> list[str]:
    """Words of random letters."""
    rng = random.Random(0)
    return [
        " ".join("".join(rng.choices(string.ascii_lowercase, k=rng.randint(2, 9))) for _ in range(120))
        for _ in range(count)
    ]


def write_texts(given: argparse.Namespace) -> None:
    """The corpus, and of each kind the target and what the loss is taken on."""
    rows = []
    for kind in (*KINDS, NOISE):
        found = noise(given.documents) if kind == NOISE else split(given.data, kind, "train", given.runs)
        rows += [{"text": text, "kind": kind} for text in random.Random(0).sample(found, len(found))[: given.documents]]
        for part in ("validation", "test") if kind != NOISE else ():
            texts, size = [], 0
            for text in split(given.data, kind, part, given.runs):
                if size < HELD_OUT:
                    texts.append({"text": text})
                    size += len(text)
            write(given.runs / f"{kind}-{part}.jsonl", texts)
    write(given.runs / "corpus.jsonl", random.Random(0).sample(rows, len(rows)))


def write(path: Path, rows: list[dict[str, str]]) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def selection_of(given: argparse.Namespace, case: str, target: str, seed: int) -> Any:
    """The options of a case."""
    from pretune.datamodules import Selection

    if case == "all":
        return None
    files = str(given.runs / f"{target}-validation.jsonl") if case == "importance" else None
    return Selection(case, given.keep, target=files, seed=seed)  # type: ignore[arg-type]


def kept_kinds(given: argparse.Namespace, selection: Any) -> dict[str, int]:
    """How many documents of each kind are kept."""
    from pretune.text.selection.drawing import thresholds
    from pretune.text.selection.gathering import gather
    from pretune.text.selection.judging import make_judge

    rows = [json.loads(line) for line in (given.runs / "corpus.jsonl").read_text(encoding="utf-8").splitlines()]
    if selection is None:
        return dict(Counter(row["kind"] for row in rows))
    texts = [row["text"] for row in rows]
    judged = make_judge(selection, gather(selection, texts))(texts)
    stays = judged.keys >= thresholds(judged.keys, judged.groups, selection.count(len(texts), "corpus"))[judged.groups]
    return dict(Counter(row["kind"] for row, stay in zip(rows, stays, strict=True) if stay))


def losses(given: argparse.Namespace, selection: Any, seed: int) -> dict[str, float]:
    """Trains, and returns the loss on each kind."""
    from lightning.pytorch import Trainer, seed_everything

    from pretune import modules
    from pretune.cli.quiet import quiet
    from pretune.datamodules import CorpusDataModule, TrainTokenizer

    seed_everything(seed, verbose=False)
    name, config = NETWORKS[given.model]
    shape: dict[str, Any] = {"block_size": 64, "batch_size": 16, "cache_dir": str(given.runs), "seed": seed}
    corpus = str(given.runs / "corpus.jsonl")
    data = CorpusDataModule(
        corpus,
        validation_fraction=0.0,
        tokenizer=TrainTokenizer("bytelevel", 4096),
        selection=selection,
        **shape,
    )
    module = getattr(modules, name)({"config": config}, learning_rate=2e-3, warmup=0.1)
    trainer = Trainer(accelerator="cpu", precision="32-true", max_steps=given.steps, **BARE)
    found = {}
    with quiet():
        trainer.fit(module, data)
        for kind in KINDS:
            held_out = CorpusDataModule(validation_files=str(given.runs / f"{kind}-test.jsonl"), **shape)
            held_out.use_tokenizer(data.tokenizer)
            (scores,) = trainer.validate(module, held_out, verbose=False)
            found[kind] = float(scores["val/loss"])
    return found


def name_of(given: argparse.Namespace, case: str, target: str, seed: int) -> str:
    wanted = f" {target}" if case == "importance" else ""
    return f"{given.model} {case}{wanted} keep={given.keep} steps={given.steps} of={given.documents} seed={seed}"


def measure(given: argparse.Namespace, store: Any, machine: Any) -> None:
    """Measures what is missing."""
    for seed in given.seeds:
        for case in given.cases:
            for target in given.kinds if case == "importance" else given.kinds[:1]:
                name = name_of(given, case, target, seed)
                if name in store.read():
                    continue
                selection = selection_of(given, case, target, seed)
                found = {"loss": losses(given, selection, seed), "kept": kept_kinds(given, selection)}
                store.add(name, {**found, **machine()})
                print(f"{name}: {found}", file=sys.stderr, flush=True)


def table(given: argparse.Namespace, found: dict[str, dict[str, Any]]) -> str:
    """A row for each kind, a column for each case."""
    lines = [f"| loss on | {' | '.join(given.cases)} |", "|---" * (len(given.cases) + 1) + "|"]
    for kind in given.kinds:
        cells = []
        for case in given.cases:
            names = [name_of(given, case, kind if case == "importance" else given.kinds[0], s) for s in given.seeds]
            runs = [found[name] for name in names if name in found]
            values = [run["loss"][kind] for run in runs]
            if not values:
                cells.append("")
                continue
            spread = f" ± {statistics.stdev(values):.3f}" if len(values) > 1 else ""
            share = statistics.mean(run["kept"].get(kind, 0) / sum(run["kept"].values()) for run in runs)
            cells.append(f"{statistics.mean(values):.3f}{spread} ({100 * share:.0f}%)")
        lines.append(f"| {kind} | {' | '.join(cells)} |")
    lines += [
        "",
        f"Nats per token after {given.steps} steps, mean ± standard deviation over {len(given.seeds)} seeds; in "
        f"brackets the share of the documents trained on that are of the kind. {given.documents} documents of each of "
        f"{len(KINDS) + 1} kinds, of which {given.keep:g} are kept but by `all`.",
    ]
    return "\n".join(lines)


def main(args: list[str] | None = None) -> None:
    """Measures what is missing and prints the table."""
    sys.path.insert(0, str(HERE))
    from store import Store, machine  # type: ignore[import-not-found]

    parser = argparse.ArgumentParser(
        prog="selection", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--keep", type=float, default=0.1)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--documents", type=int, default=250, help="of each kind")
    parser.add_argument("--model", choices=list(NETWORKS), default="gpt2")
    parser.add_argument("--results", type=Path, default=Path("selection.json"))
    parser.add_argument("--runs", type=Path, default=Path("runs/selection"), help="of the texts, and the cache")
    parser.add_argument("--table", action="store_true", help="prints what is there and measures nothing")
    given = parser.parse_args(args)
    store = Store(given.results)
    if not given.table:
        given.runs.mkdir(parents=True, exist_ok=True)
        write_texts(given)
        measure(given, store, machine)
    print(table(given, store.read()))


if __name__ == "__main__":
    main()
