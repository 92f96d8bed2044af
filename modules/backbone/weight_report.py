"""Which weights were loaded, which are new, which were left unused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lightning.pytorch.utilities.rank_zero import rank_zero_info

from ...errors import InputError
from .layers import in_body

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel


class WeightReport:
    """Which weights were loaded, which are new, which were left unused."""

    def __init__(self, label: str) -> None:
        self.label = label
        self.loaded: list[str] = []
        self.new: list[str] = []
        self.unused: list[str] = []
        self.reshaped: list[str] = []
        self.carried: dict[str, Tensor] = {}
        self.new_words: list[int] = []
        self.head_is_new = True
        self.parameters = 0

    def fill(self, model: PreTrainedModel, info: dict[str, Any]) -> None:
        """Take Hugging Face's loading information in.

        Raises:
            InputError: if no weight of the body was loaded, or one has another shape.
        """
        self.reshaped = sorted(entry[0] for entry in info["mismatched_keys"])
        self.new = sorted({*info["missing_keys"], *self.reshaped})
        self.unused = sorted(info["unexpected_keys"])
        fresh = set(self.new)
        self.loaded = [name for name, _ in model.named_parameters() if name not in fresh]
        body = {name for name, _ in model.named_parameters() if in_body(model, name)}
        self.head_is_new = any(name not in body for name in self.new)
        if wrong := [name for name in self.reshaped if name in body]:
            raise InputError(
                f"The weights of {self.label} do not fit its configuration: {_some(wrong)} differ in shape. "
                "Leave the sizes in backbone.config as they were trained."
            )
        if body and not body & set(self.loaded):
            raise InputError(
                f"No weight of {self.label} matches a {model.config.model_type}: the file holds {_some(self.unused)}; "
                f"the network needs {_some(sorted(body))}."
            )

    def __str__(self) -> str:
        if not self.loaded:
            return f"Weights of {self.label}: {shown_count(self.parameters)} parameters, all new."
        counts = f"{len(self.loaded)} tensors loaded, {len(self.new)} new, {len(self.unused)} unused"
        lines = [f"Weights of {self.label}: {shown_count(self.parameters)} parameters; {counts}."]
        listed = (("new", self.new), ("unused", self.unused), ("kept for later runs", list(self.carried)))
        lines += [f"  {kind}: {_some(names, 6)}" for kind, names in listed if names]
        return "\n".join(lines)

    def print(self) -> None:
        """Say it once, on the main process."""
        rank_zero_info(str(self))


def shown_count(parameters: int) -> str:
    """Return how many parameters there are: in millions, where there are not less than one, else in full."""
    return f"{parameters / 1e6:.1f} M" if parameters >= 1e6 else f"{parameters:,}"


def _some(names: list[str], count: int = 3) -> str:
    rest = len(names) - count
    return ", ".join(names[:count]) + (f" and {rest} more" if rest > 0 else "")
