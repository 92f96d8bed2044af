from __future__ import annotations

from collections import Counter

import torch
from torch import Tensor

from pretune.modules.corruption.hashing import row_keys
from pretune.modules.corruption.masking import choose_spans, choose_tokens, choose_words, corrupt

VOCABULARY, MASK = 1000, 4


def ids_of(rows: int, length: int, seed: int = 0) -> Tensor:
    return torch.randint(5, VOCABULARY, (rows, length), generator=torch.Generator().manual_seed(seed))


def mask(
    ids: Tensor, seed: int = 0, probability: float = 0.15, mask_share: float = 0.8, random_share: float = 0.1
) -> tuple[Tensor, Tensor]:
    keys = row_keys(ids, None, seed)
    chosen = choose_tokens(keys, ids >= 5, probability)
    return hide(ids, chosen, keys, mask_share, random_share), chosen


def hide(ids: Tensor, chosen: Tensor, keys: Tensor, mask_share: float, random_share: float, **options: bool) -> Tensor:
    ordinary = torch.arange(5, VOCABULARY)
    shares = {"mask_share": mask_share, "random_share": random_share}
    return corrupt(ids, chosen, keys, mask_id=MASK, ordinary_ids=ordinary, **shares, **options)  # type: ignore[arg-type]


def within(count: float, n: float, p: float) -> bool:
    """Within three standard deviations of a binomial."""
    return bool(abs(count - n * p) <= 3 * (n * p * (1 - p)) ** 0.5)


def test_shares_are_those_of_the_paper() -> None:
    ids = ids_of(400, 128)
    corrupted, chosen = mask(ids)
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
    ids = ids_of(100, 64)
    corrupted, chosen = mask(ids, probability=0.4, mask_share=1.0, random_share=0.0)
    assert within(int(chosen.sum()), ids.numel(), 0.4)
    assert (corrupted[chosen] == MASK).all()


def test_special_tokens_are_never_touched_and_every_row_has_a_target() -> None:
    ids = ids_of(2000, 6)
    ids[:, 0], ids[:, -1] = 2, 3
    corrupted, chosen = mask(ids)
    assert not chosen[:, [0, -1]].any()
    assert (corrupted[:, 0] == 2).all()
    assert chosen.any(dim=1).all()
    only_special = torch.full((3, 6), 2)
    assert not mask(only_special)[1].any()


def test_masks_change_with_the_seed_and_only_with_it() -> None:
    ids = ids_of(32, 64)
    _, first = mask(ids, seed=1)
    _, other = mask(ids, seed=2)
    assert not torch.equal(first, other)
    _, again = mask(ids[7:9], seed=1)
    assert torch.equal(again, first[7:9])


def words_of(rows: int, length: int) -> tuple[Tensor, Tensor, Tensor]:
    """Ids, where they can be masked, and words of one to four tokens between special tokens."""
    ids = ids_of(rows, length)
    begins = torch.rand(rows, length, generator=torch.Generator().manual_seed(1)) < 0.6
    words = begins.long().cumsum(1)
    special = torch.zeros_like(begins)
    special[:, [0, -1]] = True
    special[:, length // 3] = True  # a separator within the row
    return ids.masked_fill(special, 2), ~special, words.masked_fill(special, -1)


def test_whole_words_are_chosen_whole_and_each_as_often() -> None:
    ids, maskable, words = words_of(500, 64)
    chosen = choose_words(row_keys(ids, None, 0), maskable, words, 0.15)
    assert not chosen[~maskable].any()
    n = hit = 0
    for row, free, targets in zip(words.tolist(), maskable.tolist(), chosen.tolist(), strict=True):
        groups: list[set[bool]] = []
        before = None
        for word, is_free, target in zip(row, free, targets, strict=True):
            if is_free and (word != before or not groups):
                groups.append(set())
            if is_free:
                groups[-1].add(target)
            before = word if is_free else None
        assert all(len(group) == 1 for group in groups)  # all of a word, or nothing
        n += len(groups)
        hit += sum(True in group for group in groups)
    assert within(hit, n, 0.15)


def runs(row: list[bool]) -> list[int]:
    """Lengths of the runs of True."""
    return [len(part) for part in "".join("x" if flag else " " for flag in row).split()]


def test_span_lengths_are_geometric_and_at_most_ten() -> None:
    """SpanBERT: geometric with p 0.2, cut at 10, renormalized: 3.8 words on average."""
    ids = ids_of(1500, 256)
    words = torch.arange(256).expand_as(ids)
    chosen = choose_spans(row_keys(ids, None, 3), torch.ones_like(ids, dtype=torch.bool), words, 0.15, 0.2, 10)
    found = Counter(length for row in chosen.tolist() for length in runs(row))
    n = sum(found.values())
    chances = [0.2 * 0.8**i for i in range(10)]
    chances = [chance / sum(chances) for chance in chances]
    assert max(found) == 10
    for length, chance in enumerate(chances, 1):
        assert within(found[length], n, chance), (length, found[length] / n, chance)
    mean = sum((i + 1) * chance for i, chance in enumerate(chances))
    variance = sum((i + 1 - mean) ** 2 * chance for i, chance in enumerate(chances))
    assert abs(sum(k * v for k, v in found.items()) / n - mean) < 3 * (variance / n) ** 0.5
    # The share of hidden words: spans per row are 0.15 * 256 / 3.8, rounded up or down at random.
    deviation = (n / len(ids) * variance + 0.25) ** 0.5 / 256 / len(ids) ** 0.5
    assert abs(float(chosen.float().mean()) - 0.15) < 3.5 * deviation
    # Every place is hidden as often as any other, but for the edges.
    share = chosen.float().mean(0)[20:-20]
    assert float((share - share.mean()).abs().max()) < 5 * (0.15 * 0.85 / len(ids)) ** 0.5


def test_spans_are_of_whole_words_and_spare_special_tokens() -> None:
    ids, maskable, words = words_of(300, 64)
    chosen = choose_spans(row_keys(ids, None, 0), maskable, words, 0.3, 0.2, 10)
    assert chosen.any(1).all()
    assert not chosen[~maskable].any()
    same_word = (words.diff(dim=1) == 0) & maskable[:, 1:] & maskable[:, :-1]
    assert torch.equal(chosen[:, 1:][same_word], chosen[:, :-1][same_word])


def test_short_rows_keep_something_to_read() -> None:
    for length in range(1, 9):
        ids = ids_of(200, length, seed=length)
        words = torch.arange(length).expand_as(ids)
        chosen = choose_spans(row_keys(ids, None, 0), torch.ones_like(ids, dtype=torch.bool), words, 0.5, 0.2, 10)
        assert chosen.any(1).all()


def test_spans_do_not_depend_on_padding_or_batch() -> None:
    ids, maskable, words = words_of(40, 32)
    keys = row_keys(ids, torch.ones_like(ids), 5)
    alone = choose_spans(keys, maskable, words, 0.2, 0.2, 10)
    wide = torch.nn.functional.pad(ids, (0, 9))
    real = torch.nn.functional.pad(torch.ones_like(ids), (0, 9))
    padded = choose_spans(
        row_keys(wide, real, 5)[3:17],
        torch.nn.functional.pad(maskable, (0, 9))[3:17],
        torch.nn.functional.pad(words, (0, 9), value=-1)[3:17],
        0.2,
        0.2,
        10,
    )
    assert torch.equal(padded[:, :32], alone[3:17])
    assert not padded[:, 32:].any()


def test_a_span_has_one_fate() -> None:
    ids = ids_of(400, 64)
    words = torch.arange(64).expand_as(ids)
    keys = row_keys(ids, None, 0)
    chosen = choose_spans(keys, torch.ones_like(ids, dtype=torch.bool), words, 0.2, 0.2, 10)
    masked = hide(ids, chosen, keys, 0.8, 0.0, alike=True) == MASK
    n = hit = 0
    for targets, hidden in zip(chosen.tolist(), masked.tolist(), strict=True):
        place = 0
        for length, here in [(len(list(g)), g[0]) for g in _groups(targets)]:
            if here:
                assert len(set(hidden[place : place + length])) == 1
                n, hit = n + 1, hit + hidden[place]
            place += length
    assert within(hit, n, 0.8)


def _groups(row: list[bool]) -> list[list[bool]]:
    groups: list[list[bool]] = []
    for flag in row:
        if groups and groups[-1][0] == flag:
            groups[-1].append(flag)
        else:
            groups.append([flag])
    return groups
