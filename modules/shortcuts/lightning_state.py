"""What Lightning keeps for itself and would have wrong, set right.

Touches: private attributes of Lightning 2.6, one in each function below, which says why: Lightning has no public way.
Off: `leave_signals_alone` and `count_steps_from` belong to callbacks of the command line, which a script in Python has
only if it names them; the two others come with what they set right, a second validation loader and Lightning's SWA.
"""

from __future__ import annotations

import copy
from typing import Any

from lightning.pytorch import LightningModule, Trainer


def leave_signals_alone(trainer: Trainer) -> None:
    """Have a trainer install no handlers of signals, as the process has its own (`_signal_connector`).

    Lightning's handlers save into a folder that all runs share, and talk to other processes while these may be talking
    about something else.
    """
    trainer._signal_connector.register_signal_handlers = lambda: None  # type: ignore[method-assign]


def count_steps_from(trainer: Trainer, step: int) -> None:
    """Have loggers count from a step on, where a trainer counts less (`_batches_that_stepped`).

    A checkpoint that was taken while the end was validated has a step less in what loggers count.
    """
    loop = trainer.fit_loop.epoch_loop
    loop._batches_that_stepped = max(loop._batches_that_stepped, step)


def forget_metric_names(module: LightningModule) -> None:
    """Have a module look for its metrics again, as there are more now (`_metric_attributes`)."""
    module._metric_attributes = None


def copy_into_average(callback: Any, module: LightningModule) -> None:
    """Give Lightning's SWA a copy of a module as it is now in the place of the one that it has (`_average_model`).

    Args:
        callback: a `StochasticWeightAveraging`, which copied the module before there was a network in it.
        module: that is trained.
    """
    if callback._average_model is not None:
        callback._average_model = None  # a copy of the module would hold the former one
        callback._average_model = copy.deepcopy(module)
