"""The base of the tasks whose outputs have names: labels that travel with the weights, and agree with the data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from lightning.pytorch.utilities.rank_zero import rank_zero_info
from torch import Tensor

from ...contracts import Stored, data_facts
from ...errors import InputError, MisfitError
from ..backbone.backbone import Backbone
from ..backbone.layers import in_body
from ..shortcuts.fresh_weights import reinitialize
from .calibrated import CalibratedModule


class LabeledModule(CalibratedModule):
    """The base of tasks whose head has one output for each of the `labels`.

    Args:
        backbone: a hub id, a folder, an earlier run's folder or its `.ckpt`, or a `Backbone` with options.
        labels: the label names in the order of their indices; null asks the datamodule.
        class_weights: `balanced` (inverse to the training frequencies), one weight a label, or null; of single labels,
            in the training loss alone.
        **optimization: the options of every module: `learning_rate`, `weight_decay`, `schedule`, `warmup`, ...
    """

    fewest_labels = 2
    needs_tokenizer = False
    weights: Tensor | None

    def __init__(
        self,
        backbone: str | Backbone,
        labels: list[str] | None = None,
        class_weights: Literal["balanced"] | list[float] | None = None,
        **optimization: Any,
    ) -> None:
        super().__init__(backbone, **optimization)
        if isinstance(class_weights, list) and (min(class_weights, default=0) < 0 or not any(class_weights)):
            raise InputError(f"model.class_weights is {class_weights}; weights must not be below 0, nor all be 0.")
        self.labels = labels
        self.class_weights = class_weights
        self.register_buffer("weights", None, persistent=False)

    def known_labels(self, fitting: bool) -> list[str] | None:
        """Return the label names that do not come from the data, if there are any.

        Args:
            fitting: whether a head is about to be trained, which may have other labels than the backbone's.
        """
        if self.labels is not None:
            return self.labels
        if self.stored is not None:
            return list(self.stored.labels) if self.stored.labels is not None else None
        if fitting or self.backbone.name is None:
            return None
        names = list((self.backbone.load_config().id2label or {}).values())
        return None if names == [f"LABEL_{i}" for i in range(len(names))] else names

    def prepare(self, data: Any) -> None:
        """Find the label names: given, the checkpoint's, or the datamodule's; they must agree."""
        super().prepare(data)
        labels_of_data = data_facts(data).labels
        stored = self.stored.labels if self.stored is not None else None
        for source, names in (("the checkpoint", stored), ("the data", labels_of_data)):
            if names is None:
                continue
            if self.labels is None:
                self.labels = list(names)
            elif list(names) != list(self.labels):
                raise MisfitError(
                    f"The label names disagree: the model has {_list(self.labels)}, {source} {_list(names)}. Their "
                    "order counts; data.label_names maps what the files hold to what the model knows."
                )
        if self.labels is None:
            self.labels = self.known_labels(fitting=False)  # those that the backbone's head was trained on
        if not self.labels:
            raise InputError(
                f"{type(self).__name__} needs label names, and neither weights nor data know any: train first, "
                "evaluate a trained model (--ckpt_path, or model.backbone), or set model.labels."
            )
        if len(self.labels) < self.fewest_labels:
            raise InputError(f"There is one class only ({self.labels[0]!r}): nothing can be learned from it.")

    def check_stored(self, entry: Stored) -> None:
        """Refuse outputs in another order, or of other labels, than those that the network was built with."""
        if entry.labels is not None and list(entry.labels) != list(self.labels or []):
            raise MisfitError(
                f"The label names disagree: the model has {_list(self.labels or [])}, the checkpoint "
                f"{_list(entry.labels)}. Their order counts: a model that is not built yet takes the checkpoint's."
            )

    def head_options(self) -> dict[str, Any]:
        """Return the number of labels."""
        return {"num_labels": self.number_of_outputs()}

    def number_of_outputs(self) -> int:
        """Return the number of labels."""
        return len(self.labels or [])

    def finish(self) -> None:
        """Write the label names into the network; a head that was trained on others is not taken over."""
        super().finish()
        self._align_head()
        self.weights = self._weights()
        self.model.config.id2label = dict(enumerate(self.labels or []))
        self.model.config.label2id = {name: i for i, name in enumerate(self.labels or [])}

    def _weights(self) -> Tensor | None:
        """Return (labels,) float32: the weight of each label in the training loss, or None where all are alike."""
        if self.class_weights is None:
            return None
        if self.class_weights == "balanced":
            counts = data_facts(self.datamodule).label_counts
            if not counts or not any(counts):
                return None  # evaluation, where weights play no part
            occurring = sum(n > 0 for n in counts)
            weights = [sum(counts) / (occurring * n) if n else 1.0 for n in counts]
            shown = [f"{n} {w:.2f}" for n, w in zip(self.labels or [], weights, strict=True)]
            rank_zero_info("Class weights: " + ", ".join(shown[:20]) + (", ..." if len(shown) > 20 else "") + ".")
            return torch.tensor(weights)
        if len(self.class_weights) != len(self.labels or []):
            raise InputError(
                f"model.class_weights has {len(self.class_weights)} entries for {len(self.labels or [])} labels."
            )
        return torch.tensor(self.class_weights)

    def _align_head(self) -> None:
        """Make a trained head agree with the label names: HF would take it over in whatever order it was trained."""
        report, labels = self.weight_report, list(self.labels or [])
        if self.stored is not None or report is None or report.head_is_new:
            return
        trained = list((self.backbone.load_config().id2label or {}).values())
        if trained == labels or trained == [f"LABEL_{i}" for i in range(len(labels))]:
            return
        head = [(n, p) for n, p in self.model.named_parameters() if not in_body(self.model, n)]
        if sorted(trained) == sorted(labels):
            places = {name: place for place, name in reversed([*enumerate(trained)])}
            order = [places[name] for name in labels]
            last = [name for name, parameter in head if parameter.shape[0] == len(labels)][-1].rpartition(".")[0]
            for parameter in self.model.get_submodule(last).parameters(recurse=False):
                parameter.data = parameter.data[order]
            rank_zero_info(f"The head knew the labels as {_list(trained)}: its outputs were reordered.")
            return
        for name in {name.rpartition(".")[0] for name, _ in head}:
            reinitialize(self.model, self.model.get_submodule(name))
        report.head_is_new = True
        rank_zero_info(
            f"The head was trained on the labels {_list(trained)}, the data have {_list(labels)}: it starts anew. "
            "data.label_names can map the data's labels to the head's."
        )

    def describe(self) -> dict[str, Any]:
        """Return what the base says, and the label names."""
        return {**super().describe(), "labels": self.labels}


def _list(names: Sequence[str]) -> str:
    return "[" + ", ".join(names[:10]) + (", ..." if len(names) > 10 else "") + "]"


LabelledModule = LabeledModule
"""Its name in version 0.1."""
