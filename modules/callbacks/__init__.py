"""What Lightning does not have."""

from .averaging import EqualWeightAveraging
from .best import BestCheckpoint
from .checkpoints import AtomicCheckpointIO, LastCheckpoint
from .curves import LearningCurves
from .early_stopping import EarlyStopping
from .export import ExportBest
from .forgetting import Forgetting
from .old_and_new import OldAndNew
from .orderly_stop import OrderlyStop
from .overfitting import OverfittingWarnings
from .pace import Pace
from .predictions import PredictionWriter
from .probe import Probe
from .progress_bar import RunProgressBar
from .report import RunReport
from .rollback import Rollback
from .step_times import StepTimes
from .throughput import Throughput
from .untrained import RefuseUntrained
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
