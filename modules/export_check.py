"""After an export: it is read back by its own library, and must hold and compute what was trained."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psutil
import torch
from lightning.pytorch.utilities.rank_zero import rank_zero_warn
from lightning.pytorch.utilities.seed import isolate_rng
from torch import Tensor, nn

from ..errors import InputError, first_line
from ..storage.whole_folders import final_name
from .backbone.adapters import merge_adapters

INFINITE = float("inf")
ROWS, LENGTH = 4, 32
"""How much of the first batch is compared."""
KEPT = ("input_ids", "attention_mask", "token_type_ids", "decoder_input_ids", "cu_seq_lens_q", "use_cache")
CURE = "Do not use it. This is a fault of pretune, or of a library; export_check: false leaves this check out."


class Sample:
    """The first rows that a network was given, to compare its exports by.

    Args:
        network: a Hugging Face network; what it is called with first is kept, and nothing after that.
    """

    def __init__(self, network: nn.Module) -> None:
        self._given: dict[str, Any] = {}
        self._handle = network.register_forward_pre_hook(self._keep, with_kwargs=True)

    def _keep(self, network: nn.Module, args: Any, given: dict[str, Any]) -> None:
        ids = given.get("input_ids")
        if not isinstance(ids, Tensor) or ids.device.type == "meta" or given.get("past_key_values") is not None:
            return
        self._handle.remove()
        packed = given.get("cu_seq_lens_q") is not None and "unpadded_rows" not in given
        self._given = {
            name: value[:ROWS, ..., : None if packed else LENGTH].detach().clone() if _is_rows(value) else value
            for name in KEPT
            if (value := given.get(name)) is not None
        }

    def inputs(self) -> dict[str, Any]:
        """What to call a network with: rows of tokens, on the CPU; nothing where none were seen."""
        given = dict(self._given)
        bounds = given.pop("cu_seq_lens_q", None)
        if bounds is not None:  # packed: the first document is a row
            given = {"input_ids": given["input_ids"][:, : int(bounds[1])][:, :LENGTH], "use_cache": False}
        mask = given.get("attention_mask")
        if mask is not None and mask.shape[-1] != given["input_ids"].shape[-1]:
            del given["attention_mask"]  # what says that nothing is masked
        if given and "attention_mask" not in given:
            given["attention_mask"] = torch.ones_like(given["input_ids"])
        return {name: value.cpu() if isinstance(value, Tensor) else value for name, value in given.items()}


def _is_rows(value: Any) -> bool:
    return isinstance(value, Tensor) and value.ndim > 1


def refuse_non_finite(weights: Mapping[str, Tensor]) -> None:
    """Raises an `InputError` if any weight is NaN or infinite: nothing can be done with such an export.

    Args:
        weights: by name.
    """
    wrong = [name for name, weight in weights.items() if weight.is_floating_point() and not _is_finite(weight.detach())]
    if wrong:
        raise InputError(
            f"Nothing was exported: {len(wrong)} of {len(weights)} weights hold NaN or infinite values, the first is "
            f"{wrong[0]}. Training diverged: a lower model.learning_rate would work, or trainer.precision: 32-true."
        )


def _is_finite(weight: Tensor) -> bool:
    """Whether all is; a sum says so in a fraction of the time, unless it overflows."""
    return bool(torch.isfinite(weight.sum())) or bool(torch.isfinite(weight).all())


def fits_memory(weights: Mapping[str, Tensor], folder: str | Path) -> bool:
    """Whether there is memory to read an export back; a warning where there is not."""
    needed: int = 2 * sum(weight.numel() * weight.element_size() for weight in weights.values())
    free: int = psutil.virtual_memory().available
    if needed > free:
        rank_zero_warn(
            f"The export in {final_name(folder)} was not read back and compared: that takes {needed / 1e9:.1f} GB, and "
            f"{free / 1e9:.1f} GB of memory are free."
        )
    return needed <= free


def check_whole(
    folder: str | Path,
    auto_class: str,
    weights: Mapping[str, Tensor],
    network: Any,
    inputs: dict[str, Any],
    trust_remote_code: bool = False,
) -> None:
    """Reads an export by transformers and compares weights and outputs.

    Args:
        folder: of the export.
        auto_class: that reads it.
        weights: that it must hold, by name.
        network: what was trained; None leaves the comparison of outputs out.
        inputs: of `Sample.inputs`.
        trust_remote_code: whether the architecture's code may come with it.

    Raises:
        InputError: if a tensor is missing or differs, or the outputs do.
    """
    import transformers

    def read() -> Any:
        auto = getattr(transformers, auto_class)
        found, report = auto.from_pretrained(
            str(folder), output_loading_info=True, use_safetensors=True, trust_remote_code=trust_remote_code
        )
        if missing := sorted(report["missing_keys"]):
            raise InputError(
                f"The export in {final_name(folder)} lacks {missing[0]} ({len(missing)} tensors in all). {CURE}"
            )
        return found

    _compare(folder, "transformers", read, weights, network, inputs)


def check_adapters(folder: str | Path, base: Callable[[], Any], words: int | None, network: Any, inputs: Any) -> None:
    """Reads adapters by peft, upon their base, and compares outputs.

    Args:
        folder: of the adapters.
        base: loads the network that they adapt.
        words: rows that the base is to be given first; None leaves it as it is.
        network: what was trained.
        inputs: of `Sample.inputs`.

    Raises:
        InputError: if they cannot be read, or the outputs differ.
    """
    from peft import PeftModel

    def read() -> Any:
        under = base()
        if words is not None:
            under.resize_token_embeddings(words, mean_resizing=False)
        return PeftModel.from_pretrained(under, str(folder))

    _compare(folder, "peft", read, {}, network, inputs)


def _compare(
    folder: str | Path,
    library: str,
    read: Callable[[], Any],
    weights: Mapping[str, Tensor],
    network: Any,
    inputs: dict[str, Any],
) -> None:
    with isolate_rng(), torch.no_grad():  # what a library makes up before it reads disturbs no run
        try:
            again = read()
        except InputError:
            raise
        except Exception as error:
            raise InputError(
                f"{library} cannot read the export in {final_name(folder)}: {type(error).__name__}: "
                f"{' '.join(str(error).split())[:300]} {CURE}"
            ) from error
        state = again.state_dict()
        differing = [n for n, w in weights.items() if n not in state or not _same(w, state[n])]
        if differing:
            raise InputError(
                f"The export in {final_name(folder)} is not what was trained: {differing[0]} differs. {CURE}"
            )
        if network is None or not inputs:
            return
        try:
            mine, theirs = _outputs(network, inputs), _outputs(again, inputs)
        except (RuntimeError, TypeError, ValueError) as error:  # an attention that computes in half precision alone
            rank_zero_warn(f"The outputs of the export in {final_name(folder)} were not compared: {first_line(error)}")
            return
        for name in mine:
            if bool(_without_padding(mine[name], inputs["attention_mask"]).isnan().any()):
                raise InputError(
                    f"The export in {final_name(folder)} is of no use: its {name} are NaN on rows of this run, as are "
                    "those of what was trained. Training diverged: a lower model.learning_rate would work, or "
                    "trainer.precision: 32-true."
                )
            away = _distance(mine[name], theirs[name], inputs["attention_mask"])
            if away > _tolerance(network):
                raise InputError(
                    f"The export in {final_name(folder)} does not compute what was trained, read by {library}: "
                    f"{name} differ by {away:.2g} of the largest, {_first_difference(network, again)}. {CURE}"
                )


def _outputs(network: Any, inputs: dict[str, Any]) -> dict[str, Tensor]:
    """The logits, in float32 on the CPU, as in evaluation; the network is left as it was."""
    modes = {module: module.training for module in network.modules()}
    device = next(network.parameters()).device
    network.eval()
    try:
        with torch.autocast(device.type, enabled=False):
            found = network(**{k: v.to(device) if isinstance(v, Tensor) else v for k, v in inputs.items()})
    finally:
        for module, mode in modes.items():
            module.training = mode
    return {k: v.detach().float().cpu() for k, v in found.items() if isinstance(v, Tensor) and k.endswith("logits")}


def _distance(mine: Tensor, theirs: Tensor, mask: Tensor) -> float:
    """The largest difference, as a share of the largest value; padding is left out, and rows of words nobody has."""
    if mine.ndim == theirs.ndim and mine.ndim == 3:
        words = min(mine.shape[-1], theirs.shape[-1])
        mine, theirs = mine[..., :words], theirs[..., :words]
    if mine.shape != theirs.shape:
        return INFINITE
    mine, theirs = _without_padding(mine, mask), _without_padding(theirs, mask)
    away = (mine - theirs).abs().nan_to_num(INFINITE, posinf=INFINITE)
    away = away.masked_fill(mine == theirs, 0.0)  # infinities may be the same
    largest = mine.abs()[mine.isfinite()]
    return float(away.max() / (largest.max().clamp(min=1e-6) if largest.numel() else 1.0))


def _without_padding(values: Tensor, mask: Tensor) -> Tensor:
    return values[mask.bool()] if values.shape[: mask.ndim] == mask.shape else values


def _tolerance(network: nn.Module) -> float:
    parameter = next(network.parameters())
    if any(p.dtype in (torch.float16, torch.bfloat16) for p in network.parameters()):
        return 0.1
    return 1e-3 if parameter.device.type == "cpu" else 0.02  # float32 on a GPU may be computed as TF32


def _same(mine: Tensor, theirs: Tensor) -> bool:
    return mine.shape == theirs.shape and torch.equal(mine.detach().cpu(), theirs.cpu().to(mine.dtype))


def _first_difference(network: Any, again: Any) -> str:
    """The first weight in which two networks differ, for a message; adapters count as merged."""
    try:
        mine, theirs = _merged(network).state_dict(), _merged(again).state_dict()
    except NotImplementedError:
        return "in adapters that peft cannot merge"
    for name, weight in mine.items():
        if name not in theirs or not _same(weight, theirs[name]):
            return f"and the first tensor that differs is {name}"
    return "though no tensor differs"


def _merged(network: Any) -> Any:
    plain = network.get_base_model() if hasattr(network, "get_base_model") else network
    return merge_adapters(plain) if hasattr(plain, "peft_config") else plain
