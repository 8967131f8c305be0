"""From a config to a trained network in a run folder."""

from __future__ import annotations

from netbuild.diagnostics.exceptions import RunNotFoundError, TrainingError
from netbuild.runs.folder import Run, find
from netbuild.training.changes import anew
from netbuild.training.loop import Interrupted
from netbuild.training.prediction.inputs import InputError
from netbuild.training.prediction.predict import predict
from netbuild.training.progress import Silent
from netbuild.training.session import evaluate, evaluate_weights, fit, prepare, resume, train

__all__ = [
    "InputError",
    "Interrupted",
    "Run",
    "RunNotFoundError",
    "Silent",
    "TrainingError",
    "anew",
    "evaluate",
    "evaluate_weights",
    "find",
    "fit",
    "predict",
    "prepare",
    "resume",
    "train",
]
