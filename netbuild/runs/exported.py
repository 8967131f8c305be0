"""Files that `netbuild export` has written: what they tell of the run that they were taken from."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netbuild.components.files import opened, real
from netbuild.components.safetensors import read_texts
from netbuild.config.load import read as read_config
from netbuild.config.normalize import measures
from netbuild.diagnostics.exceptions import TrainingError
from netbuild.runs.folder import Run, is_run
from netbuild.syntax.parser import from_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from netbuild.config.config import Config


def measured_with(weights: str | Path) -> Any:
    """Return the means and deviations of the run that a file of weights lies in; None without."""
    found = run_with(weights)
    normalize = found.config().preparation.normalize if found else False
    return None if normalize is False or measures(normalize) else normalize


def run_with(weights: str | Path) -> Run | None:
    """Return the run that a file of weights lies in, or that it was exported from; None without."""
    inside = [folder for folder in Path(real(weights)).parents[:3] if is_run(folder)]
    if inside:
        return Run(inside[0])
    told = _told_by(weights)
    return Exported(Path(weights), told) if "config" in told else None


@dataclass(frozen=True, repr=False)
class Exported(Run):
    """What a file of `netbuild export` tells of the run that it was taken from.

    `folder` is the path of the file: one of weights, or an ONNX file. `told` are the texts in it.
    """

    told: Mapping[str, str]

    def __repr__(self) -> str:
        return f"<Exported {self.folder}>"

    @property
    def kept(self) -> dict[str, Any]:
        """What the run keeps of its data.

        Raises:
            TrainingError: the file was changed.
        """
        values = self._values("data")
        return values if isinstance(values, dict) else {}

    @property
    def _data(self) -> Path:
        return self.folder

    @property
    def classes(self) -> tuple[str, ...] | None:
        """The names of the classes; None if they have no names.

        Raises:
            TrainingError: the file was changed.
        """
        names = self._values("classes")
        return tuple(map(str, names)) if isinstance(names, list) else None

    def config(self, settings: Sequence[str] = ()) -> Config:
        """Return the config of the run, changed by `settings`; its faults are not raised."""
        source = from_bytes(f"{self.folder}: config", self.told["config"].encode())
        return read_config(source, settings).starting_from()

    def _values(self, name: str) -> Any:
        try:
            return json.loads(self.told.get(name, "null"))
        except (ValueError, RecursionError) as error:
            message = f"{self.folder} was changed: its {name} is not JSON"
            raise TrainingError(message) from error


def _told_by(weights: str | Path) -> Mapping[str, str]:
    """Return the texts in the header of a file of weights; nothing without."""
    try:
        with opened(weights) as file:
            return read_texts(file)
    except (OSError, ValueError):  # another check says what is wrong with the file
        return {}
