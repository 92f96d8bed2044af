"""The question whether a batch is padded is asked once, where the batch is made."""

from __future__ import annotations

import pickle

import pytest
import torch
from seven_encoders import config  # type: ignore[import-not-found]
from transformers import AutoConfig, AutoModelForCausalLM

from pretune.modules.shortcuts.padding_check import leave_out_padding_check


def test_nothing_is_read_and_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    network = AutoModelForCausalLM.from_config(AutoConfig.for_model(**config("gpt2") | {"pad_token_id": 0})).eval()
    ids, asked, contains = torch.tensor([[5, 6, 7, 0]]), list[int](), torch.Tensor.__contains__
    monkeypatch.setattr(torch.Tensor, "__contains__", lambda *args: asked.append(1) or contains(*args))
    plain = network(input_ids=ids, use_cache=False).logits
    assert asked
    asked.clear()
    leave_out_padding_check(network)
    assert torch.equal(network(input_ids=ids, use_cache=False).logits, plain)
    assert not asked
    assert pickle.loads(pickle.dumps(network)).state_dict().keys() == network.state_dict().keys()
