"""The loss in pieces is the plain one."""

from __future__ import annotations

import pytest
import torch

from pretune.contracts import IGNORED
from pretune.modules.losses import vocabulary as module
from pretune.modules.losses.vocabulary import vocabulary_loss


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three rows at a time, so that the last piece is not full."""
    monkeypatch.setattr(module, "CPU_PIECE", 3 * 50 // torch.get_num_threads())


def sample(dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    logits = 4 * torch.randn(20, 50, generator=generator)
    targets = torch.randint(0, 50, (20,), generator=generator)
    targets[::3] = logits[::3].argmax(-1)
    targets[[4, 19]] = IGNORED
    return logits.to(dtype), targets


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_pieces_equal_the_whole(dtype: torch.dtype) -> None:
    logits, targets = sample(dtype)
    found = []
    for plain in (True, False):
        given = logits.clone().requires_grad_()
        loss, count, hits = vocabulary_loss(given, targets, plain=plain)
        (3 * loss).backward()
        assert given.grad is not None
        found.append((loss.detach(), count, hits, given.grad))
    assert found[0][1] == 18
    assert found[0][2].sum() >= 6
    torch.testing.assert_close(found[1], found[0])
    assert not found[1][3][[4, 19]].any()


@pytest.mark.parametrize("compiled", [False, True])
def test_rows_without_a_target_may_hold_anything(compiled: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Infinities in all rows, as of words that are ruled out, and in rows of padding what is no number."""
    monkeypatch.setattr(module, "_compiled_piece", lambda: module._fusible_piece)  # what a compiler is given
    logits, targets = sample(torch.float32)
    logits[:, 0] = -torch.inf
    targets[targets == 0] = 1
    logits[4], logits[19] = torch.nan, -torch.inf
    found = []
    for plain in (True, False):
        given = logits.clone().requires_grad_()
        loss, count, hits = vocabulary_loss(given, targets, plain=plain, compiled=compiled)
        loss.backward()
        assert given.grad is not None
        found.append((loss.detach(), count, hits, given.grad))
    assert found[0][0].isfinite()
    torch.testing.assert_close(found[1], found[0], equal_nan=True)


def test_there_is_no_second_derivative() -> None:
    """The gradient is kept as numbers: one of it would lack a part, and is refused."""
    logits, targets = sample(torch.float32)
    given, weight = logits.requires_grad_(), torch.ones((), requires_grad=True)
    loss = weight * vocabulary_loss(given, targets)[0]
    (gradient,) = torch.autograd.grad(loss, given, create_graph=True)
    with pytest.raises(RuntimeError, match="differentiate twice"):
        gradient.square().sum().backward()


def test_ties_are_won_by_the_first() -> None:
    logits = torch.zeros(2, 50)
    for plain in (True, False):
        assert vocabulary_loss(logits, torch.tensor([0, 7]), plain=plain)[2].tolist() == [1, 0]


def test_smoothing_is_that_of_torch() -> None:
    logits, targets = sample(torch.float32)
    loss = vocabulary_loss(logits, targets, 0.1)[0]
    wanted = torch.nn.functional.cross_entropy(
        logits[targets != IGNORED], targets[targets != IGNORED], reduction="sum", label_smoothing=0.1
    )
    torch.testing.assert_close(loss, wanted)


def test_nothing_to_predict_is_no_loss() -> None:
    logits = torch.zeros(0, 50, requires_grad=True)
    for plain in (True, False):
        loss, count, hits = vocabulary_loss(logits, torch.zeros(0, dtype=torch.long), plain=plain)
        loss.backward()
        assert (float(loss.detach()), int(count), len(hits)) == (0.0, 0, 0)


def test_float16_keeps_small_gradients() -> None:
    """They are scaled up before they are float16."""
    logits = torch.randn(64, 4000, generator=torch.Generator().manual_seed(0)).half().requires_grad_()
    found = []
    for plain in (True, False):
        loss, _, _ = vocabulary_loss(logits, torch.arange(64), plain=plain)
        (gradient,) = torch.autograd.grad(1024 * loss, logits)
        found.append(gradient)
    assert torch.equal(*found)
    assert (found[1] == 0).float().mean() < 0.01


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("wanted", [True, False])
def test_what_a_compiler_joins_is_the_same(dtype: torch.dtype, wanted: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    logits, targets = sample(dtype)
    found = []
    for compiled in (False, True):
        monkeypatch.setattr(module, "_compiled_piece", lambda: module._fusible_piece)
        given = logits.clone().requires_grad_(wanted)
        loss, count, hits = vocabulary_loss(given, targets, compiled=compiled)
        if wanted:
            loss.backward()
        found.append((loss.detach(), count, hits, given.grad if wanted else torch.zeros(())))
    torch.testing.assert_close(found[1], found[0])


def test_pieces_of_other_sizes_are_not_compiled_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    graphs = []

    def backend(graph: object, inputs: object) -> object:
        graphs.append(graph)
        return graph.forward  # type: ignore[attr-defined]

    torch._dynamo.reset()
    compiled = torch.compile(module._fusible_piece, backend=backend)
    monkeypatch.setattr(module, "_compiled_piece", lambda: compiled)
    logits, targets = sample(torch.float32)
    for rows in (20, 18, 11, 8):  # a last piece of one row would be another kernel
        vocabulary_loss(logits[:rows].clone().requires_grad_(), targets[:rows], compiled=True)
    assert len(graphs) == 1
