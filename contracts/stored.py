"""What a checkpoint says about itself, so that its module is built anew without data, a hub or a folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal


@dataclass(frozen=True)
class Stored:
    """The description in a checkpoint; plain data, as it must load with `weights_only=True`.

    Args:
        class_name: of the module.
        config: the Hugging Face configuration of its network, as JSON.
        tokenizer: its files by name, packed; empty where it has none.
        seed: that everything random in its training was drawn from.
        lora: whether its weights hold adapters that are not merged.
        new_words: rows of the embedding that its first weights did not come with; None where it was not taken down.
        labels: the label names in the order of its outputs.
        problem: whether rows have one label, several, or a number.
        temperature: that its logits are divided by for probabilities.
        tagging: whether labels of tokens name words, and not spans of them.
        generator: the configuration of the network that replaces tokens, as JSON.
        head_is_trained: whether the weights that adapters were put on had a head already.
        own: what a module of somebody else adds in `describe`.
    """

    class_name: str = "something else"
    config: str = ""
    tokenizer: dict[str, str] = field(default_factory=dict)
    seed: int = 0
    lora: bool = False
    new_words: list[int] | None = None
    labels: list[str] | None = None
    problem: Literal["single", "multi", "regression"] | None = None
    temperature: float = 1.0
    tagging: bool | None = None
    generator: str | None = None
    head_is_trained: bool = False
    own: Mapping[str, Any] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Any:
        """Return an entry by its name in the checkpoint, as when this was a dictionary, in version 0.1."""
        own = "class_name" if name == "class" else name
        return self.own[name] if own not in vars(self) or own == "own" else getattr(self, own)

    def get(self, name: str, default: Any = None) -> Any:
        """Return an entry by its name in the checkpoint; the default where it is not there."""
        try:
            value = self[name]
        except KeyError:
            return default
        return default if value is None else value

    @classmethod
    def of(cls, entry: Mapping[str, Any]) -> Stored:
        """Return the description that a module's `describe` gave.

        Args:
            entry: as it stands in the checkpoint; of other versions, entries may be missing or unknown.
        """
        named = {"class_name" if name == "class" else name: value for name, value in entry.items()}
        known = {f.name for f in fields(cls)} - {"own"}
        return cls(
            **{name: value for name, value in named.items() if name in known},
            own={name: value for name, value in named.items() if name not in known},
        )
