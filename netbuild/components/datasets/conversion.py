"""Conversion of stored numbers to the numbers that a network and its loss need."""

from math import prod
from typing import TYPE_CHECKING, Any

from netbuild.components.datasets.dataset import DataError, Sample
from netbuild.components.target import Classes, Labels, Signs, Target, Values
from netbuild.components.tensor import Shape, Tensor

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np

    from netbuild.components.datasets.array_files import StoredArray
    from netbuild.components.datasets.dataset import Loaded

#: The class number that torch's losses ignore by default.
_IGNORED = -100
#: The largest target, in bytes, that a check reads to find numbers that are no classes.
_MOST_READ = 1 << 22


def input_of(stored: Tensor, wanted: Tensor) -> Tensor:
    """Return a converted input: float32, or whole numbers if the network reads whole numbers.

    An axis of one channel is added if the network reads one.
    """
    dtype = "float32" if wanted.floating or stored.floating else wanted.dtype
    lacks_axis = len(wanted.shape) == len(stored.shape) + 1 and wanted.shape[0] == 1
    return Tensor((1, *stored.shape) if lacks_axis else stored.shape, dtype)


def target_of(stored: Tensor, wanted: Target, classes: int | None) -> Target | None:
    """Return a converted target; None if the number of classes is unknown.

    Whole numbers are classes if the loss compares with classes, or if the number of classes is
    known. A loss that compares one value gets two classes as 0 and 1, or as −1 and 1.
    """
    shape = _like(stored.shape, wanted.tensor.shape)
    if not stored.floating:
        if isinstance(wanted, Classes):
            return None if classes is None else Classes(classes, shape)
        if isinstance(wanted, Labels) and len(shape) == 1:
            return None if classes is None else Labels(classes, shape[0], wanted.blank)
        of_two = classes == 2 and isinstance(wanted, Values | Signs) and shape == wanted.shape
        if classes is not None and not of_two:
            return Classes(classes, _like(stored.shape, ()))
    return Signs(shape) if isinstance(wanted, Signs) else Values(shape)


def ignored(wanted: Target) -> int | None:
    """Return the number that the loss ignores in the target, and that is no class."""
    return wanted.ignored if isinstance(wanted, Classes) else None


def expect_classes(stored: "StoredArray", wanted: Target, classes: int | None, name: str) -> None:
    """Refuse numbers of a stored target that are neither class numbers nor ignored by the loss.

    A large target is not read for this check alone; `load` checks it too.

    Raises:
        DataError: names the number.
    """
    if classes is None or not isinstance(wanted, Classes | Labels) or stored.nbytes > _MOST_READ:
        return
    least, most = stored.bounds(ignored(wanted)) or (0, 0)
    if most >= classes:
        message = f"{name} has the number {most}, and the classes are 0 to {classes - 1}"
        raise DataError(message, "classes")
    if least < (-1 if isinstance(wanted, Labels) else 0) and least != _IGNORED:
        raise DataError(f"{name} has the number {least}, and classes count from 0", "target")


def _like(shape: Shape, wanted: Shape) -> Shape:
    """Return `shape`; for a single number return the wanted shape, `()` or `(1,)`."""
    return wanted if prod(shape) == prod(wanted) == 1 and len(shape) < 2 > len(wanted) else shape


def inputs_of(
    arrays: "tuple[np.ndarray[Any, Any], ...]", names: tuple[str, ...], wanted: tuple[Tensor, ...]
) -> "tuple[np.ndarray[Any, Any], ...]":
    """Return the converted values of all inputs, in the network's order."""
    return tuple(
        input_values(array, x, name) for array, name, x in zip(arrays, names, wanted, strict=True)
    )


def _at_index(index: int) -> str:
    return f"at index {index}"


def input_values(
    array: "np.ndarray[Any, Any]",
    wanted: Tensor,
    name: str,
    place: "Callable[[int], str]" = _at_index,
) -> "np.ndarray[Any, Any]":
    """Return the values of an input, (samples, *input); uint8 becomes 0 to 1.

    Raises:
        DataError: some values are not numbers, or not numbers that the network reads.
    """
    import numpy as np

    _expect_numbers(array, name, place)
    given = input_of(_tensor(array), wanted)
    with np.errstate(over="ignore", invalid="ignore"):
        values = array.astype(given.dtype, copy=False)
    if given.floating:
        if array.dtype == np.uint8:
            values /= np.float32(255)
        _refuse(
            ~np.isfinite(values), values, name, "a network cannot compute with it", place, "inputs"
        )
    else:
        _refuse(values != array, array, name, f"the network reads {given.dtype}", place, "inputs")
    return np.require(values.reshape(len(array), *given.shape), requirements=["C", "W"])


def target_values(
    array: "np.ndarray[Any, Any]",
    wanted: Target,
    classes: int | None,
    name: str,
    place: "Callable[[int], str]" = _at_index,
    *,
    scaled: bool = False,
) -> "np.ndarray[Any, Any]":
    """Return the values of the targets, (samples, *target).

    With `scaled`, uint8 values become 0 to 1, as in an input.

    Raises:
        DataError: some values are not numbers, or not class numbers.
    """
    import numpy as np

    _expect_numbers(array, name, place)
    counted = classes
    if classes is None and array.dtype.kind != "f":
        none = array == ignored(wanted)
        counted = max(1, int(array.max(initial=0, where=~none)) + 1)
    stored = _tensor(array)
    known = counted if isinstance(wanted, Classes | Labels) else classes
    target = target_of(stored, wanted, known)
    assert target is not None
    if not stored.floating and (classes is not None or isinstance(target, Classes | Labels)):
        _expect_classes(array, target, known, name, place, ignored(wanted))
    if not target.tensor.floating:
        values = array.astype("int64", copy=False)
    else:
        with np.errstate(over="ignore", invalid="ignore"):
            values = array.astype("float32", copy=False)
        if scaled and classes is None and isinstance(target, Values):
            values = values / np.float32(255)
        _refuse(
            ~np.isfinite(values), values, name, "a loss cannot compute with it", place, "target"
        )
        if isinstance(target, Signs):
            if array.dtype.kind != "f" and values.min(initial=0) >= 0:
                values = 2 * values - 1
            wrong = (values != 1) & (values != -1)
            _refuse(wrong, values, name, "the loss compares with 1 and −1", place, "target")
    shape = target.tensor.shape
    return np.require(values.reshape(len(array), *shape), requirements=["C", "W"])


def numbered(
    values: "Sequence[Any]",
    labels: "Sequence[Any]",
    none: int | None,
    name: str,
    place: "Callable[[int], str]" = _at_index,
) -> "np.ndarray[Any, Any]":
    """Return the class numbers of classes with names, or with other numbers.

    The number `none`, which the loss ignores, stays.

    Raises:
        DataError: names the first value that is no class.
    """
    import numpy as np

    numbers = {none: none} | {label: number for number, label in enumerate(labels)}
    found = [numbers.get(value) for value in values]
    if None in found:
        row = found.index(None)
        known = ", ".join(map(str, labels))
        raise DataError(
            f"{name} is {values[row]} {place(row)}, and the classes are {known}", "target"
        )
    return np.array(found, "int64")


def arrays_of(
    arrays: "tuple[np.ndarray[Any, Any], ...]",
    names: tuple[str, ...],
    wanted: Sample,
    classes: "Mapping[str, int | None]",
) -> "Loaded":
    """Return the converted values of stored arrays: the inputs, and behind them the targets.

    `names` are the names of the arrays. `classes` is the number of classes of each target.
    """
    count = len(arrays) - len(wanted.targets)
    inputs = inputs_of(arrays[:count], names[:count], wanted.inputs)
    # Bytes are 0 to 1 in an input, and so they are if the same array is a target.
    scaled = {
        name
        for name, stored, x in zip(names, arrays, inputs, strict=False)
        if stored.dtype == "uint8" and x.dtype.kind == "f"
    }
    targets = tuple(
        target_values(array, wanted.targets[target], classes[target], name, scaled=name in scaled)
        for target, array, name in zip(wanted.targets, arrays[count:], names[count:], strict=True)
    )
    return inputs, targets


def _tensor(array: "np.ndarray[Any, Any]") -> Tensor:
    return Tensor(array.shape[1:], array.dtype.name)


def _expect_numbers(
    array: "np.ndarray[Any, Any]", name: str, place: "Callable[[int], str]"
) -> None:
    """Refuse an array without numbers only.

    Raises:
        DataError: the array holds text, dates or lists of different lengths, or lacks a value.
    """
    if array.dtype.kind in "biuf":
        return
    for index, value in enumerate(array):
        if value is None:
            raise DataError(f"{name} has no value {place(index)}")
    first = array.flat[0] if array.size else None
    if isinstance(first, str):
        raise DataError(f"{name} is text, and must be numbers")
    if array.dtype.kind == "O":
        raise DataError(f"the samples of {name} differ in shape")
    raise DataError(f"{name} holds {array.dtype.name}, and must hold numbers")


def _expect_classes(
    array: "np.ndarray[Any, Any]",
    target: Target,
    classes: int | None,
    name: str,
    place: "Callable[[int], str]",
    none: int | None,
) -> None:
    """Refuse numbers that are neither class numbers nor the number `none`, which the loss ignores.

    Raises:
        DataError: names the first wrong number and its place.
    """
    negative = array < (-1 if isinstance(target, Labels) else 0)
    if array.ndim > 1:
        negative &= array != _IGNORED
    other = array != none
    negative &= other
    _refuse(negative, array, name, "classes count from 0", place, "target")
    if classes is not None:
        reason = f"there are {classes} classes, 0 to {classes - 1}"
        _refuse((array >= classes) & other, array, name, reason, place, "target")


def _refuse(
    wrong: "np.ndarray[Any, Any]",
    values: "np.ndarray[Any, Any]",
    name: str,
    reason: str,
    place: "Callable[[int], str]",
    at: str,
) -> None:
    """Refuse values if `wrong` marks some of them.

    Raises:
        DataError: names the first wrong value and its place.
    """
    if wrong.any():
        first = tuple(int(axis[0]) for axis in wrong.nonzero())
        raise DataError(f"{name} is {values[first]} {place(first[0])}, and {reason}", at)
