"""Check that augmented images fit the network and the target. No image is loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.components.target import Classes
from netbuild.components.tensor import ShapeError, times
from netbuild.diagnostics.diagnostic import Diagnostic, Note
from netbuild.syntax.item import inner, place

if TYPE_CHECKING:
    from netbuild.components.augmentations.augmentation import Augmentation
    from netbuild.components.target import Target
    from netbuild.components.tensor import Shape
    from netbuild.config.config import Config
    from netbuild.diagnostics.diagnostic import Span

#: Ratios of sizes that differ by less than this factor are about the same.
_ABOUT = 1.25


def check(config: Config) -> list[Diagnostic]:
    """Return the fault of augmentations that change the shape of the images.

    Images for validation are not augmented, so they already have the shape of the network's input.
    Augmented images must have the same shape in the end.
    """
    augment = config.preparation.augment or ()
    inputs = [x for x in config.inputs.values() if x is not None]
    if not augment or config.data is None or len(inputs) != len(config.inputs):
        return []
    if len(inputs) != 1 or inputs[0].dtype != "float32":
        read = ", ".join(config.inputs) if len(inputs) != 1 else inputs[0].dtype
        message = f"it augments float32 images, but the network reads {read}"
        return [_fault(config, 0, message)]
    x = inputs[0].shape
    last = 0
    for number, augmentation in enumerate(augment):
        try:
            y = augmentation.apply(x)
        except ShapeError as error:
            return [_fault(config, number, str(error), error.at, error.help)]
        last, x = number if y != x else last, y
    needed = inputs[0].shape
    if x == needed:
        return []
    message = f"the images become {times(x)}, but the network reads {times(needed)}"
    return [_fault(config, last, message, "size", _help(augment[last], needed))]


def check_target(config: Config, target: Target) -> list[Diagnostic]:
    """Return a fault for each augmentation that moves the image away from the target's places.

    Only the image is augmented. A target with a value at each place of the image, such as a mask,
    stays as it is.
    """
    x = next(iter(config.inputs.values()))
    if not config.preparation.augment or x is None or not _has_places(target, x.shape):
        return []
    shape, found = x.shape, []
    rows, columns = target.tensor.shape[-2:]
    for number, augmentation in enumerate(config.preparation.augment):
        name = type(augmentation).__name__
        try:
            moves = augmentation.moves(shape)
            shape = augmentation.apply(shape)
        except ShapeError:  # `check` reports it
            break
        if moves:
            title = f"{name} moves the image, and its target stays"
            label = f"the target at each of {rows}×{columns} places stays where it is"
            help_ = f"remove {name}, or store changed images with their changed targets"
            span = _place(config, number, None)
            found.append(Diagnostic("NB504", title, span, label, help=help_))
    return found


def _has_places(target: Target, x: Shape) -> bool:
    """Whether the last two axes of a target are the height and the width of an image.

    Class numbers in rows and columns are a mask. Values are a map of the image if the ratio of rows
    to columns is about the image's; convolutions without padding change the ratio a little.
    """
    shape = target.tensor.shape
    if len(x) != 3 or len(shape) < 2 or min(shape[-2:]) == 1:
        return False
    rows, columns = (n / of for n, of in zip(shape[-2:], x[1:], strict=True))
    return isinstance(target, Classes) or max(rows, columns) < _ABOUT * min(rows, columns)


def _help(augmentation: Augmentation, needed: Shape) -> str:
    size = f"[{needed[1]}, {needed[2]}]"
    if "size" in type(augmentation).model_fields:
        return f"size: {size}"
    return f"restore the size afterwards with RandomCrop: {size} or Resize: {size}"


def _fault(
    config: Config, number: int, message: str, at: str | None = None, help_: str | None = None
) -> Diagnostic:
    """Return the fault of an augmentation, at the field that causes it."""
    assert config.preparation.augment is not None
    title = f"{type(config.preparation.augment[number]).__name__} does not fit the network"
    span = _place(config, number, at)
    line = config.input_span(next(iter(config.inputs))).line
    return Diagnostic("NB501", title, span, message, (Note("input", f"line {line}"),), help=help_)


def _place(config: Config, number: int, at: str | None) -> Span:
    """Return the place of a field of an augmentation, or the nearest place in the file."""
    source = config.items.get("data")
    item = inner(source, "augment", number) if source else None
    return place(item, at) if item else config.place("data", "augment")
