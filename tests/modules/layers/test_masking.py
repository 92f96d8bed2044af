from __future__ import annotations

import torch

from pretune.modules.layers.masking import mask_tokens

VOCABULARY, MASK = 1000, 4


def corrupt(
    ids: torch.Tensor, seed: int = 0, probability: float = 0.15, **kwargs: float
) -> tuple[torch.Tensor, torch.Tensor]:
    return mask_tokens(
        ids,
        ids >= 5,
        attention_mask=None,
        mask_id=MASK,
        ordinary_ids=torch.arange(5, VOCABULARY),
        probability=probability,
        mask_share=kwargs.get("mask_share", 0.8),
        random_share=kwargs.get("random_share", 0.1),
        seed=seed,
    )


def within(count: float, n: float, p: float) -> bool:
    """Within three standard deviations of a binomial."""
    return bool(abs(count - n * p) <= 3 * (n * p * (1 - p)) ** 0.5)


def test_shares_are_those_of_the_paper() -> None:
    ids = torch.randint(5, VOCABULARY, (400, 128), generator=torch.Generator().manual_seed(0))
    corrupted, chosen = corrupt(ids)
    n = int(chosen.sum())
    assert within(n, ids.numel(), 0.15)
    assert torch.equal(corrupted[~chosen], ids[~chosen])
    masked = int((corrupted[chosen] == MASK).sum())
    same = int((corrupted[chosen] == ids[chosen]).sum())
    assert within(masked, n, 0.8)
    # A random token is the old one in one of the vocabulary's cases.
    assert within(same, n, 0.1 + 0.1 / (VOCABULARY - 5))
    random = corrupted[chosen & (corrupted != MASK) & (corrupted != ids)]
    assert random.min() >= 5
    assert abs(float(random.float().mean()) - VOCABULARY / 2) < 3 * VOCABULARY / 12**0.5 / len(random) ** 0.5


def test_shares_are_adjustable() -> None:
    ids = torch.randint(5, VOCABULARY, (100, 64))
    corrupted, chosen = corrupt(ids, probability=0.4, mask_share=1.0, random_share=0.0)
    assert within(int(chosen.sum()), ids.numel(), 0.4)
    assert (corrupted[chosen] == MASK).all()


def test_special_tokens_are_never_touched_and_every_row_has_a_target() -> None:
    ids = torch.randint(5, VOCABULARY, (2000, 6))
    ids[:, 0], ids[:, -1] = 2, 3
    corrupted, chosen = corrupt(ids)
    assert not chosen[:, [0, -1]].any()
    assert (corrupted[:, 0] == 2).all()
    assert chosen.any(dim=1).all()
    only_special = torch.full((3, 6), 2)
    assert not corrupt(only_special)[1].any()


def test_masks_change_with_the_seed_and_only_with_it() -> None:
    ids = torch.randint(5, VOCABULARY, (32, 64))
    _, first = corrupt(ids, seed=1)
    _, other = corrupt(ids, seed=2)
    assert not torch.equal(first, other)
    _, again = corrupt(ids[7:9], seed=1)
    assert torch.equal(again, first[7:9])
