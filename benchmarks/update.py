"""A model brought up to date, with and without new words and replay; and what fine-tuning makes it forget.

    python benchmarks/update.py DATA [--to tiny_shakespeare] [--steps 600] [--seeds 1] [--table]
    python benchmarks/update.py DATA --forgetting [--labels 1000] [--recipes standard gentle] [--rates 5e-5 1e-4]
        [--minilm] [--seeds 1 2 3] [--table]

DATA holds `wikitext-2`, `tiny_shakespeare` and `zh_classics` (`train.txt`, `validation.txt`, `test.txt`), and `sst2`
(jsonl with sentence, label).

The update: a small GPT-2 (4 layers x 256) learns WikiText-2, and goes on with another text for as many steps: with its
own words or with those of the new text too (`words`), with the new text alone or with a quarter of the blocks from the
old (`replay`). `alone` has learned nothing before, with the extended vocabulary. Weights are chosen on the validation
part of the new text (with replay: of both); the perplexities are of the test parts, and per word, as vocabularies
differ. A word is what stands between spaces, or a Chinese character. Where words are unknown, their perplexity says
nothing, and stands in brackets.

Forgetting: a small BERT (4 layers x 256) learns WikiText-2 by masked words, then SST-2 by each recipe. Shown are the
score, and the masked loss on the test part of WikiText-2 with the body as it was and as it became. With `--minilm` it
is not this BERT but all-MiniLM-L6-v2 (6 layers x 384), with the head of `benchmarks/masked_head.py`.

What is done is kept in `update.json` and not repeated.
"""

from __future__ import annotations

import argparse
import json
import math
import shlex
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from masked_head import with_masked_head  # noqa: E402
from store import minilm  # noqa: E402

KEPT = Path("update.json")
SIZES = {"hidden_size": 256, "num_hidden_layers": 4, "num_attention_heads": 4, "intermediate_size": 1024}
DECODER = {"model_type": "gpt2", "n_embd": 256, "n_layer": 4, "n_head": 4, "n_positions": 128}
OLD = "wikitext-2"
CASES = {  # new words, replay
    "alone": (True, False),
    "plain": (False, False),
    "words": (True, False),
    "replay": (False, True),
    "words and replay": (True, True),
}


def kept_results() -> dict[str, Any]:
    """What is done so far, by name."""
    found: dict[str, Any] = json.loads(KEPT.read_text()) if KEPT.is_file() else {}
    return found


def once(name: str, compute: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """A result, computed unless it is kept."""
    kept = kept_results()
    if name not in kept:
        found = compute()
        kept = kept_results()
        kept[name] = found
        KEPT.write_text(json.dumps(kept, indent=1))
    result: dict[str, Any] = kept[name]
    return result


def command(*args: str) -> dict[str, Any]:
    """Runs a command; returns its summary."""
    from pretune.main import main

    print(f"\n$ python main.py {shlex.join(args)}", flush=True)
    summary: dict[str, Any] = json.loads((main(args).run.folder / "summary.json").read_text())
    return summary


def learn(name: str, objective: str, backbone: Any, data: list[str], given: argparse.Namespace, seed: int) -> None:
    """One pretraining run."""
    command(
        "fit",
        f"--name={name}",
        f"--seed_everything={seed}",
        f"--model={objective}",
        f"--model.backbone={json.dumps(backbone)}",
        "--model.learning_rate=1e-3",
        "--model.warmup=0.06",
        "--data=CorpusDataModule",
        *data,
        "--data.block_size=128",
        "--data.batch_size=16",
        f"--trainer.max_steps={given.steps}",
        f"--trainer.val_check_interval={max(1, given.steps // 6)}",
        "--trainer.check_val_every_n_epoch=null",
        "--early_stopping=null",
        "--trainer.enable_progress_bar=false",
    )


def files(given: argparse.Namespace, *corpora: str) -> list[str]:
    """Training on corpora: one alone, or the first one three times as often as the second."""
    parts = [f"{given.data}/{corpus}/validation.txt" for corpus in corpora]
    shown = [f"--data.validation_files={json.dumps(parts)}"]
    if len(corpora) == 1:
        return [f"--data.train_files={given.data}/{corpora[0]}/train.txt", *shown]
    weights = zip(corpora, (3, 1), strict=True)
    return [
        f"--data.sources={json.dumps([{'files': f'{given.data}/{c}/train.txt', 'weight': w} for c, w in weights])}",
        *shown,
    ]


def measured(given: argparse.Namespace, run: str) -> dict[str, Any]:
    """What a run knows of the old and of the new text."""
    from pretune.datamodules import CorpusDataModule
    from pretune.modules import CausalLanguageModeling
    from pretune.modules.callbacks.held_out import held_out

    module = CausalLanguageModeling(run)
    module.tokenizer = module.backbone.load_tokenizer()
    texts = {"old": OLD, "new": given.to}
    return {
        name: held_out(module, CorpusDataModule(test_files=f"{given.data}/{corpus}/test.txt"))
        for name, corpus in texts.items()
    }


def updated(given: argparse.Namespace, case: str, seed: int) -> dict[str, Any]:
    """One case of the update."""
    base = f"{OLD}-{given.steps}-{seed}"
    train = "--data.tokenizer={train: wordpiece, vocab_size: 8192, lowercase: true}"
    decoder = {"config": DECODER, "dropout": 0.1}
    once(
        base,
        lambda: (
            learn(base, "CausalLanguageModeling", decoder, [*files(given, OLD), train], given, seed)
            or measured(given, f"runs/{base}")
        ),
    )
    words, replay = CASES[case]
    name = f"{given.to}-{given.steps}-{case.replace(' ', '-')}-{seed}"
    extended = {"extend": f"runs/{base}", "words": given.words, "min_frequency": 3}
    data = files(given, given.to, OLD) if replay else files(given, given.to)
    if words:
        data.append(f"--data.tokenizer={json.dumps(extended)}")
    start = decoder if case == "alone" else {"name": f"runs/{base}", "dropout": 0.1}
    return once(
        name,
        lambda: learn(name, "CausalLanguageModeling", start, data, given, seed) or measured(given, f"runs/{name}"),
    )


def shown(found: list[dict[str, Any]], text: str) -> str:
    """Perplexity per word, in brackets where more than a hundredth of the tokens is unknown."""
    value = statistics.mean(one[text]["word_perplexity"] for one in found)
    spread = f" ± {statistics.stdev(one[text]['word_perplexity'] for one in found):.1f}" if len(found) > 1 else ""
    unknown = statistics.mean(one[text]["unknown"] for one in found)
    return f"({value:.1f}; {unknown:.0%} unknown)" if unknown > 0.01 else f"{value:.1f}{spread}"


def update(given: argparse.Namespace) -> list[str]:
    """Runs what is missing; the table."""
    if not given.table:
        for seed in given.seeds:
            for case in given.cases:
                updated(given, case, seed)
    kept = kept_results()
    base = [kept[key] for seed in given.seeds if (key := f"{OLD}-{given.steps}-{seed}") in kept]
    lines = [
        f"| {given.to} | old, per word | new, per word | tokens a word, new | old, to before | new, to alone |",
        "|---" * 6 + "|",
        f"| before | {shown(base, 'old')} | | | | |",
    ]
    alone: dict[int, Any] = {}
    for case in given.cases:
        of_seed = {
            seed: kept[key]
            for seed in given.seeds
            if (key := f"{given.to}-{given.steps}-{case.replace(' ', '-')}-{seed}") in kept
        }
        if case == "alone":
            alone = of_seed
        if not (found := list(of_seed.values())):
            continue

        def change(text: str, against: dict[int, Any], of_seed: dict[int, Any] = of_seed) -> str:
            both = [s for s in of_seed if s in against and of_seed[s][text]["unknown"] <= 0.01]
            ratios = [of_seed[s][text]["word_perplexity"] / against[s][text]["word_perplexity"] for s in both]
            return f"{statistics.mean(ratios) - 1:+.1%}" if ratios else ""

        before = {seed: kept[f"{OLD}-{given.steps}-{seed}"] for seed in of_seed}
        fertility = statistics.mean(one["new"]["tokens_per_word"] for one in found)
        lines.append(
            f"| {case} | {shown(found, 'old')} | {shown(found, 'new')} | {fertility:.2f} | "
            f"{change('old', before)} | {change('new', alone)} |"
        )
    return lines


def forgetting(given: argparse.Namespace) -> list[str]:
    """Runs what is missing; the table."""
    base = "minilm" if given.minilm else f"masked-{given.steps}"
    start = f"runs/{base}"
    if given.minilm and not given.table:
        start = str(with_masked_head(minilm(), given.data, Path("runs")))

    def pretrained() -> dict[str, Any]:
        data = [*files(given, OLD), "--data.tokenizer={train: wordpiece, vocab_size: 8192, lowercase: true}"]
        learn(base, "MaskedLanguageModeling", {"config": {"model_type": "bert", **SIZES}}, data, given, 0)
        return {}

    def finetuned(recipe: str, seed: int, rate: str | None) -> dict[str, Any]:
        held = {"class_path": "CorpusDataModule", "init_args": {"test_files": f"{given.data}/{OLD}/test.txt"}}
        args = [
            f"--name=forgetting-{recipe}-{seed}",
            f"--seed_everything={seed}",
            "--model=TextClassification",
            f"--model.backbone={start}",
            f"--recipe={recipe}",
            *([f"--model.learning_rate={rate}"] if rate else []),
            "--data=TextClassificationDataModule",
            *(f"--data.{part}_files={given.data}/sst2/{part}.jsonl" for part in ("train", "validation", "test")),
            "--data.text_column=sentence",
            "--data.label_column=label",
            f"--data.examples_per_label={given.labels // 2}",
            f"--data.seed={seed}",
            f"--trainer.callbacks+={json.dumps({'class_path': 'Forgetting', 'init_args': {'data': held}})}",
            "--trainer.enable_progress_bar=false",
        ]
        fitted = command("fit", *args)
        tested = command("test", *args)["test"]
        return {
            "accuracy": tested["test/accuracy"],
            "validation": fitted["fit"]["best"],
            "before": fitted["forgetting"]["before"]["loss"],
            "after": fitted["forgetting"]["after"]["loss"],
            "moved": fitted["forgetting"]["moved"],
        }

    lines = [
        "| recipe | rate | accuracy | masked loss before | after | perplexity | layers moved by |",
        "|---" * 7 + "|",
    ]
    if not given.table and not given.minilm:
        once(base, pretrained)
    for recipe in given.recipes:
        for rate in given.rates:
            found = []
            for seed in given.seeds:
                key = f"{base} {recipe} {rate or 'own'} labels={given.labels} seed={seed}"
                kept = kept_results()
                if key in kept or not given.table:
                    found.append(once(key, lambda recipe=recipe, seed=seed, rate=rate: finetuned(recipe, seed, rate)))
            if not found:
                continue
            columns = {name: [one[name] for one in found] for name in ("accuracy", "before", "after")}
            scores = [100 * score for score in columns["accuracy"]]
            times = statistics.mean(math.exp(b - a) for a, b in zip(columns["before"], columns["after"], strict=True))
            moved = {place: statistics.mean(one["moved"][place] for one in found) for place in found[0]["moved"]}
            lines.append(
                f"| {recipe} | {rate or 'its own'} | {statistics.mean(scores):.1f}"
                f"{f' ± {statistics.stdev(scores):.1f}' if len(scores) > 1 else ''} | "
                f"{statistics.mean(columns['before']):.3f} | {statistics.mean(columns['after']):.3f} | "
                f"x {times:.2f} | {', '.join(f'{share:.3f}' for share in moved.values())} |"
            )
    return lines


def main(args: list[str] | None = None) -> None:
    """Runs what is missing and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--to", choices=("tiny_shakespeare", "zh_classics"), default="tiny_shakespeare")
    parser.add_argument("--cases", nargs="+", choices=list(CASES), default=list(CASES))
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--words", type=int, default=2000, help="at most, that the vocabulary is extended by")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--forgetting", action="store_true", help="fine-tuning instead of an update")
    parser.add_argument("--minilm", action="store_true", help="forgetting of weights that a large corpus has taught")
    parser.add_argument("--labels", type=int, default=1000)
    parser.add_argument("--recipes", nargs="+", default=["standard", "few_labels", "gentle"])
    parser.add_argument("--rates", nargs="+", default=[None], help="learning rates in place of the recipes' own")
    parser.add_argument("--table", action="store_true", help="prints what is there and runs nothing")
    given = parser.parse_args(args)
    lines = forgetting(given) if given.forgetting else update(given)
    print("\n" + "\n".join(lines))


if __name__ == "__main__":
    sys.exit(main())
