"""What Lightning does not have."""

from ...cli.callbacks.best import BestCheckpoint
from ...cli.callbacks.checkpoints import AtomicCheckpointIO, LastCheckpoint
from ...cli.callbacks.curves import LearningCurves
from ...cli.callbacks.early_stopping import EarlyStopping
from ...cli.callbacks.export import ExportBest
from ...cli.callbacks.orderly_stop import OrderlyStop
from ...cli.callbacks.overfitting import OverfittingWarnings
from ...cli.callbacks.pace import Pace
from ...cli.callbacks.predictions import PredictionWriter
from ...cli.callbacks.progress_bar import RunProgressBar
from ...cli.callbacks.report import RunReport
from ...cli.callbacks.step_times import StepTimes
from ...cli.callbacks.throughput import Throughput
from ...cli.callbacks.untrained import RefuseUntrained
from .averaging import EqualWeightAveraging
from .forgetting import Forgetting
from .old_and_new import OldAndNew
from .probe import Probe
from .rollback import Rollback
from .warm_up import BatchSizeWarmup, SequenceLengthWarmup

__all__ = [
    "AtomicCheckpointIO",
    "BatchSizeWarmup",
    "BestCheckpoint",
    "EarlyStopping",
    "EqualWeightAveraging",
    "ExportBest",
    "Forgetting",
    "LastCheckpoint",
    "LearningCurves",
    "OldAndNew",
    "OrderlyStop",
    "OverfittingWarnings",
    "Pace",
    "PredictionWriter",
    "Probe",
    "RefuseUntrained",
    "Rollback",
    "RunProgressBar",
    "RunReport",
    "SequenceLengthWarmup",
    "StepTimes",
    "Throughput",
]
