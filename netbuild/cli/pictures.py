"""Predictions as pictures: one PNG file, or a folder of PNG files beside a JSON file."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netbuild.cli.predictions import opened, replacing
from netbuild.cli.terminal import fail, say
from netbuild.diagnostics.escapes import of_json

if TYPE_CHECKING:
    from collections.abc import Iterable

    from netbuild.training.prediction.pictures import Painted, Painter
    from netbuild.training.prediction.predict import Prediction, Predictor

#: The file of the predictions beside their pictures.
TOLD = "predictions.json"


def is_meant(output: str) -> bool:
    """Whether an output is a picture, or a folder for pictures."""
    return _is_folder(output) or Path(output).suffix.lower() == ".png"


def _is_folder(output: str) -> bool:
    return output.endswith(("/", "\\")) or Path(output).is_dir()


def write(
    told: Iterable[Prediction], predictor: Predictor, output: str, *, overwrite: bool
) -> None:
    """Write the pictures of predictions into a file or a folder.

    Raises:
        TrainingError: the network predicts no pictures.
    """
    from netbuild.training.prediction.pictures import Painter

    painter = Painter(predictor)
    if _is_folder(output):
        _write_all(told, painter, Path(output), overwrite=overwrite)
        return
    painted = [picture for one in islice(told, 2) for picture in painter.paint(one)]
    if len(painted) > 1:
        fail(f"there are several pictures, and {output} is one: name a folder, such as -o out/")
    for picture in painted:
        with replacing(Path(output)) as new, new.open("wb") as file:
            picture.write(file)


def _write_all(
    told: Iterable[Prediction], painter: Painter, folder: Path, *, overwrite: bool
) -> None:
    """Write the pictures of predictions into a folder, and what else is told into a JSON file.

    A picture has the name of its input. Equal names get numbers.
    """
    from netbuild.training.prediction.pictures import summary

    if not overwrite and (folder / TOLD).exists():
        fail(f"{folder / TOLD} already exists: --overwrite replaces it")
    folder.mkdir(parents=True, exist_ok=True)
    taken: set[str] = set()
    with opened(folder / TOLD) as file:
        before = "[\n"
        for one in told:
            painted = {_name(one, part, taken): part for part in painter.paint(one)}
            for name, part in painted.items():
                _save(part, folder / name, overwrite=overwrite)
            line = json.dumps(summary(one, painted), ensure_ascii=False)
            file.write(before + of_json(line))
            before = ",\n"
        file.write("\n]\n" if taken else "[]\n")
    count = len(taken)
    say(f"{folder}: {count:,} picture{'s' * (count != 1)} and {TOLD}")


def _save(painted: Painted, path: Path, *, overwrite: bool) -> None:
    if not overwrite and path.exists():
        fail(f"{path} already exists: --overwrite replaces it")
    with replacing(path) as new, new.open("wb") as file:
        painted.write(file)


def _name(told: dict[str, Any], painted: Painted, taken: set[str]) -> str:
    """Return a free name for a picture, and take it."""
    parts = [Path(str(told.get("input", "array"))).stem]
    parts += [str(told["index"])] if "index" in told else []
    parts += [painted.output] if painted.output else []
    name, number = "-".join(parts), 1
    found = f"{name}.png"
    while found.lower() in taken:
        number += 1
        found = f"{name}-{number}.png"
    taken.add(found.lower())
    return found
