"""An export that has changed since it was written is not taken for what it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from pretune.checkpoints import locate
from pretune.errors import InputError
from pretune.modules.backbone.backbone import Backbone
from pretune.storage.checksums import NAME, changes, write_checksums


def flip(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 4
    path.write_bytes(content)


def build(folder: Path) -> None:
    Backbone(str(folder)).build("AutoModelForMaskedLM", None)


def test_a_bit_of_the_weights_is_found(encoder: Path) -> None:
    write_checksums(encoder)
    build(encoder)
    flip(encoder / "model.safetensors", -100)
    with pytest.raises(InputError, match=r"model\.safetensors is not what was exported: .*checkpoints/best\.ckpt"):
        build(encoder)
    (encoder / NAME).unlink()  # replaced on purpose
    build(encoder)


def test_weights_that_were_cut_off(encoder: Path) -> None:
    weights = encoder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-9])
    with pytest.raises(InputError, match=r"The weights of .* cannot be loaded: .*not fully covered"):
        build(encoder)  # of another project, without sums


def test_a_small_file_may_change_but_not_unseen(encoder: Path) -> None:
    write_checksums(encoder)
    config = encoder / "config.json"
    config.write_text(config.read_text().replace('"hidden_act": "gelu"', '"hidden_act": "relu"'))
    with pytest.warns(UserWarning, match=r"config\.json changed after the export"):
        locate(str(encoder))
    build(encoder)


def test_changes_are_told_apart(encoder: Path) -> None:
    assert changes(encoder) == ([], [], [])  # nothing was written down
    write_checksums(encoder)
    names = sorted(path.name for path in encoder.iterdir() if path.name != NAME)
    assert changes(encoder) == ([], [], names)
    (encoder / "README.md").write_text("of no consequence")
    (encoder / "config.json").write_text("{}")
    (encoder / "tokenizer.json").unlink()
    assert changes(encoder) == (["config.json"], ["tokenizer.json"], names)
