"""Services that runs are tracked with, beside the run folder: one line of YAML, `logger: wandb`."""

from .choice import Choice, chosen_trackers
from .group import one_group
from .tracking import Tracking

__all__ = ["Choice", "Tracking", "chosen_trackers", "one_group"]
