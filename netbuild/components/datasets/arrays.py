"""Arrays in files."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import field_validator

from netbuild.components.datasets.array_files import StoredArray, read_arrays, shift_between
from netbuild.components.datasets.conversion import (
    arrays_of,
    expect_classes,
    ignored,
    input_of,
    target_of,
)
from netbuild.components.datasets.dataset import (
    ONE_TARGET,
    Bounds,
    DataError,
    Dataset,
    Declared,
    Geometry,
    Loaded,
    Repeat,
    Sample,
    Samples,
    Size,
)
from netbuild.components.datasets.fields import (
    AnyPath,
    ClassCounts,
    InputArrays,
    Marks,
    TargetNames,
    by_name,
    count_of,
    expect_counts,
    expect_marks,
    flat,
)
from netbuild.components.datasets.grouping import expect_group
from netbuild.components.datasets.paths import has_any
from netbuild.components.target import Target
from netbuild.components.tensor import Tensor, product, times

if TYPE_CHECKING:
    import numpy as np


class Arrays(Dataset):
    """Arrays by name, from a .npz or .safetensors file or from a folder of .npy files.

    Axis 0 of each array counts the samples. `inputs` names one array for each input of the network,
    in the network's order or by their names. uint8 becomes float32 from 0 to 1. Other numbers
    become float32, or stay whole numbers if the network reads whole numbers. An axis of one channel
    is added if the network reads one. A `target` of whole numbers is classes if the loss compares
    with classes; by default `classes` are counted. All other targets are float32 values. If an
    array of uint8 is an input and also such a target, both are 0 to 1. A mapping in `target` names
    several targets. `marks` says that a target is boxes, x1, y1, x2, y2, or points, x, y, in pixels
    from the left and the top edge of the image.

    The split test is the arrays x_test and y_test, next to x and y or to x_train and y_train.

    data: {Arrays: data/train.npz}
    """

    paths = ("file",)

    file: AnyPath
    """Path of a .npz or .safetensors file, or of a folder of .npy files."""
    inputs: InputArrays = ("x",)
    """Names of the arrays that the network reads, one for each of its inputs."""
    target: TargetNames = "y"
    """Name of the array that the network learns to predict; a mapping names several targets."""
    classes: ClassCounts = None
    """Number of classes of the target; null counts them."""
    marks: Marks = None
    """Whether the target is boxes or points in pixels of the image, which `augment` moves."""

    @field_validator("classes")
    @classmethod
    def _of_targets(cls, classes: Any, info: Any) -> Any:
        return expect_counts(classes, info.data.get("target"))

    @field_validator("marks")
    @classmethod
    def _of_these(cls, marks: Any, info: Any) -> Any:
        return expect_marks(marks, info.data.get("target"))

    @property
    def target_names(self) -> tuple[str, ...]:
        return tuple(by_name(self.target))

    @property
    def geometry(self) -> Mapping[str, Geometry]:
        named = {ONE_TARGET[0]: self.marks} if isinstance(self.marks, str) else self.marks or {}
        return {name: "boxes" if kind == "boxes" else "points" for name, kind in named.items()}

    def count(self) -> int | None:
        if not has_any(self.file, "file"):
            return None
        return self._stored(None)[-1].shape[0]

    def sample(self, wanted: Sample) -> Declared:
        if not has_any(self.file, "file"):
            return Declared((None,) * len(self.inputs), dict.fromkeys(self.target_names))
        inputs, targets = self._parts(None)
        told = {}
        for name, array in by_name(self.target).items():
            stored, wants = targets[name], wanted.targets[name]
            classes = self._classes(name, stored, wants)
            expect_classes(stored, wants, classes, array)
            told[name] = target_of(stored.tensor, wants, classes)
            self._expect_coordinates(name, stored, array)
        given = [
            input_of(stored.tensor, x) for stored, x in zip(inputs, wanted.inputs, strict=False)
        ]
        rest = [stored.tensor for stored in inputs[len(given) :]]
        return Declared((*given, *rest), told)

    def repeats(self, wanted: Sample) -> tuple[Repeat, ...]:
        """Compare the first samples: a target that repeats an input does so in all of them.

        The places are axis 0, or axis 1 of a sample of two axes, such as channels and time.
        """
        compared = [name for name, wants in wanted.targets.items() if wants.tensor.shape]
        if not has_any(self.file, "file") or not compared:
            return ()
        inputs, targets = self._parts(None)
        found = []
        for name in compared:
            for n, stored in enumerate(inputs):
                for axis in range(2 if len(stored.shape) == 3 else 1):
                    shift = shift_between(stored, targets[name], axis)
                    if shift is not None:
                        found.append(Repeat(n, shift, axis, name))
        return tuple(found)

    def bounds(
        self, inputs: tuple[Tensor, ...], split: str | None = None
    ) -> tuple[Bounds | None, ...]:
        if not has_any(self.file, "file"):
            return (None,) * len(inputs)
        pairs = zip(self._parts(split)[0], inputs, strict=False)
        return tuple(None if x.floating else stored.bounds() for stored, x in pairs)

    def check_split(self, split: str) -> None:
        if has_any(self.file, "file"):
            self._stored(split)

    def check_group(self, column: str) -> None:
        if has_any(self.file, "file"):
            stored = read_arrays(Path(self.file))
            told = f"its arrays are {', '.join(stored)}"
            expect_group(column, stored, flat(self.inputs), self.file, told)
            if stored[column].shape != (samples := self._stored(None)[-1].shape)[:1]:
                came = times(stored[column].shape)
                message = (
                    f"{column} is {came}, and needs one value for each of {samples[0]} samples"
                )
                raise DataError(message)

    def groups(self, column: str, split: str | None = None) -> "np.ndarray[Any, Any]":
        self.check_group(column)
        return read_arrays(Path(self.file))[column].values()

    def load(self, wanted: Sample, split: str | None = None, size: Size | None = None) -> Loaded:
        values = tuple(stored.values() for stored in self._stored(split))
        return arrays_of(values, self._names(split), wanted, self._counted(wanted))

    def open(
        self, wanted: Sample, split: str | None = None, size: Size | None = None
    ) -> Samples | None:
        """Return the samples; None for compressed arrays, or arrays in Fortran's order."""
        from netbuild.components.datasets.array_samples import samples_of

        return samples_of(self._stored(split), self._names(split), wanted, self._counted(wanted))

    def _counted(self, wanted: Sample) -> dict[str, int | None]:
        """Return the number of classes of each target."""
        targets = self._parts(None)[1]
        return {name: self._classes(name, x, wanted.targets[name]) for name, x in targets.items()}

    def _expect_coordinates(self, name: str, stored: StoredArray, array: str) -> None:
        """Refuse boxes whose numbers are not four a box, and points that are not two.

        Raises:
            DataError: says the numbers that a sample has.
        """
        kind, numbers = self.geometry.get(name), product(stored.tensor.shape)
        each = {"boxes": "x1, y1, x2, y2", "points": "x, y"}.get(kind or "", "")
        if each and (not numbers or numbers % len(each.split(", "))):
            plural = "" if numbers == 1 else "s"
            message = f"{array} has {numbers} number{plural} a sample, and {kind} are {each}"
            raise DataError(message, "marks")

    def _classes(self, name: str, target: StoredArray, wanted: Target) -> int | None:
        """Return the number of classes; if the loss needs it, count them in the training set."""
        written = count_of(self.classes, name)
        if written is None and target_of(target.tensor, wanted, None) is None:
            return target.classes(ignored(wanted))
        return written

    def _parts(self, split: str | None) -> tuple[tuple[StoredArray, ...], dict[str, StoredArray]]:
        """Return the arrays of the inputs, and those of the targets by name.

        Raises:
            DataError: as `_stored` does.
        """
        stored, count = self._stored(split), len(self.inputs)
        return stored[:count], dict(zip(self.target_names, stored[count:], strict=True))

    def _names(self, split: str | None) -> tuple[str, ...]:
        """Return the names of the arrays of a split: the inputs, and behind them the targets."""
        names = (*flat(self.inputs), *by_name(self.target).values())
        if split is None:
            return names
        return tuple(f"{re.sub('_train$', '', name)}_{split}" for name in names)

    def _stored(self, split: str | None) -> tuple[StoredArray, ...]:
        """Return the arrays of a split: the inputs, and behind them the targets.

        Raises:
            DataError: the file or an array does not exist, or the arrays differ in length.
        """
        path = Path(self.file)
        if not has_any(self.file, "file"):
            raise DataError(f"there is no {path}", "file")
        there = read_arrays(path)
        names = self._names(split)
        fields = (*("inputs",) * len(self.inputs), *("target",) * len(self.target_names))
        for name, field in zip(names, fields, strict=True):
            if name not in there:
                known = ", ".join(there) or "none"
                raise DataError(f"{path} has no array {name}", field, f"its arrays are {known}")
            if not there[name].is_read:
                message = f"{name} holds {there[name].descr.lstrip('<|>')}, and must hold numbers"
                raise DataError(message, field)
            if not there[name].shape:
                message = f"{name} is a single number, and axis 0 must count the samples"
                raise DataError(message, field)
        found = tuple(there[name] for name in names)
        for name, stored in zip(names, found, strict=True):
            if stored.shape[0] != found[-1].shape[0]:
                message = (
                    f"{name} has {stored.shape[0]:,} samples, and "
                    f"{names[-1]} has {found[-1].shape[0]:,}"
                )
                raise DataError(message)
        return found
