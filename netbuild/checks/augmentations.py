"""Check that augmented images fit the network. The shapes are enough: no image is loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.components.tensor import ShapeError, times
from netbuild.diagnostics.diagnostic import Diagnostic, Note
from netbuild.syntax.item import inner, place

if TYPE_CHECKING:
    from netbuild.components.augmentations.augmentation import Augmentation
    from netbuild.components.tensor import Shape
    from netbuild.config.config import Config
    from netbuild.diagnostics.diagnostic import Span


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
