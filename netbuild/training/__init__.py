"""From a config to a trained network in a run folder.

Each name is imported when it is first used. So a module of this room that does not need torch loads
without torch. netbuild itself imports from the modules.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from netbuild.diagnostics.exceptions import (
        InputError,
        Interrupted,
        RunNotFoundError,
        TrainingError,
    )
    from netbuild.runs.folder import Run, find
    from netbuild.training.changes import anew
    from netbuild.training.evaluation import evaluate, evaluate_weights
    from netbuild.training.prediction.noise import sample
    from netbuild.training.prediction.predict import predict
    from netbuild.training.prediction.speak import speak
    from netbuild.training.progress import Silent
    from netbuild.training.session import fit, prepare, resume, train

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
    "sample",
    "speak",
    "train",
]

#: The module that defines each name.
_HOMES = {
    "InputError": "diagnostics.exceptions",
    "Interrupted": "diagnostics.exceptions",
    "Run": "runs.folder",
    "RunNotFoundError": "diagnostics.exceptions",
    "Silent": "training.progress",
    "TrainingError": "diagnostics.exceptions",
    "anew": "training.changes",
    "evaluate": "training.evaluation",
    "evaluate_weights": "training.evaluation",
    "find": "runs.folder",
    "fit": "training.session",
    "predict": "training.prediction.predict",
    "prepare": "training.session",
    "resume": "training.session",
    "sample": "training.prediction.noise",
    "speak": "training.prediction.speak",
    "train": "training.session",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    return getattr(import_module(f"netbuild.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return list(__all__)
