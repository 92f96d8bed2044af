"""Extended tokenizers: what was known stays as it was, and new words start where their pieces were."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tests_support import sentence  # type: ignore[import-not-found]

from pretune.errors import InputError
from pretune.modules import Backbone, CausalLanguageModeling, MaskedLanguageModeling, SpanDenoising
from pretune.text.extend_tokenizer import ExtendTokenizer
from pretune.text.tokenizer import load_tokenizer
from pretune.text.train_tokenizer import TrainTokenizer, train_tokenizer

Run = Callable[..., Any]
NEW = "bookshop filmstrip songwriter bookshop"
LETTERS = "abcdefghijklmnopqrstuvwxyz z y x w v u t s r q p o n m l k j i h g f e d c b a"
OLD = [*(sentence(i, 12) for i in range(99)), LETTERS]
KINDS = ("wordpiece", "bpe", "bytelevel", "unigram", "character")


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    spec = TrainTokenizer(request.param, 400, min_frequency=1)
    train_tokenizer(spec, iter(OLD), tmp_path / "old")
    return str(request.param)


def extend(tmp_path: Path, texts: list[str], **options: Any) -> tuple[Any, Any]:
    ExtendTokenizer(str(tmp_path / "old"), **{"min_frequency": 2, **options}).make(iter(texts), tmp_path / "new")
    return load_tokenizer(str(tmp_path / "old")), load_tokenizer(str(tmp_path / "new"))


def test_what_was_known_stays_as_it_was(kind: str, tmp_path: Path) -> None:
    old, new = extend(tmp_path, [NEW] * 3)
    vocabulary = new.get_vocab()
    assert all(vocabulary[token] == number for token, number in old.get_vocab().items())
    for text in OLD:
        assert new(text)["input_ids"] == old(text)["input_ids"]
    assert new.all_special_ids == old.all_special_ids
    assert sorted(vocabulary.values()) == list(range(len(vocabulary)))
    if kind == "character":
        assert len(new) == len(old)  # every letter is known
        return
    word = " filmstrip" if kind == "bytelevel" else "filmstrip"  # whose words begin with a space
    assert len(new(word, add_special_tokens=False)["input_ids"]) == 1
    assert len(new(NEW)["input_ids"]) < len(old(NEW)["input_ids"])
    assert new.decode(new(NEW, add_special_tokens=False)["input_ids"]) == old.decode(
        old(NEW, add_special_tokens=False)["input_ids"]
    )
    again = load_tokenizer(str(tmp_path / "new"))
    assert again(NEW)["input_ids"] == new(NEW)["input_ids"]


def test_the_words_that_save_most_come_first(tmp_path: Path) -> None:
    train_tokenizer(TrainTokenizer("wordpiece", 400, min_frequency=1), iter(OLD), tmp_path / "old")
    texts = ["filmstrip"] * 9 + ["bookshop"] * 5 + ["songwriter"]
    old, new = extend(tmp_path, texts, words=1)
    assert set(new.get_vocab()) - set(old.get_vocab()) == {"filmstrip"}
    old, new = extend(tmp_path, texts, words=9)
    assert set(new.get_vocab()) - set(old.get_vocab()) == {"filmstrip", "bookshop"}  # one is seen once only
    old, new = extend(tmp_path, ["good, bad; 2024 2024!"] * 5)
    assert len(new) == len(old)  # numbers and marks are no words


def test_unknown_letters_are_learned(tmp_path: Path) -> None:
    train_tokenizer(TrainTokenizer("wordpiece", 400, min_frequency=1), iter(OLD), tmp_path / "old")
    old, new = extend(tmp_path, ["书店 书店"] * 3)
    assert old.unk_token in old.tokenize("书店")
    assert new.tokenize("书店") == ["书", "店"]


@pytest.mark.parametrize("tied", [True, False])
def test_new_words_start_at_the_mean_of_their_pieces(tied: bool, tmp_path: Path, tiny: dict[str, Any]) -> None:
    train_tokenizer(TrainTokenizer("wordpiece", 400, min_frequency=1), iter(OLD), tmp_path / "old")
    torch.manual_seed(0)
    pretrained = MaskedLanguageModeling(Backbone(config={**tiny, "tie_word_embeddings": tied, "vocab_size": 192}))
    pretrained.tokenizer = load_tokenizer(str(tmp_path / "old"))
    pretrained.build()
    with torch.no_grad():
        pretrained.model.cls.predictions.bias.normal_()
    pretrained.save_pretrained(tmp_path / "weights")
    old, new = extend(tmp_path, [NEW] * 3 + [f"word{chr(97 + i)}{chr(107 + i)}x" for i in range(12)] * 2)
    model = MaskedLanguageModeling(str(tmp_path / "weights"))
    model.tokenizer = new
    model.build()
    number = new.get_vocab()["bookshop"]
    pieces = old("bookshop", add_special_tokens=False)["input_ids"]
    head = model.model.get_output_embeddings()
    before = pretrained.model.get_output_embeddings()
    for table, theirs in (
        (model.model.get_input_embeddings().weight, pretrained.model.get_input_embeddings().weight),
        (head.weight, before.weight),
        (model.model.cls.predictions.bias, pretrained.model.cls.predictions.bias),
    ):
        torch.testing.assert_close(table[number], theirs[pieces].mean(0))
        assert torch.equal(table[: len(old)], theirs[: len(old)])
    assert (head.weight is model.model.get_input_embeddings().weight) == tied


@pytest.mark.parametrize(("family", "kind"), [("llama", "bytelevel"), ("gpt2", "bytelevel"), ("t5", "unigram")])
def test_other_families(family: str, kind: Any, tmp_path: Path) -> None:
    from test_combinations import BACKBONES  # type: ignore[import-not-found]

    train_tokenizer(TrainTokenizer(kind, 400, min_frequency=1), iter(OLD), tmp_path / "old")
    made: Any = SpanDenoising if family == "t5" else CausalLanguageModeling
    pretrained = made(Backbone(config={"model_type": family, **BACKBONES[family][1]}))
    pretrained.tokenizer = load_tokenizer(str(tmp_path / "old"))
    if family == "t5":
        pretrained.corruption = "infilling"
        pretrained.check_tokenizer = lambda tokenizer: None
    pretrained.save_pretrained(tmp_path / "weights")
    _, new = extend(tmp_path, [f" {NEW}"] * 3)
    auto = "AutoModelForSeq2SeqLM" if family == "t5" else "AutoModelForCausalLM"
    model, _ = Backbone(str(tmp_path / "weights")).build(auto, new)
    word = next(token for token in new.get_vocab() if token.endswith("bookshop"))
    pieces = [p.id for p in load_tokenizer(str(tmp_path / "old")).backend_tokenizer.model.tokenize(word)]  # type: ignore[attr-defined]
    assert len(pieces) > 1
    theirs = pretrained.model.get_input_embeddings().weight
    torch.testing.assert_close(model.get_input_embeddings().weight[new.get_vocab()[word]], theirs[pieces].mean(0))


def test_from_the_command_line(encoder: Path, run: Run) -> None:
    Path("new.txt").write_text("\n".join(f"{NEW} {sentence(i)}" for i in range(60)))
    args = ["--model=MaskedLanguageModeling", "--data=CorpusDataModule", "--data.train_files=new.txt"]
    args += [
        f"--model.backbone={encoder}",
        "--data.block_size=16",
        "--data.batch_size=8",
        "--trainer.max_epochs=1",
        "--name=update",
    ]
    cli = run("fit", *args, f"--data.tokenizer={{extend: {encoder}, words: 3, min_frequency: 2}}")
    assert len(cli.model.tokenizer) == len(load_tokenizer(str(encoder))) + 3
    assert cli.model.tokenizer.tokenize("bookshop") == ["bookshop"]
    again = run("fit", *args[:3], "--model.backbone=runs/update", *args[4:-1], "--name=again")
    assert again.model.tokenizer.tokenize("bookshop") == ["bookshop"]
    run("validate", *args, f"--data.tokenizer={{extend: {encoder}, words: 3, min_frequency: 2}}")


def test_bad_options(encoder: Path) -> None:
    with pytest.raises(InputError, match="must be at least 1"):
        ExtendTokenizer(str(encoder), words=0).make(iter([]), Path("x"))
    with pytest.raises(InputError, match="No tokenizer can be loaded from 'nowhere'"):
        ExtendTokenizer("nowhere").key()
