"""The files in the folder of a run.

runs/NAME/TIME/
    config.yaml         a copy of the user's file, byte for byte
    resolved.yaml       the complete config: base, settings and defaults are filled in
    resolved-N.yaml     former configs, if a resumed run changed its config
    environment.json    versions, device, threads, the command
    classes.json        the names of the classes, in the order of their numbers: a list of strings;
                        only if the data has names
    data.json           what the run keeps of its data; only if it keeps anything
    broken.txt          the reason for each picture that is left out, because it cannot be read;
                        only if there are such pictures
    metrics.jsonl       one object for each finished epoch
    checkpoints/last/   the state from which the training continues
    checkpoints/best/   the weights with the lowest validation loss
    .lock               only on Windows: locked by the process that trains

`runs/folds.py` describes a folder of folds.
"""

from __future__ import annotations

import re
import time
from pathlib import Path

#: The default folder of all runs.
RUNS = Path("runs")

CONFIG = "config.yaml"
RESOLVED = "resolved.yaml"
ENVIRONMENT = "environment.json"
CLASSES = "classes.json"
DATA = "data.json"
BROKEN = "broken.txt"
METRICS = "metrics.jsonl"
CHECKPOINTS = "checkpoints"

#: The files of a folder of folds, and the start of the name of each fold's folder.
FOLDS = "folds.json"
FOLDS_CONFIG = "folds.yaml"
FOLD = "fold-"

#: Files and folders that only the folder of a run has.
_OWN = {RESOLVED, ENVIRONMENT, METRICS, CHECKPOINTS}
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d(-\d{3})?")


def make_folder(parent: Path) -> Path:
    """Make a new folder that is named after the current time, and return it.

    If the folder exists already, its name gets a number. The names sort in the order of time.
    """
    name = time.strftime("%Y-%m-%dT%H-%M-%S")
    number = 1
    while True:
        folder = parent / (name if number == 1 else f"{name}-{number:03}")
        try:
            folder.mkdir()
        except FileExistsError:
            number += 1
        else:
            return folder


def numbered(number: int | str) -> str:
    """Return the name of the file of a former config; `*` stands for any number."""
    return RESOLVED.replace(".", f"-{number}.")


def checkpoint(folder: Path, which: str) -> Path:
    """Return the place of the checkpoint `last` or `best` in the folder of a run."""
    return folder / CHECKPOINTS / which


def is_folds(folder: Path) -> bool:
    """Whether a folder holds the folds of a training."""
    return (folder / FOLDS).is_file()


def is_run(folder: Path) -> bool:
    """Whether a folder belongs to a run, by its name or by its content."""
    try:
        return _TIME.fullmatch(folder.name) is not None or any(
            path.name in _OWN for path in folder.iterdir()
        )
    except OSError:
        return False
