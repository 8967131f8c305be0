"""What lies in the folder of a run.

runs/NAME/TIME/
    config.yaml         the file that was given, byte for byte
    resolved.yaml       the config that is used: the same network without base, settings or defaults
    resolved-N.yaml     the configs that were used before, where a resumed run had another one
    environment.json    versions, device, threads
    classes.json        the names of the classes, in the order of their numbers, where the data has
                        names: a list of strings
    metrics.jsonl       one object for each finished epoch
    checkpoints/last/   where the training goes on
    checkpoints/best/   the weights with the lowest validation loss
"""

from __future__ import annotations

import re
import time
from pathlib import Path

#: Where `netbuild train` puts runs.
RUNS = Path("runs")

CONFIG = "config.yaml"
RESOLVED = "resolved.yaml"
ENVIRONMENT = "environment.json"
CLASSES = "classes.json"
METRICS = "metrics.jsonl"
CHECKPOINTS = "checkpoints"

#: What only the folder of a run has.
_OWN = {RESOLVED, ENVIRONMENT, METRICS, CHECKPOINTS}
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d(-\d{3})?")


def make_folder(parent: Path) -> Path:
    """Make a new folder that is named after the current time, and return it.

    Where there is such a folder already, a number is added. The names sort in the order of time.
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
    """Return the name of a file with a config that was used before; `*` stands for any number."""
    return RESOLVED.replace(".", f"-{number}.")


def checkpoint(folder: Path, which: str) -> Path:
    """Return the place of the checkpoint `last` or `best` in the folder of a run."""
    return folder / CHECKPOINTS / which


def is_run(folder: Path) -> bool:
    """Whether a folder belongs to a run, by its name or by its content."""
    try:
        return _TIME.fullmatch(folder.name) is not None or any(
            path.name in _OWN for path in folder.iterdir()
        )
    except OSError:
        return False
